"""The pages for everybody: leaderboard, submission, upload, own submissions, about."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from markupsafe import Markup
from sqlalchemy.orm import Session
from starlette.types import Scope

from api import schemas
from api.browser import FormParticipant
from api.deps import Asker, SessionDep, SettingsDep, UploadsDep
from api.intake import archive_limit
from api.kept import kept
from api.leaderboard import row_body
from api.pages.bars import score_bars, share_bar
from api.pages.render import HERE, render, render_part
from api.pages.results import result_of
from api.reference import Reference, reference
from api.submissions import submission_body
from board.leaderboard import Standings, standings
from board.lifecycle import withdraw_submission
from board.models import Reference as HeldOut
from board.participants import used_today
from board.references import list_references
from board.snapshots import list_snapshots
from board.submissions import count_waiting, own_submission, submissions_of, visible_submission
from cubes.tracks import TRACKS

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_DEFAULT_TRACK = "3d-64"
_ROWS = 100
"""Rows of a leaderboard that a page shows unless all are asked for."""

_SNAPSHOTS = 5
"""Frozen boards that the page of their track names."""


class _Static(StaticFiles):
    """Static files that browsers may keep, but ask about each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def add_pages(app: FastAPI) -> None:
    """Serve the pages and what they load."""
    app.include_router(router)
    app.mount("/static", _Static(directory=HERE / "static"), name="static")


@router.get("/")
def board_page(
    request: Request,
    session: SessionDep,
    asker: Asker,
    track: schemas.TrackName | None = None,
    sort: Annotated[schemas.SortKey, Query()] = "overall",
    rows: Annotated[str, Query(pattern="^all$")] | None = None,
) -> Response:
    """Show a track's leaderboard; without a track, that of the first one that is open."""
    references = _current_references(session)
    name = track or next((name for name in TRACKS if name in references), _DEFAULT_TRACK)
    known = standings(session, name)
    most = None if rows == "all" else _ROWS
    return render(
        request,
        "leaderboard.html",
        asker,
        track=TRACKS[name],
        tracks=_open_first(references),
        reference=references.get(name),
        sort=sort,
        board=_board(known, sort, most),
        competing=sum(row.submission is not None for row in known.rows),
        waiting=count_waiting(session, name),
        more=max(0, len(known.rows) - most) if most else 0,
        snapshots=[found for found in list_snapshots(session) if found.track == name][:_SNAPSHOTS],
    )


@kept(16)
def _board(known: Standings, sort: schemas.SortKey, most: int | None) -> Markup:
    """Return the table of a leaderboard, or of its first rows."""
    records = known.ranked(sort)[:most]
    rows = [row_body(record) for record in records]
    real = next((row.overall for row in rows if row.submission is None), None)
    bars = [
        {"overall": share_bar(row.overall, row.overall_ci95, real), **scores}
        for row, scores in zip(rows, score_bars(rows), strict=True)
    ]
    return render_part(
        "board.html",
        track=TRACKS[known.track],
        sort=sort,
        rows=list(zip(rows, records, bars, strict=True)),
    )


@router.get("/submissions/{submission_id}")
def submission_page(
    request: Request, submission_id: UUID, session: SessionDep, asker: Asker, uploads: UploadsDep
) -> Response:
    """Show where a submission stands, and how it scored."""
    submission = visible_submission(session, submission_id, asker)
    is_host = asker is not None and asker.is_host
    scored = submission.state == "scored"
    return render(
        request,
        "submission.html",
        asker,
        submission=submission_body(session, submission),
        record=submission,
        track=TRACKS[submission.track],
        own=is_host or (asker is not None and asker.id == submission.participant_id),
        arrived=uploads.offset(submission_id) if submission.state == "uploading" else 0,
        **(result_of(session, submission, to_host=is_host) if scored else {}),
    )


@router.get("/submit")
def submit_page(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    asker: Asker,
    track: schemas.TrackName | None = None,
) -> Response:
    """Show the form to submit with."""
    if asker is None:
        return to_sign_in(request)
    references = _current_references(session)
    open_tracks = [TRACKS[name] for name in TRACKS if name in references]
    return render(
        request,
        "submit.html",
        asker,
        tracks=open_tracks,
        chosen=track,
        limits={track.name: archive_limit(track) for track in open_tracks},
        left={
            track.name: max(0, settings.daily_limit - used_today(session, asker.id, track.name))
            for track in open_tracks
        },
        daily_limit=settings.daily_limit,
    )


@router.get("/me")
def own_page(
    request: Request,
    session: SessionDep,
    asker: Asker,
    page_token: Annotated[UUID | None, Query()] = None,
) -> Response:
    """Show one's own submissions."""
    if asker is None:
        return to_sign_in(request)
    size = 50
    found = submissions_of(session, asker, page_token, size + 1)
    return render(
        request,
        "me.html",
        asker,
        submissions=[submission_body(session, submission) for submission in found[:size]],
        next_page=found[size - 1].id if len(found) > size else None,
    )


@router.post("/submissions/{submission_id}/withdraw")
def withdraw(
    submission_id: UUID,
    session: SessionDep,
    participant: FormParticipant,
    uploads: UploadsDep,
) -> Response:
    """Withdraw a submission, and show it again."""
    withdraw_submission(session, own_submission(session, submission_id, participant))
    uploads.remove(submission_id)
    return RedirectResponse(f"/submissions/{submission_id}", status_code=303)


@router.get("/about")
def about_page(request: Request, session: SessionDep, asker: Asker) -> Response:
    """Explain the challenge."""
    return render(
        request,
        "about.html",
        asker,
        tracks=list(TRACKS.values()),
        references=_current_references(session),
        snapshots=list_snapshots(session),
        origin=_origin(request),
    )


@router.get("/docs")
def reference_page(request: Request, asker: Asker) -> Response:
    """Show the reference of the API."""
    return render(
        request, "reference.html", asker, reference=_reference(request.app), origin=_origin(request)
    )


@kept(1)
def _reference(app: FastAPI) -> Reference:
    return reference(app.openapi())


def _origin(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def to_sign_in(request: Request) -> Response:
    """Send a browser to sign in first, and back afterwards."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(path, safe='')}", status_code=303)


def _current_references(session: Session) -> dict[str, HeldOut]:
    return {found.track: found for found in list_references(session) if found.is_current}


def _open_first(references: dict[str, HeldOut]) -> list[tuple[str, bool]]:
    """Return the tracks by name, and whether each is open: those that are come first."""
    tracks = [(name, name in references) for name in TRACKS]
    return sorted(tracks, key=lambda track: not track[1])
