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
    values = density.values
    return _count(values.ravel(), thresholds(MASS_BINS, values.dtype))


@kernel
def _count(values: Array, levels: Array) -> Array:
    """Count the values that reach each level, then those between two."""
    reaching = np.zeros(levels.size + 2, np.int64)
    reaching[0] = values.size
    for start in range(0, values.size, _CHUNK):
        part = values[start : start + _CHUNK]
        for t in range(levels.size):
            reached = np.int32(0)  # as wide as a float32, so that the loop vectorises
            for i in range(part.size):
                reached = np.int32(reached + np.int32(part[i] >= levels[t]))
            reaching[t + 1] += reached
    return (reaching[:-1] - reaching[1:]).astype(np.float64)
