"""The mass histogram: how many voxels hold how much matter."""

from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.density import Density
from scoring.histogram import MASS_BINS, thresholds
from scoring.kernel import kernel

Array = npt.NDArray[Any]

_CHUNK = 4096  # voxels that stay in the first cache while each threshold is held against them


def mass_histogram(density: Density) -> Array:
    """Count voxels in 20 equal bins of log10(x + 1); values outside join the end bins.

    Returns:
        Counts, shape (20,), float64. (Paper, section 2.3, statistic 1; not normalised.)
    """
    values = density.values.ravel()
    reaching = _count_reaching(values, thresholds(MASS_BINS, values.dtype.name))
    return -np.diff(reaching, prepend=values.size, append=0).astype(np.float64)


@kernel
def _count_reaching(values: Array, levels: Array) -> Array:
    """Count the values at or above each level."""
    counts = np.zeros(levels.size, np.int64)
    for start in range(0, values.size, _CHUNK):
        part = values[start : start + _CHUNK]
        for t in range(levels.size):
            reached = np.int32(0)  # as wide as a float32, so that the loop vectorises
            for i in range(part.size):
                reached = np.int32(reached + np.int32(part[i] >= levels[t]))
            counts[t] += reached
    return counts
