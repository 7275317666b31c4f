"""The tracks: what each takes, and what it is scored against."""

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import schemas
from api.deps import SessionDep, SettingsDep
from api.intake import archive_limit
from api.problems import problem_responses
from board.errors import NotFoundError
from board.models import Reference
from board.settings import Settings
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
