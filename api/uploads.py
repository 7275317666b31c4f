"""Resumable uploads: tus 1.0.0 with creation, expiration and termination.

An upload is a submission that is `uploading`; both have the same id. The core is in
`api.upload_files` and `api.complete_upload`.
"""

import base64
import binascii
import re
import time
from datetime import UTC, datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool

from api.complete_upload import complete_stranded, complete_upload
from api.deps import CurrentParticipant, SettingsDep, StorageDep, UploadsDep
from api.intake import LARGEST_ARCHIVE, in_intake, require_size, require_space
from api.middleware import TUS_PATH, TUS_VERSION
from api.multipart import FIELDS, body_blocks
from api.problems import RequestError, problem_responses
from api.upload_files import UploadFolder, gone
from board.database import transaction
from board.errors import InvalidSubmissionError
from board.keeping import keeping
from board.models import Participant, Submission
from board.settings import Settings
from board.submissions import describe_submission, own_submission
from board.uploads import cancel_upload, open_upload
from cubes.tracks import TRACKS

_IGNORED_METADATA = {"filename", "filetype", "name", "type", "relativePath"}
"""What clients send by themselves."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def _speak_tus(
    participant: CurrentParticipant,  # who asks comes first
    tus_resumable: Annotated[str, Header(description="The version of tus: 1.0.0.")],
) -> None:
    if tus_resumable != TUS_VERSION:
        raise RequestError("tus_version", f"Only tus {TUS_VERSION} is spoken here.")


SpokenTus = Depends(_speak_tus)

router = APIRouter(prefix="/uploads", tags=["uploads"])

_refusals = partial(
    problem_responses, "unauthenticated", "invalid_token", "invalid_request", "tus_version"
)


@router.options("", status_code=204)
def tell_protocol() -> Response:
    """Tell which version and extensions of tus are spoken, and how large an upload may be."""
    return Response(
        status_code=204,
        headers={
            "Tus-Version": TUS_VERSION,
            "Tus-Extension": "creation,expiration,termination",
            "Tus-Max-Size": str(LARGEST_ARCHIVE),
        },
    )


@router.post(
    "",
    status_code=201,
    dependencies=[SpokenTus],
    response_class=Response,
    responses={
        201: {
            "headers": {
                "Location": {"schema": {"type": "string"}, "description": "Where to send bytes."}
            }
        },
        **_refusals(
            "duplicate_archive",
            "no_reference",
            "body_too_large",
            "storage_limit",
            "invalid_submission",
            "idempotency_conflict",
            "quota_exceeded",
            "storage_full",
        ),
    },
)
def begin_upload(
    participant: CurrentParticipant,
    settings: SettingsDep,
    storage: StorageDep,
    uploads: UploadsDep,
    upload_length: Annotated[int, Header(ge=1, description="Bytes of the archive.")],
    upload_metadata: Annotated[
        str,
        Header(
            description="The fields of the submission, as `key base64(value)`, by commas. With "
            "`sha256`, the archive is refused at once where it is submitted already, and checked "
            "when it has arrived."
        ),
    ],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Response:
    """Begin a submission whose archive is sent piece by piece, and may be resumed."""
    form = parse_metadata(upload_metadata)
    sha256 = form.pop("sha256", None)
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise InvalidSubmissionError("The field 'sha256' must have 64 hexadecimal digits.")
    new = describe_submission(
        form | ({"idempotency_key": idempotency_key} if idempotency_key else {})
    )
    require_size(upload_length, TRACKS[new.track])
    require_space(upload_length, storage)
    with transaction() as session:
        upload = open_upload(
            session,
            participant,
            new,
            upload_length,
            sha256,
            settings.daily_limit,
            keeping(settings),
        )
    return Response(
        status_code=201,
        headers={"Location": f"{TUS_PATH}/{upload.id}", **_expiry(upload, uploads, settings)},
    )


def parse_metadata(header: str) -> dict[str, str]:
    """Return the fields in an `Upload-Metadata` header.

    Raises:
        InvalidSubmissionError: If it is malformed, or has a field that submissions do not have.
    """
    form: dict[str, str] = {}
    for pair in header.split(","):
        name, _, encoded = pair.strip().partition(" ")
        if name in _IGNORED_METADATA:
            continue
        if name not in (*FIELDS, "sha256") or name in form:
            raise InvalidSubmissionError(
                f"Upload-Metadata has {name[:50]!r}, which is unknown or repeated; the fields are "
                f"{', '.join(FIELDS)}, sha256."
            )
        try:
            form[name] = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidSubmissionError(
                f"The value of {name!r} in Upload-Metadata is not UTF-8 in base64."
            ) from None
    return form


@router.head(
    "/{upload_id}",
    dependencies=[SpokenTus],
    response_class=Response,
    responses=_refusals("not_found", "upload_gone"),
)
def tell_offset(
    upload_id: UUID,
    participant: CurrentParticipant,
    settings: SettingsDep,
    storage: StorageDep,
    uploads: UploadsDep,
) -> Response:
    """Tell how many bytes have arrived: where to go on."""
    upload = _own_upload(upload_id, participant)
    offset = upload.size
    if upload.state == "uploading":
        offset = uploads.offset(upload_id)
        if offset == upload.size:
            complete_stranded(upload, uploads, storage)
    return Response(
        headers={
            "Upload-Offset": str(offset),
            "Upload-Length": str(upload.size),
            **_expiry(upload, uploads, settings),
        }
    )


@router.patch(
    "/{upload_id}",
    status_code=204,
    dependencies=[SpokenTus],
    response_class=Response,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/offset+octet-stream": {
                    "schema": {"type": "string", "format": "binary"}
                }
            },
        }
    },
    responses=_refusals(
        "not_found",
        "upload_stalled",
        "upload_offset_mismatch",
        "wrong_state",
        "upload_gone",
        "body_too_large",
        "unsupported_media_type",
        "upload_locked",
        "storage_full",
    ),
)
async def append(
    request: Request,
    upload_id: UUID,
    participant: CurrentParticipant,
    settings: SettingsDep,
    storage: StorageDep,
    uploads: UploadsDep,
    upload_offset: Annotated[int, Header(ge=0, description="Where the bytes belong.")],
) -> Response:
    """Send the next bytes; the last one queues the submission.

    Whether the archive was then taken is told by the submission: `queued`, or `failed` with the
    reason.
    """
    if request.headers.get("content-type") != "application/offset+octet-stream":
        raise RequestError(
            "unsupported_media_type", "Send the bytes as application/offset+octet-stream."
        )
    upload = await run_in_threadpool(_own_upload, upload_id, participant)
    if upload.state != "uploading":
        _require_offset(upload_offset, upload.size)
        return Response(status_code=204, headers={"Upload-Offset": str(upload.size)})
    async with contextmanager_in_threadpool(uploads.locked(upload_id)) as file:
        upload = await run_in_threadpool(_own_upload, upload_id, participant)
        if upload.state != "uploading":
            uploads.remove(upload_id)
            raise _offset_mismatch(upload.size)
        _require_offset(upload_offset, file.offset)
        left = upload.size - file.offset
        _require_fit(int(request.headers.get("content-length", 0)), left)
        async for block in body_blocks(request, settings.stall_seconds):
            _require_fit(len(block), left)
            left -= len(block)
            await run_in_threadpool(file.append, block)
        if not left:
            await in_intake(partial(complete_upload, upload, file, uploads, storage))
        offset = file.offset
    return Response(
        status_code=204,
        headers={"Upload-Offset": str(offset), **_expiry(upload, uploads, settings)},
    )


@router.delete(
    "/{upload_id}",
    status_code=204,
    dependencies=[SpokenTus],
    response_class=Response,
    responses=_refusals("not_found", "wrong_state", "upload_gone"),
)
def terminate(upload_id: UUID, participant: CurrentParticipant, uploads: UploadsDep) -> Response:
    """Give an unfinished upload up; it no longer counts against the daily limit."""
    _own_upload(upload_id, participant)
    with transaction() as session:
        cancel_upload(session, upload_id, "withdrawn", "Withdrawn by the participant.")
    uploads.remove(upload_id)
    return Response(status_code=204)


def _own_upload(upload_id: UUID, participant: Participant) -> Submission:
    """Return the participant's upload, under way or arrived.

    Raises:
        NotFoundError: If there is none of theirs.
        RequestError: `upload_gone`.
    """
    with transaction() as session:
        upload = own_submission(session, upload_id, participant)
    if upload.state == "cancelled":
        raise gone()
    return upload


def _require_offset(given: int, true: int) -> None:
    if given != true:
        raise _offset_mismatch(true)


def _offset_mismatch(true: int) -> RequestError:
    return RequestError(
        "upload_offset_mismatch", f"The upload stands at byte {true}: go on from there."
    )


def _require_fit(size: int, left: int) -> None:
    if size > left:
        raise RequestError(
            "body_too_large", f"The upload takes {left} more bytes, as its Upload-Length said."
        )


def _expiry(upload: Submission, uploads: UploadFolder, settings: Settings) -> dict[str, str]:
    """Return when an unfinished upload is given up, as a header."""
    if upload.state != "uploading":
        return {}
    idle = uploads.seconds_idle(upload.id, time.time()) or 0.0
    expires = datetime.fromtimestamp(time.time() - idle + settings.orphan_hours * 3600, UTC)
    return {"Upload-Expires": expires.strftime("%a, %d %b %Y %H:%M:%S GMT")}
