"""The leaderboard of a track, as JSON or CSV."""

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Response

from api import schemas
from api.deps import SessionDep
from api.kept import kept
from api.negotiation import weights
from api.problems import problem_responses
from api.published import published
from board import leaderboard as board
from scoring.report import ScoreReport

router = APIRouter(prefix="/leaderboard", tags=["leaderboard"])

Form = Literal["json", "csv"]

_MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}

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
        304: {"description": "Nothing has changed since the answer with that `ETag`."},
        **problem_responses("invalid_request"),
    },
)
def read_leaderboard(
    session: SessionDep,
    track: schemas.TrackName,
    sort: schemas.SortKey = "overall",
    form: Annotated[
        Form | None, Query(alias="format", description="Overrides the header `Accept`.")
    ] = None,
    accept: Annotated[str, Header()] = "",
    accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
    if_none_match: Annotated[
        str, Header(description="The `ETag` of an earlier answer: 304 if nothing has changed.")
    ] = "",
) -> Response:
    """Rank a track's submissions: the best of each participant and method, best first."""
    standings = board.standings(session, track)
    wanted: Form = form or ("csv" if _prefers_csv(accept) else "json")
    headers = {
        "Cache-Control": "no-cache",
        "ETag": f'W/"{standings.version}-{sort}-{wanted}"',
        "Vary": "Accept, Accept-Encoding",
    }
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content, packed = _written(standings, sort, wanted)
    if weights(accept_encoding).get("gzip"):
        content = packed
        headers["Content-Encoding"] = "gzip"
    if wanted == "csv":
        headers["Content-Disposition"] = f'inline; filename="leaderboard-{track}.csv"'
    return Response(content, media_type=_MEDIA_TYPES[wanted], headers=headers)


@kept(16)
def _written(standings: board.Standings, sort: schemas.SortKey, form: Form) -> tuple[bytes, bytes]:
    """Return a leaderboard as it is sent, plain and gzipped."""
    rows = [row_body(row) for row in standings.ranked(sort)]
    if form == "csv":
        content = leaderboard_csv(rows).encode()
    else:
        body = schemas.Leaderboard(
            track=standings.track, sort=sort, reference=standings.reference, rows=rows
        )
        content = body.model_dump_json().encode()
    return content, gzip.compress(content, compresslevel=5)


def row_body(row: board.Row) -> schemas.LeaderboardRow:
    """Return what the API says of one line of the board."""
    scores, overall, overall_ci95 = _published_scores(row.report)
    return schemas.LeaderboardRow(
        rank=row.rank,
        submission=row.submission,
        method=row.method,
        participant=row.participant,
        baseline=row.baseline,
        overall=overall,
        overall_ci95=overall_ci95,
        tied_with_leader=row.tied_with_leader,
        scores=scores,
    )


@lru_cache(maxsize=20_000)
def _published_scores(
    report: ScoreReport,
) -> tuple[schemas.Scores, float | None, schemas.Interval | None]:
    """Return scores, overall and its interval: a report never changes, its row's place does."""
    found = published(report.to_dict())
    return schemas.Scores.model_validate(found), found["overall"], found["overall_ci95"]


def leaderboard_csv(
    rows: Sequence[schemas.LeaderboardRow], more: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Return the rows as CSV (RFC 4180); intervals take two columns, an infinite score is inf.

    Args:
        rows: The rows, best first.
        more: Further columns by their names, each with a value for every row.
    """
    more = more or {}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*_CSV_HEADER, *more])
    for i, row in enumerate(rows):
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
                *(column[i] for column in more.values()),
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
    given = weights(accept)
    csv_weight = given.get("text/csv", 0.0)
    return csv_weight > max(given.get("application/json", 0.0), given.get("*/*", 0.0))
