"""The peak histogram: how dense the local maxima are."""

from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.density import Density
from scoring.histogram import BINS, PEAK_BINS, thresholds
from scoring.kernel import kernel

Array = npt.NDArray[Any]

_REACH = 2  # the neighbourhood spans 2 voxels each way: 5 along every axis
_WIDTH = 2 * _REACH + 1


def peak_histogram(density: Density) -> Array:
    """Count peaks in 20 equal bins of ln(x + e); values outside join the end bins.

    A peak is a voxel equal to the maximum of its 5^ndim neighbourhood, which ends at the faces of
    the field, where that neighbourhood is not flat. Tied voxels are each a peak.

    Returns:
        Counts, shape (20,), float64. (Paper, section 2.3, statistic 3; not normalised.)
    """
    return _count_peaks(density.values, thresholds(PEAK_BINS, density.values.dtype))


@kernel
def _count_peaks(values: Array, levels: Array) -> Array:
    """Run a separable maximum filter over a ring of five filtered planes."""
    depth, rows, columns = values.shape
    ring = np.empty((_WIDTH, rows, columns), values.dtype)
    across = np.empty((rows, columns), values.dtype)
    highest = np.empty(columns, values.dtype)
    counts = np.zeros(BINS, np.int64)
    for ahead in range(depth + _REACH):
        if ahead < depth:
            _filter_plane(values[ahead], across, ring[ahead % _WIDTH])
        z = ahead - _REACH
        if z < 0:
            continue
        # At a face the outermost plane stands in for those beyond: a maximum does not change.
        a = ring[max(z - 2, 0) % _WIDTH]
        b = ring[max(z - 1, 0) % _WIDTH]
        c = ring[z % _WIDTH]
        d = ring[min(z + 1, depth - 1) % _WIDTH]
        e = ring[min(z + 2, depth - 1) % _WIDTH]
        for y in range(rows):
            _largest(a[y], b[y], c[y], d[y], e[y], highest)
            row = values[z, y]
            for x in range(columns):
                if row[x] == highest[x] and not _is_flat(values, z, y, x):
                    level = 0
                    while level < levels.size and row[x] >= levels[level]:
                        level += 1
                    counts[level] += 1
    return counts.astype(np.float64)


@kernel
def _filter_plane(plane: Array, across: Array, result: Array) -> None:
    """Write the maximum over 5 x 5 windows, which end at the borders, to `result`."""
    rows, columns = plane.shape
    inner = max(columns - 2 * _REACH, 0)
    for y in range(rows):
        row = plane[y]
        _largest(
            row[:inner],
            row[1 : inner + 1],
            row[2 : inner + 2],
            row[3 : inner + 3],
            row[4 : inner + 4],
            across[y, _REACH : _REACH + inner],
        )
        for x in range(min(_REACH, columns)):
            across[y, x] = _highest(row, x)
            across[y, columns - 1 - x] = _highest(row, columns - 1 - x)
    for y in range(rows):
        _largest(
            across[max(y - 2, 0)],
            across[max(y - 1, 0)],
            across[y],
            across[min(y + 1, rows - 1)],
            across[min(y + 2, rows - 1)],
            result[y],
        )


@kernel
def _largest(a: Array, b: Array, c: Array, d: Array, e: Array, result: Array) -> None:
    """Write the elementwise maximum of five rows to `result`."""
    for x in range(result.size):
        result[x] = max(max(max(a[x], b[x]), max(c[x], d[x])), e[x])


@kernel
def _highest(row: Array, x: int) -> float:
    """Return the maximum over a window of a row, which ends at the borders."""
    highest = row[x]
    for i in range(max(x - _REACH, 0), min(x + _REACH + 1, row.size)):
        highest = max(highest, row[i])
    return float(highest)


@kernel
def _is_flat(values: Array, z: int, y: int, x: int) -> bool:
    """Tell whether the neighbourhood of a voxel that is its maximum holds nothing lower."""
    highest = values[z, y, x]
    if highest == 0:
        return True  # no density is lower
    depth, rows, columns = values.shape
    for k in range(max(z - _REACH, 0), min(z + _REACH + 1, depth)):
        for j in range(max(y - _REACH, 0), min(y + _REACH + 1, rows)):
            for i in range(max(x - _REACH, 0), min(x + _REACH + 1, columns)):
                if values[k, j, i] < highest:
                    return False
    return True
