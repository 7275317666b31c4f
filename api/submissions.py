"""Submit, follow, list and withdraw submissions."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from sqlalchemy.orm import Session

from api import schemas
from api.deps import (
    Asker,
    CurrentParticipant,
    Host,
    SessionDep,
    SettingsDep,
    StorageDep,
    UploadsDep,
)
from api.intake import (
    LARGEST_ARCHIVE,
    ReceivedArchive,
    in_intake,
    queue_archive,
    require_space,
    require_welcome,
)
from api.multipart import FIELDS, MAX_FORM_BYTES, FormReader, body_blocks, form_boundary
from api.problems import RequestError, problem_responses
from api.published import published
from board.copy_checks import found_copies, held_out_copies
from board.database import transaction
from board.errors import InvalidSubmissionError
from board.estimates import estimate_seconds, waiting_reason
from board.lifecycle import withdraw_submission
from board.models import Submission
from board.submissions import (
    describe_submission,
    own_submission,
    queue_position,
    submissions_of,
    visible_submission,
)

router = APIRouter(prefix="/submissions", tags=["submissions"])

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["track", "method", "archive"],
                    "additionalProperties": False,
                    "properties": {
                        **{name: {"type": "string"} for name in FIELDS},
                        "archive": {"type": "string", "format": "binary"},
                    },
                }
            }
        },
    }
}


@router.post(
    "",
    status_code=201,
    openapi_extra=_FORM,
    responses={
        201: {
            "headers": {
                "Location": {
                    "description": "Where to follow the submission.",
                    "schema": {"type": "string"},
                }
            }
        },
        **problem_responses(
            "unauthenticated",
            "invalid_token",
            "upload_stalled",
            "duplicate_archive",
            "no_reference",
            "body_too_large",
            "storage_limit",
            "unsupported_media_type",
            "invalid_request",
            "invalid_submission",
            "malformed_form",
            "invalid_archive",
            "idempotency_conflict",
            "quota_exceeded",
            "storage_full",
        ),
    },
)
async def create_submission(
    request: Request,
    response: Response,
    participant: CurrentParticipant,
    settings: SettingsDep,
    storage: StorageDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="Repeat a request with the same key, and it submits only once.",
        ),
    ] = None,
) -> schemas.Submission:
    """Submit an archive of fields to a track.

    The archive's directory and array headers are checked before this answers; its values are
    checked while it is scored. Fields may come in any order; `track` first gets the earliest
    refusal.
    """
    boundary = form_boundary(request.headers.get("content-type", ""))
    size = _declared_size(request)
    await run_in_threadpool(require_space, size, storage)
    async with contextmanager_in_threadpool(storage.stage()) as path:
        with FormReader(boundary, path) as reader:
            welcome = False
            async for block in body_blocks(request, settings.stall_seconds):
                await run_in_threadpool(reader.feed, block)
                if not welcome and "track" in reader.fields:
                    await run_in_threadpool(
                        require_welcome,
                        participant,
                        reader.fields["track"],
                        idempotency_key,
                        settings,
                        size,
                    )
                    welcome = True
            archive: ReceivedArchive = await run_in_threadpool(reader.finish)
        form = reader.fields | ({"idempotency_key": idempotency_key} if idempotency_key else {})
        new = describe_submission(form)
        submission_id = await in_intake(
            partial(queue_archive, participant, new, archive, storage, settings)
        )
    response.headers["Location"] = f"/api/v1/submissions/{submission_id}"
    return await run_in_threadpool(_read, submission_id, participant)


def _declared_size(request: Request) -> int:
    """Return the length that the request declares, 0 if none.

    Raises:
        RequestError: `body_too_large`.
    """
    size = int(request.headers.get("content-length", 0))
    if size > LARGEST_ARCHIVE + MAX_FORM_BYTES:
        raise RequestError(
            "body_too_large",
            f"The largest archive of any track has {LARGEST_ARCHIVE} bytes: save float32, "
            "compressed.",
        )
    return size


def _read(submission_id: UUID, asker: Asker) -> schemas.Submission:
    with transaction() as session:
        return submission_body(session, visible_submission(session, submission_id, asker))


@router.get(
    "",
    responses=problem_responses("unauthenticated", "invalid_token", "invalid_submission"),
)
def list_submissions(
    session: SessionDep,
    participant: CurrentParticipant,
    page_token: Annotated[
        str | None, Query(description="From `next_page_token` of the page before.")
    ] = None,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
) -> schemas.SubmissionPage:
    """List your own submissions, latest first."""
    found = submissions_of(session, participant, _page_start(page_token), page_size + 1)
    page = found[:page_size]
    return schemas.SubmissionPage(
        items=[submission_body(session, submission) for submission in page],
        next_page_token=page[-1].id.hex if len(found) > page_size else None,
    )


def _page_start(page_token: str | None) -> UUID | None:
    try:
        return UUID(hex=page_token) if page_token else None
    except ValueError:
        raise InvalidSubmissionError("The page token is not one that this list gave out.") from None


@router.get("/{submission_id}", responses=problem_responses("invalid_token", "not_found"))
def read_submission(submission_id: UUID, session: SessionDep, asker: Asker) -> schemas.Submission:
    """Read a submission: anybody a scored one, its owner any."""
    return submission_body(session, visible_submission(session, submission_id, asker))


@router.get(
    "/{submission_id}/held-out-copies",
    responses=problem_responses("unauthenticated", "invalid_token", "forbidden", "not_found"),
)
def read_held_out_copies(
    submission_id: UUID, session: SessionDep, host: Host
) -> list[schemas.Copy] | None:
    """Read which fields are copies of held-out ones (host); null until they are sought."""
    visible_submission(session, submission_id, host)
    found = held_out_copies(session, submission_id)
    return None if found is None else [schemas.Copy.model_validate(copy) for copy in found]


@router.delete(
    "/{submission_id}",
    responses=problem_responses("unauthenticated", "invalid_token", "not_found", "wrong_state"),
)
def withdraw(
    submission_id: UUID,
    session: SessionDep,
    participant: CurrentParticipant,
    uploads: UploadsDep,
) -> schemas.Submission:
    """Withdraw your submission: it leaves the queue, the worker or the board."""
    submission = own_submission(session, submission_id, participant)
    withdraw_submission(session, submission)
    uploads.remove(submission_id)
    session.refresh(submission)
    return submission_body(session, submission)


def submission_body(session: Session, submission: Submission) -> schemas.Submission:
    """Return what the API says of a submission."""
    score = submission.scores[0] if submission.state == "scored" else None
    report = published(score.report) if score else None
    return schemas.Submission(
        id=submission.id,
        track=submission.track,
        method=submission.method,
        participant=submission.participant.name,
        state=submission.state,  # type: ignore[arg-type]
        reason=submission.reason,
        message=submission.message or waiting_reason(session, submission),
        progress=schemas.Progress(done=submission.done, total=submission.total),
        queue_position=queue_position(session, submission),
        estimate_seconds=estimate_seconds(session, submission),
        created_at=submission.created_at,
        scored_at=score.created_at if score else None,
        attempt=submission.attempt,
        sha256=submission.sha256,
        reference=score.reference.content_hash if score else None,
        scorer_version=score.scorer_version if score else None,
        scores=schemas.Scores.model_validate(report) if report else None,
        overall=report["overall"] if report else None,
        overall_ci95=report["overall_ci95"] if report else None,
        copy_search=_copy_search(session, submission.id) if report else None,
    )


def _copy_search(session: Session, submission_id: UUID) -> schemas.CopySearch | None:
    found = found_copies(session, submission_id)
    return schemas.CopySearch.model_validate(found) if found else None
