"""The pages, rendered here; what moves on them is in static/."""

from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from sqlalchemy.orm import Session

from api import schemas
from api.deps import Asker, SessionDep
from api.leaderboard import STATISTICS, row_body
from api.submissions import submission_body
from board.leaderboard import leaderboard
from board.models import Reference
from board.references import list_references
from board.submissions import visible_submission
from cubes.tracks import TRACKS

_HERE = Path(__file__).parent

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_templates = Jinja2Templates(_HERE / "templates")


def add_pages(app: FastAPI) -> None:
    """Serve the pages and what they load."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")


@router.get("/")
def board_page(
    request: Request,
    session: SessionDep,
    track: schemas.TrackName | None = None,
    sort: Annotated[schemas.SortKey, Query()] = "overall",
) -> Response:
    """Show a track's leaderboard; without a track, that of the first one that is open."""
    references = {r.track: r for r in list_references(session) if r.is_current}
    name = track or next((name for name in TRACKS if name in references), "3d-64")
    return _templates.TemplateResponse(
        request,
        "leaderboard.html",
        {
            "track": TRACKS[name],
            "tracks": _open_first(references),
            "reference": references.get(name),
            "sort": sort,
            "rows": [(row_body(row), row.scored_at) for row in leaderboard(session, name, sort)],
        },
    )


@router.get("/submissions/{submission_id}")
def submission_page(
    request: Request, submission_id: UUID, session: SessionDep, asker: Asker
) -> Response:
    """Show where a submission stands, and how it scored."""
    return _templates.TemplateResponse(
        request, "submission.html", _submission(session, submission_id, asker)
    )


def _submission(session: Session, submission_id: UUID, asker: Asker) -> dict[str, object]:
    submission = visible_submission(session, submission_id, asker)
    return {
        "submission": submission_body(session, submission),
        "record": submission,
        "track": TRACKS[submission.track],
    }


def error_page(request: Request, problem: schemas.Problem) -> Response:
    """Show a problem to a person."""
    return _templates.TemplateResponse(
        request, "error.html", {"problem": problem}, status_code=problem.status
    )


def _open_first(references: dict[str, Reference]) -> list[tuple[str, bool]]:
    """Return the tracks by name, and whether each is open: those that are come first."""
    tracks = [(name, name in references) for name in TRACKS]
    return sorted(tracks, key=lambda track: not track[1])


def significant(value: float | None, digits: int = 3) -> str:
    """Write a number with so many significant digits; an infinite score is None."""
    if value is None:
        return "∞"
    text = f"{value:#.{digits}g}"
    return (f"{value:.0f}" if "e+" in text else text).rstrip(".")


def percent(value: float | None) -> str:
    """Write a share as a percentage."""
    return "–" if value is None else f"{100 * value:.1f} %"


def day(moment: datetime) -> str:
    """Write a date, UTC."""
    return f"{moment:%Y-%m-%d}"


_templates.env.filters.update(significant=significant, percent=percent, day=day)
_templates.env.globals["statistics"] = dict(
    zip(STATISTICS, ("Power spectrum", "Mass histogram", "Peak histogram"), strict=True)
)
