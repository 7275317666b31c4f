"""The host's page: who takes part, what waits and who scores it, what is hidden or frozen."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from api.browser import Form, FormHost
from api.deps import Asker, SessionDep
from api.pages.render import render
from api.pages.visitors import to_sign_in
from api.problems import RequestError
from api.snapshots import take_snapshot
from api.submissions import submission_body
from board.errors import InvalidSubmissionError
from board.hosting import (
    hide_submission,
    latest_submissions,
    list_participants,
    participant_by_id,
    revoke_tokens,
    waiting_submissions,
)
from board.models import Participant
from board.participants import create_participant, issue_token
from board.queue import announce_rescore, workers_at_work
from board.references import current_reference, list_references
from board.snapshots import list_snapshots
from cubes.tracks import TRACKS

router = APIRouter(prefix="/host", include_in_schema=False, default_response_class=HTMLResponse)

_LATEST = 50

DATABASE_ID = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("")
def host_page(request: Request, session: SessionDep, asker: Asker) -> Response:
    """Show the host all there is to see."""
    if asker is None:
        return to_sign_in(request)
    if not asker.is_host:
        raise RequestError("forbidden", "Only a host of the challenge may see this.")
    return _show(request, session, asker)


def _show(
    request: Request, session: Session, host: Participant, token: tuple[str, str] | None = None
) -> Response:
    return render(
        request,
        "host.html",
        host,
        token=token,
        now=datetime.now(UTC),
        workers=workers_at_work(),
        waiting=[(submission_body(session, s), s) for s in waiting_submissions(session)],
        latest=[(submission_body(session, s), s) for s in latest_submissions(session, _LATEST)],
        participants=list_participants(session),
        references=list_references(session),
        snapshots=list_snapshots(session),
    )


@router.post("/participants")
def add_participant(request: Request, session: SessionDep, host: FormHost, form: Form) -> Response:
    """Create a participant, and show their token: once."""
    name = form.get("name", "")
    if any(known.name == name.strip() for known in list_participants(session)):
        raise InvalidSubmissionError(
            f"There is a participant {name.strip()!r} already: issue a further token for them."
        )
    added = create_participant(session, name, is_host="is_host" in form)
    return _show(request, session, host, (added.name, issue_token(session, added)))


@router.post("/participants/{participant_id}/token")
def add_token(
    request: Request, session: SessionDep, host: FormHost, participant_id: DATABASE_ID
) -> Response:
    """Issue a further token, and show it: once."""
    owner = participant_by_id(session, participant_id)
    return _show(request, session, host, (owner.name, issue_token(session, owner)))


@router.post("/participants/{participant_id}/revoke")
def revoke(session: SessionDep, host: FormHost, participant_id: DATABASE_ID) -> Response:
    """Revoke all tokens of a participant; a host cannot lock themselves out."""
    if participant_id == host.id:
        raise InvalidSubmissionError("Your own tokens are revoked by another host only.")
    revoke_tokens(session, participant_by_id(session, participant_id).id)
    return _back("participants")


@router.post("/submissions/{submission_id}/hide")
def hide(session: SessionDep, host: FormHost, submission_id: UUID) -> Response:
    """Take a submission off the board."""
    hide_submission(session, submission_id, hidden=True)
    return _back("submissions")


@router.post("/submissions/{submission_id}/show")
def show(session: SessionDep, host: FormHost, submission_id: UUID) -> Response:
    """Put a submission back on the board."""
    hide_submission(session, submission_id, hidden=False)
    return _back("submissions")


@router.post("/tracks/{track}/rescore")
def rescore(session: SessionDep, host: FormHost, track: str) -> Response:
    """Ask a worker to score a track's submissions against its current reference."""
    current_reference(session, _known(track))
    if not announce_rescore(track):
        raise RequestError("unavailable", "The broker does not answer: try again soon.")
    return _back("tracks")


@router.post("/tracks/{track}/freeze")
def freeze(session: SessionDep, host: FormHost, track: str) -> Response:
    """Freeze a track's leaderboard for citation."""
    take_snapshot(session, _known(track))
    return _back("snapshots")


def _known(track: str) -> str:
    if track not in TRACKS:
        raise InvalidSubmissionError(f"There is no track {track!r}.")
    return track


def _back(section: str) -> Response:
    return RedirectResponse(f"/host#{section}", status_code=303)
