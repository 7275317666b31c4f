"""Where a distance comes from: mean or scatter, which bins, which fields."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.frechet import Moments, distance, log_statistics, moments
from scoring.scores import require_comparable
from scoring.statistic_sets import SetStatistics

Array = npt.NDArray[Any]

_RANK = 1e-12  # of the largest scatter: less is rounding
_BATCH = 512  # matrices decomposed at a time


@dataclass(frozen=True, eq=False)
class StatisticDiagnosis:
    """What d2 of one statistic is made of.

    Attributes:
        mean: Share of the distance between means, ||m_r - m_f||^2; `mean + covariance` is d2.
        covariance: Share of the difference of scatter, Tr(C_r + C_f - 2 (C_r C_f)^(1/2)).
        bins: Share of each bin, shape (bins,), each >= 0; they add up to d2.
        fields: By how much d2 falls if one fake field is left out, shape (m,); negative where it
            rises. None for fewer than 3 fields.
    """

    mean: float
    covariance: float
    bins: Array
    fields: Array | None


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What the distances of a set of fake fields are made of."""

    psd: StatisticDiagnosis
    mass: StatisticDiagnosis
    peak: StatisticDiagnosis


def diagnose(real: SetStatistics, fake: SetStatistics) -> Diagnosis:
    """Split d2 of each statistic into its parts, bins and fields.

    It tells of the real fields: against a set that participants may not see, it is not for them.

    Args:
        real: Statistics of at least 2 real fields.
        fake: Statistics of at least 2 fake fields of the same shape.

    Raises:
        ValueError: As `compare` does.
    """
    require_comparable(real, fake)
    return Diagnosis(
        psd=_diagnose(real.psd, fake.psd),
        mass=_diagnose(real.mass, fake.mass),
        peak=_diagnose(real.peak, fake.peak),
    )


def _diagnose(real: Array, fake: Array) -> StatisticDiagnosis:
    log_real, log_fake = log_statistics(real, fake)
    ours, theirs = moments(log_real), moments(log_fake)
    parts = distance(ours, theirs)
    return StatisticDiagnosis(
        mean=parts.mean,
        covariance=max(parts.covariance, 0.0),
        bins=_bin_shares(ours, theirs),
        fields=parts.total - _without_each(ours, log_fake) if len(fake) > 2 else None,
    )


def _bin_shares(real: Moments, fake: Moments) -> Array:
    """Share d2 out over the bins by the optimal transport of one Gaussian to the other.

    Transport pairs each real x with a fake y; d2 is the expectation of |x - y|^2, a sum over bins.
    """
    left, _, right = np.linalg.svd(real.root @ fake.root.T, full_matrices=False)
    together = ((left.T @ real.root) * (right @ fake.root)).sum(axis=0)
    apart = (real.root**2).sum(axis=0) + (fake.root**2).sum(axis=0) - 2 * together
    return np.asarray((real.mean - fake.mean) ** 2 + np.maximum(apart, 0))


def _without_each(real: Moments, fake: Array) -> Array:
    """Return d2 without each of the fake rows, shape (m,).

    With centred rows D = sqrt(m - 1) Q R, Q orthonormal columns that span those of D, the
    covariance without row i is (m - 1)/(m - 2) R^T (1 - m/(m - 1) q q^T) R, q the i-th row of Q;
    the middle factor has the root 1 - b q q^T, b = (1 - sqrt(1 - m/(m - 1) |q|^2)) / |q|^2.
    """
    m = len(fake)
    mean = fake.mean(axis=0)
    centred = fake - mean
    q, scales, axes = np.linalg.svd(centred / np.sqrt(m - 1), full_matrices=False)
    spanned = scales > _RANK * scales[0]
    q, root = q[:, spanned], scales[spanned, None] * axes[spanned]
    lengths = (q**2).sum(axis=1)
    kept = np.sqrt(np.maximum(1 - m / (m - 1) * lengths, 0))
    b = np.divide(1 - kept, lengths, out=np.zeros(m), where=lengths > 0)
    grown = (m - 1) / (m - 2)
    common = real.root @ root.T
    norms = np.concatenate(
        [
            np.linalg.svd(
                common - (b[part, None] * (q[part] @ common.T))[:, :, None] * q[part, None, :],
                compute_uv=False,
            ).sum(axis=1)
            for part in np.array_split(np.arange(m), -(-m // _BATCH))
        ]
    )
    squares = (centred**2).sum(axis=1)
    trace_fake = (squares.sum() - m / (m - 1) * squares) / (m - 2)
    means = mean - centred / (m - 1)
    traces = (real.root**2).sum() + trace_fake
    return np.asarray(((real.mean - means) ** 2).sum(axis=1) + traces - 2 * np.sqrt(grown) * norms)
