"""Leaderboards frozen for citation: an address that will always say the same."""

import json
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import schemas
from api.deps import Host, SessionDep
from api.leaderboard import leaderboard_csv, row_body
from api.problems import problem_responses
from board.leaderboard import leaderboard
from board.models import Snapshot, Submission
from board.references import current_reference
from board.snapshots import keep_snapshot, list_snapshots, read_snapshot

router = APIRouter(prefix="/snapshots", tags=["snapshots"])

Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.get("")
def read_snapshots(session: SessionDep) -> list[schemas.SnapshotEntry]:
    """List the snapshots, latest first."""
    return [_entry(snapshot) for snapshot in list_snapshots(session)]


@router.post(
    "",
    status_code=201,
    responses=problem_responses("unauthenticated", "invalid_token", "forbidden", "no_reference"),
)
def freeze(
    session: SessionDep, host: Host, track: schemas.TrackName, response: Response
) -> schemas.SnapshotEntry:
    """Freeze a track's leaderboard as it stands (host)."""
    entry = _entry(take_snapshot(session, track))
    response.headers["Location"] = entry.url
    return entry


@router.get(
    "/{sha256}",
    response_model=schemas.SnapshotDocument,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **problem_responses("not_found"),
    },
)
def read(
    sha256: Sha256,
    session: SessionDep,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """Read a snapshot: the JSON whose SHA-256 its address holds, or the same rows as CSV."""
    content = read_snapshot(session, sha256).content
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    if form == "json":
        return Response(content, media_type="application/json", headers=headers)
    document = schemas.SnapshotDocument.model_validate_json(content)
    return Response(_csv(document), media_type="text/csv; charset=utf-8", headers=headers)


def _csv(document: schemas.SnapshotDocument) -> str:
    rows = document.rows
    provenance = {
        "archive_sha256": [row.archive_sha256 or "" for row in rows],
        "scorer_version": [row.scorer_version for row in rows],
        "scored_at": [row.scored_at.isoformat() for row in rows],
        "reference": [document.reference] * len(rows),
    }
    return leaderboard_csv(rows, provenance)


def take_snapshot(session: Session, track: str) -> Snapshot:
    """Keep a track's leaderboard with where each row comes from.

    Raises:
        NoReferenceError: If the track has no reference.
    """
    reference = current_reference(session, track)
    rows = leaderboard(session, track)
    archives = _archives(session, [row.submission for row in rows if row.submission])
    document = {
        "track": track,
        "reference": reference.content_hash,
        "reference_label": reference.label,
        "scorer_version": reference.scorer_version,
        "rows": [
            {
                **row_body(row).model_dump(mode="json"),
                "archive_sha256": archives.get(str(row.submission)),
                "scorer_version": row.report.scorer_version,
                "scored_at": row.scored_at.isoformat(),
            }
            for row in rows
        ],
    }
    content = json.dumps(document, indent=1, sort_keys=True, allow_nan=False).encode()
    provenance = {"reference": reference.content_hash, "rows": len(rows)}
    return keep_snapshot(session, track, content, provenance)


def _archives(session: Session, submission_ids: list[UUID]) -> dict[str, str | None]:
    rows = session.execute(
        select(Submission.id, Submission.sha256).where(Submission.id.in_(submission_ids))
    )
    return {str(submission_id): sha256 for submission_id, sha256 in rows}


def _entry(snapshot: Snapshot) -> schemas.SnapshotEntry:
    return schemas.SnapshotEntry(
        sha256=snapshot.sha256,
        track=snapshot.track,
        created_at=snapshot.created_at,
        url=f"/api/v1/snapshots/{snapshot.sha256}",
    )
