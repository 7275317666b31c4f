"""A submission's statistics beside real ones, and slices of both.

Participants see training fields only. What is computed against held-out fields is for the host.
"""

from dataclasses import asdict
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import schemas
from api.deps import Asker, SessionDep
from api.problems import problem_responses
from api.published import published_difference
from board.database import transaction
from board.errors import NotFoundError, WrongStateError
from board.models import Reference, Submission, SubmissionStatistics
from board.references import Part, current_reference, real_statistics
from board.submissions import visible_submission
from board.ties import compare_scores
from scoring import (
    MASS_BINS,
    PEAK_BINS,
    Diagnosis,
    SetStatistics,
    StatisticDiagnosis,
    diagnose,
    wavenumbers,
)

router = APIRouter(tags=["statistics"])

_MOST_DIAGNOSED = 1024
"""Sets of more fields are not diagnosed here: leaving each out takes seconds."""


@router.get(
    "/submissions/{submission_id}/statistics",
    responses=problem_responses(
        "invalid_token", "unauthenticated", "forbidden", "not_found", "wrong_state"
    ),
)
def read_statistics(
    submission_id: UUID,
    session: SessionDep,
    asker: Asker,
    against: Annotated[
        Part, Query(description="Only a host may compare with held-out fields.")
    ] = "training",
) -> schemas.Statistics:
    """Read a scored submission's statistics by bin, beside those of the training fields."""
    submission = scored_submission(session, submission_id, asker)
    return submission_statistics(submission, against, to_host=asker is not None and asker.is_host)


def scored_submission(session: Session, submission_id: UUID, asker: Asker) -> Submission:
    """Return a submission that has statistics and that the asker may see.

    Raises:
        NotFoundError: If there is none such.
        WrongStateError: If it is not scored.
    """
    submission = visible_submission(session, submission_id, asker)
    if submission.state != "scored":
        raise WrongStateError(f"Submission {submission_id} is {submission.state}, not scored.")
    return submission


def submission_statistics(
    submission: Submission, against: Part, *, to_host: bool = False
) -> schemas.Statistics:
    """Return the statistics of a scored submission.

    Raises:
        ForbiddenError: If they are not for the asker.
        NotFoundError: If they are not kept.
    """
    return _statistics(submission.id, submission.scores[0].reference.id, against, to_host)


@lru_cache(maxsize=256)
def _statistics(
    submission_id: UUID, reference_id: int, against: Part, to_host: bool
) -> schemas.Statistics:
    with transaction() as session:
        fake = session.scalar(
            select(SubmissionStatistics.statistics).where(
                SubmissionStatistics.submission_id == submission_id
            )
        )
        real = real_statistics(session, reference_id, against, to_host=to_host)
    if not fake or not real:
        raise NotFoundError(f"No statistics of submission {submission_id} are kept.")
    return compared(submission_id, against, _unpack(real), _unpack(fake))


@lru_cache(maxsize=8)
def _unpack(packed: bytes) -> SetStatistics:
    return SetStatistics.from_bytes(packed)


def compared(
    submission_id: UUID, against: Part, real: SetStatistics, fake: SetStatistics
) -> schemas.Statistics:
    """Return two sets' statistics by bin, and what the distance between them is made of."""
    small = 2 <= len(fake) <= _MOST_DIAGNOSED
    diagnosis = diagnose(real, fake) if small else None
    positions = {
        "psd": (wavenumbers(fake.shape or ()), "h/Mpc"),
        "mass": (MASS_BINS.centres, "particles per voxel"),
        "peak": (PEAK_BINS.centres, "particles per voxel"),
    }
    units = {
        "psd": f"(Mpc/h)^{len(fake.shape or ())}",
        "mass": "voxels per field",
        "peak": "peaks per field",
    }
    views = {
        name: schemas.StatisticView(
            x=x.tolist(),
            x_unit=unit,
            unit=units[name],
            submission=_summary(getattr(fake, name)),
            real=_summary(getattr(real, name)),
            diagnosis=_diagnosis(diagnosis, name),
        )
        for name, (x, unit) in positions.items()
    }
    return schemas.Statistics(
        submission=submission_id, against=against, fields=len(fake), real_fields=len(real), **views
    )


def _summary(rows: npt.NDArray[np.float64]) -> schemas.Summary:
    return schemas.Summary(mean=rows.mean(axis=0).tolist(), std=rows.std(axis=0).tolist())


def _diagnosis(diagnosis: Diagnosis | None, name: str) -> schemas.StatisticDiagnosis | None:
    if diagnosis is None:
        return None
    found: StatisticDiagnosis = getattr(diagnosis, name)
    return schemas.StatisticDiagnosis(
        mean=found.mean,
        covariance=found.covariance,
        bins=found.bins.tolist(),
        fields=None if found.fields is None else found.fields.tolist(),
    )


@router.get(
    "/submissions/{submission_id}/comparison/{other_id}",
    responses=problem_responses("invalid_token", "not_found", "wrong_state", "not_comparable"),
)
def read_comparison(
    submission_id: UUID, other_id: UUID, session: SessionDep, asker: Asker
) -> schemas.Comparison:
    """Read whether a scored submission differs from another, by their scores on one reference."""
    for compared_id in (submission_id, other_id):
        scored_submission(session, compared_id, asker)
    found = asdict(compare_scores(session, submission_id, other_id))
    return schemas.Comparison.model_validate(
        {name: published_difference(difference) for name, difference in found.items()}
    )


_PREVIEW: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Slices, as .npy of uint8 in log density, shape (frames, side, side); "
        "gzipped on the way.",
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/submissions/{submission_id}/preview",
    response_class=Response,
    responses={**_PREVIEW, **problem_responses("invalid_token", "not_found", "wrong_state")},
)
def read_preview(submission_id: UUID, session: SessionDep, asker: Asker) -> Response:
    """Read slices of a scored submission's first field (3D) or fields (2D)."""
    scored_submission(session, submission_id, asker)
    preview = session.scalar(
        select(SubmissionStatistics.preview).where(
            SubmissionStatistics.submission_id == submission_id
        )
    )
    return _preview(preview)


@router.get(
    "/tracks/{track}/training-preview",
    response_class=Response,
    responses={**_PREVIEW, **problem_responses("not_found", "no_reference")},
)
def read_training_preview(track: schemas.TrackName, session: SessionDep) -> Response:
    """Read slices of a track's first training field (3D) or fields (2D)."""
    reference = current_reference(session, track)
    return _preview(
        session.scalar(select(Reference.training_preview).where(Reference.id == reference.id))
    )


def _preview(packed: bytes | None) -> Response:
    if packed is None:
        raise NotFoundError("No slices of these fields are kept.")
    return Response(
        packed,
        media_type="application/octet-stream",
        headers={"Content-Encoding": "gzip", "Cache-Control": "private, max-age=3600"},
    )
