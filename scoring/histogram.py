"""Histogram bins whose edges are decided exactly, and fast."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BINS = 20
"""Bins of the mass and of the peak histogram."""


@dataclass(frozen=True, eq=False)
class Bins:
    """Equal bins on a monotone scale; values outside belong to the end bins.

    Attributes:
        edges: Bin edges on the scale, shape (BINS + 1,).
        scale: The map from density to scale, a NumPy expression in float64.
        unscale: Its inverse.
    """

    edges: Array
    scale: Callable[[Array], Array]
    unscale: Callable[[Array], Array]

    @property
    def centres(self) -> Array:
        """Densities at the middle of each bin on the scale, in particles per voxel."""
        return self.unscale((self.edges[:-1] + self.edges[1:]) / 2)


@functools.cache
def thresholds(bins: Bins, dtype: np.dtype[Any]) -> Array:
    """Return the smallest float that each bin but the first holds, shape (BINS - 1,).

    To compare with these decides as the scale's own expression would, rounding included.

    Args:
        bins: The bins.
        dtype: float32 or float64.
    """
    return np.array([_first_at(bins, edge, dtype) for edge in bins.edges[1:-1]], dtype)


def _first_at(bins: Bins, edge: float, dtype: np.dtype[Any]) -> Any:
    """Return the smallest x >= 0 whose scale is at least `edge`, by bisection."""
    # The bit patterns of floats >= 0 are ordered as the floats are.
    unsigned = np.uint32 if dtype == np.float32 else np.uint64
    below, at = 0, int(np.array(np.finfo(dtype).max).view(unsigned))
    while at - below > 1:
        middle = (below + at) // 2
        x = np.array(middle, unsigned).view(dtype).astype(np.float64)
        below, at = (below, middle) if bins.scale(x) >= edge else (middle, at)
    return np.array(at, unsigned).view(dtype)[()]


MASS_BINS = Bins(
    edges=np.linspace(np.log10(2), np.log10(250884 / 3), BINS + 1),
    scale=lambda x: np.log10(x + 1),
    unscale=lambda y: np.power(10.0, y) - 1,
)
"""Bins of the mass histogram: log10(x + 1)."""

PEAK_BINS = Bins(
    edges=np.linspace(1.5, 13, BINS + 1),
    scale=lambda x: np.log(x + np.e),
    unscale=lambda y: np.exp(y) - np.e,
)
"""Bins of the peak histogram: ln(x + e)."""
