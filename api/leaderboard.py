"""The leaderboard of a track, as JSON or CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy.orm import Session

from api import schemas
from api.deps import SessionDep
from api.problems import problem_responses
from board import leaderboard as board
from board.errors import NoReferenceError
from board.references import current_reference

router = APIRouter(prefix="/leaderboard", tags=["leaderboard"])

STATISTICS = ("psd", "mass", "peak")

_CSV_HEADER = [
    "rank",
    "submission",
    "method",
    "participant",
    "baseline",
    "overall",
    "overall_ci95_low",
    "overall_ci95_high",
    "tied_with_leader",
    *(
        f"{name}_{value}"
        for name in STATISTICS
        for value in ("d2", "score", "d2_jackknife", "ci95_low", "ci95_high", "scatter_ratio")
    ),
]


@router.get(
    "",
    response_model=schemas.Leaderboard,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **problem_responses("invalid_request"),
    },
)
def read_leaderboard(
    session: SessionDep,
    track: schemas.TrackName,
    sort: schemas.SortKey = "overall",
    form: Annotated[
        Literal["json", "csv"] | None,
        Query(alias="format", description="Overrides the header `Accept`."),
    ] = None,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """Rank a track's submissions: the best of each participant and method, best first."""
    rows = [row_body(row) for row in board.leaderboard(session, track, sort)]
    if form == "csv" or (form is None and _prefers_csv(accept)):
        answer = Response(leaderboard_csv(rows), media_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = f'inline; filename="leaderboard-{track}.csv"'
    else:
        body = schemas.Leaderboard(
            track=track,
            sort=sort,
            reference=_reference_hash(session, track),
            rows=rows,
        )
        answer = Response(body.model_dump_json(), media_type="application/json")
    answer.headers["Vary"] = "Accept"
    return answer


def row_body(row: board.Row) -> schemas.LeaderboardRow:
    """Return what the API says of one line of the board."""
    return schemas.LeaderboardRow(
        rank=row.rank,
        submission=row.submission,
        method=row.method,
        participant=row.participant,
        baseline=row.baseline,
        overall=row.report.overall,
        overall_ci95=row.report.overall_ci95,
        tied_with_leader=row.tied_with_leader,
        scores=schemas.Scores.model_validate(row.report),
    )


def leaderboard_csv(rows: Sequence[schemas.LeaderboardRow]) -> str:
    """Return the rows as CSV (RFC 4180); intervals take two columns, an infinite score is inf."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_CSV_HEADER)
    for row in rows:
        scores = [_csv_score(getattr(row.scores, name)) for name in STATISTICS]
        writer.writerow(
            [
                row.rank,
                row.submission,
                _not_a_formula(row.method),
                _not_a_formula(row.participant or ""),
                _csv_bool(row.baseline),
                row.overall,
                *(row.overall_ci95 or (None, None)),
                _csv_bool(row.tied_with_leader),
                *(value for score in scores for value in score),
            ]
        )
    return text.getvalue()


def _csv_score(score: schemas.StatisticScore) -> list[float | str | None]:
    return [
        score.d2,
        "inf" if score.score is None else score.score,
        score.d2_jackknife,
        *(score.ci95 or (None, None)),
        score.scatter_ratio,
    ]


def _csv_bool(value: bool | None) -> str:
    return "" if value is None else str(value).lower()


def _not_a_formula(text: str) -> str:
    """Quote what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _prefers_csv(accept: str) -> bool:
    """Tell whether the header `Accept` puts CSV before JSON."""
    weights = {"text/csv": 0.0, "application/json": 0.0, "*/*": 0.0}
    for part in accept.split(","):
        media_type, *parameters = (word.strip() for word in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        if media_type in weights:
            weights[media_type] = weight
    return weights["text/csv"] > max(weights["application/json"], weights["*/*"])


def _reference_hash(session: Session, track: str) -> str | None:
    try:
        return current_reference(session, track).content_hash
    except NoReferenceError:
        return None
