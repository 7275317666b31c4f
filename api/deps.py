"""What routes depend on, as annotated types: `session: SessionDep` is all a route says."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from api.browser import SAFE_METHODS, participant_of_cookie
from api.problems import RequestError
from api.upload_files import UploadFolder
from board.database import transaction
from board.models import Participant
from board.participants import authenticate
from board.settings import Settings, get_settings
from board.storage import Storage, open_storage

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="The token that the host gave you: `Authorization: Bearer cosmoboard_...`.",
)


def _session() -> Iterator[Session]:
    with transaction() as session:
        yield session


def _storage(settings: "SettingsDep") -> Storage:
    return open_storage(settings)


def _uploads(settings: "SettingsDep") -> UploadFolder:
    return UploadFolder(settings.data / "uploads")


def _asker(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Participant | None:
    # A transaction of its own: an upload that follows may take hours.
    if credentials is None:
        return participant_of_cookie(request)
    with transaction() as session:
        to_read = request.method in SAFE_METHODS
        return authenticate(session, credentials.credentials, to_read=to_read)


def _participant(asker: "Asker") -> Participant:
    if asker is None:
        raise RequestError(
            "unauthenticated", "Send your token in the header 'Authorization: Bearer ...'."
        )
    return asker


def _host(participant: "CurrentParticipant") -> Participant:
    if not participant.is_host:
        raise RequestError("forbidden", "Only a host of the challenge may do this.")
    return participant


SettingsDep = Annotated[Settings, Depends(get_settings)]
StorageDep = Annotated[Storage, Depends(_storage)]
UploadsDep = Annotated[UploadFolder, Depends(_uploads)]

SessionDep = Annotated[Session, Depends(_session, scope="function")]
"""One transaction around the route, committed before the answer is sent."""

Asker = Annotated[Participant | None, Depends(_asker)]
"""Who asks: the participant whose token or session came with the request, or nobody."""

CurrentParticipant = Annotated[Participant, Depends(_participant)]
"""The participant whose token or session came with the request; without one it is a 401."""

Host = Annotated[Participant, Depends(_host)]
"""As `CurrentParticipant`, but a host; others get 403."""
