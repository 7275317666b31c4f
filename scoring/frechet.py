"""Log statistics, and the Fréchet distance between two sets of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_EPSILON = 1e-5  # keeps the logarithm finite: 1e-5 of the largest bin of the real mean
_NEGLIGIBLE = 1e-10  # of the two variances: a smaller distance is rounding
_ROUNDING = 1e-24  # what rounding of logarithms leaves of d² where nothing varies


@dataclass(frozen=True)
class FrechetDistance:
    """The squared Fréchet distance of two Gaussians, in its parts.

    Attributes:
        mean: ||m_r - m_f||^2.
        covariance: Tr(C_r + C_f - 2 (C_r C_f)^(1/2)).
        trace_real: Tr C_r.
        trace_fake: Tr C_f.
    """

    mean: float
    covariance: float
    trace_real: float
    trace_fake: float

    @property
    def total(self) -> float:
        """The squared distance as computed, rounding included."""
        return self.mean + self.covariance

    @property
    def d2(self) -> float:
        """The squared distance; 0 where it is no more than rounding."""
        resolved = max(_NEGLIGIBLE * (self.trace_real + self.trace_fake), _ROUNDING)
        return self.total if self.total >= resolved else 0.0


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance of a set of vectors.

    Attributes:
        mean: Shape (bins,).
        root: A with A^T A the unbiased covariance, shape (at most bins, bins).
    """

    mean: Array
    root: Array


def log_statistics(real: Array, fake: Array) -> tuple[Array, Array]:
    """Return log10(s / max of the real mean + 1e-5) of both sets (paper, section 2.3).

    Args:
        real: One statistic of the real fields, shape (n, bins).
        fake: The same statistic of the fake fields, shape (m, bins).

    Raises:
        ValueError: If the statistic is zero in all real fields.
    """
    largest = real.mean(axis=0).max()
    if not largest > 0:
        raise ValueError("the statistic is zero in every real field, so nothing compares with it")
    return np.log10(real / largest + _EPSILON), np.log10(fake / largest + _EPSILON)


def frechet_distance(real: Array, fake: Array) -> FrechetDistance:
    """Fit a Gaussian to each set and return their squared Fréchet distance (paper, eq. 1).

    Args:
        real: Log statistics, shape (n, bins), n >= 2.
        fake: Log statistics, shape (m, bins), m >= 2.
    """
    return distance(moments(real), moments(fake))


def moments(rows: Array) -> Moments:
    """Return mean and covariance of the rows, shape (n, bins), n >= 2."""
    mean = rows.mean(axis=0)
    root = (rows - mean) / np.sqrt(len(rows) - 1)
    count, bins = root.shape
    return Moments(mean, np.asarray(np.linalg.qr(root, mode="r")) if count > bins else root)


def distance(real: Moments, fake: Moments) -> FrechetDistance:
    """Return the squared Fréchet distance of two Gaussians.

    The trace of (C_r C_f)^(1/2) is the nuclear norm of A_r A_f^T, where A^T A = C: no matrix root
    is taken, so that covariances of any rank are exact.
    """
    trace_real, trace_fake = float((real.root**2).sum()), float((fake.root**2).sum())
    common = float(np.linalg.svd(real.root @ fake.root.T, compute_uv=False).sum())
    return FrechetDistance(
        mean=float(((real.mean - fake.mean) ** 2).sum()),
        covariance=trace_real + trace_fake - 2 * common,
        trace_real=trace_real,
        trace_fake=trace_fake,
    )
