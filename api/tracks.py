"""The tracks: what each takes, what it is scored against, and its training set."""

import itertools
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import schemas
from api.byte_ranges import ByteRange, UnsatisfiableRangeError, requested_range
from api.deps import SessionDep, SettingsDep, StorageDep
from api.intake import archive_limit
from api.problems import Refusal, problem_response, problem_responses, refusal
from board.database import transaction
from board.errors import NotFoundError
from board.models import Reference
from board.references import StoredFields, training_set
from board.settings import Settings
from board.storage import ArchiveMissingError, Storage
from cubes.tracks import TRACKS, Track

router = APIRouter(prefix="/tracks", tags=["tracks"])


@router.get("")
def list_tracks(session: SessionDep, settings: SettingsDep) -> list[schemas.Track]:
    """List every track, the largest first."""
    references = _current_references(session)
    return [_body(track, references, settings) for track in TRACKS.values()]


@router.get("/{track}", responses=problem_responses("not_found"))
def read_track(track: str, session: SessionDep, settings: SettingsDep) -> schemas.Track:
    """Read one track."""
    if track not in TRACKS:
        raise NotFoundError(f"There is no track {track!r}; there are {', '.join(TRACKS)}.")
    return _body(TRACKS[track], _current_references(session), settings)


_ARCHIVE = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
_TRAINING_SET: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A .npz of one array a field, as `cosmoboard score --reference` takes it. "
        "Its ETag is its SHA-256.",
        "content": _ARCHIVE,
    },
    206: {"description": "The bytes that were asked for.", "content": _ARCHIVE},
    304: {"description": "It is the one that you have."},
}


@router.get(
    "/{track}/training-set",
    response_class=StreamingResponse,
    responses={
        **_TRAINING_SET,
        **problem_responses("not_found", "no_reference", "range_not_satisfiable"),
    },
)
def read_training_set(
    track: schemas.TrackName,
    storage: StorageDep,
    byte_range: Annotated[str | None, Header(alias="Range", max_length=200)] = None,
    if_range: Annotated[str | None, Header(max_length=200)] = None,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """Download a track's training fields; a download that broke off can be resumed."""
    with transaction() as session:  # a download may take hours: it holds no connection
        stored = training_set(session, track)
    etag = f'"{stored.sha256}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "no-cache"}
    if if_none_match is not None and etag in if_none_match:
        return Response(status_code=304, headers=headers)
    part = None
    try:
        if if_range in (None, etag):
            part = requested_range(byte_range, stored.size)
    except UnsatisfiableRangeError as error:
        found = refusal("range_not_satisfiable", f"{error} Ask for some of them.")
        return problem_response(Refusal(found.problem, {"Content-Range": f"bytes */{stored.size}"}))
    sent = part or ByteRange(0, stored.size)
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{stored.size}"
    return StreamingResponse(
        _blocks(storage, stored, sent),
        status_code=200 if part is None else 206,
        media_type="application/zip",
        headers={
            **headers,
            "Content-Length": str(len(sent)),
            "Content-Disposition": f'attachment; filename="train-{track}.npz"',
        },
    )


def _blocks(storage: Storage, stored: StoredFields, part: ByteRange) -> Iterator[bytes]:
    """Return the bytes as they are read; the first are read here, lest there be none."""
    blocks = storage.read(stored.archive_id, part.start, part.stop)
    try:
        first = next(blocks)
    except (ArchiveMissingError, StopIteration):
        raise NotFoundError(
            "The training fields are lost here: ask the host to build the reference again."
        ) from None
    return itertools.chain([first], blocks)


def _current_references(session: Session) -> dict[str, Reference]:
    found = session.scalars(select(Reference).where(Reference.is_current))
    return {reference.track: reference for reference in found}


def _body(track: Track, references: dict[str, Reference], settings: Settings) -> schemas.Track:
    reference = references.get(track.name)
    return schemas.Track(
        name=track.name,
        ndim=track.ndim,
        side=track.side,
        count=track.count,
        shape=list(track.shape),
        mean=track.mean,
        box_side=track.box_side,
        max_archive_bytes=archive_limit(track),
        daily_limit=settings.daily_limit,
        reference=schemas.Reference.model_validate(reference) if reference else None,
    )
