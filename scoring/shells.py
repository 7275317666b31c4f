"""The bins of the power spectrum: which modes of a grid belong to which wavenumber."""

import functools
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cubes.tracks import box_side

Array = npt.NDArray[Any]

BINS = 49
"""Logarithmic bins of |k|, before those that hold no mode of the grid are dropped."""

_lock = threading.Lock()


def wavenumbers(shape: tuple[int, ...]) -> Array:
    """Return the middle of each bin of the power spectrum in h/Mpc, for one field of this shape."""
    return shells(shape[0], len(shape)).k.copy()


@dataclass(frozen=True, eq=False)
class Shells:
    """The bins of |k| on one grid, empty ones dropped.

    Wavenumbers are looked up by the squared length of a mode in units of the fundamental one.

    Attributes:
        bin_of: Bin of each squared length, shape (longest + 1,); the constant mode has the bin
            one past the last.
        first: Smallest squared length in each bin, and one past the longest, shape (bins + 1,).
        modes: Modes of the half spectrum in each bin, shape (bins,).
        k: Middle of each bin in h/Mpc, shape (bins,).
    """

    bin_of: Array
    first: Array
    modes: Array
    k: Array


def shells(side: int, ndim: int) -> Shells:
    """Return the bins of |k| of a square or cubic grid, worked out once per grid."""
    with _lock:  # two threads must not both do the work
        return _cached_shells(side, ndim)


@functools.cache
def _cached_shells(side: int, ndim: int) -> Shells:
    half = side // 2 + 1
    frequency = 2 * np.pi * np.fft.fftfreq(side, d=box_side(ndim, side) / side)[:half]
    # Both ends are rounded outwards, so that the shortest and the longest mode fall inside.
    shortest, longest = np.sqrt(frequency[1] ** 2), np.sqrt(sum([frequency[-1] ** 2] * ndim))
    low = np.floor(np.log10(shortest) * 1e15) / 1e15
    high = np.ceil(np.log10(longest) * 1e15) / 1e15
    edges = np.logspace(low, high, BINS + 1)

    # A frequency and its negative are two modes, except along the last, halved axis.
    twice = np.where((2 * np.arange(half)) % side == 0, 1, 2)
    lengths = ndim * (half - 1) ** 2 + 1
    bin_of = np.full(lengths, BINS)
    modes_of = np.zeros(lengths)
    for plane in range(half) if ndim == 3 else [0]:  # one at a time: a cube of them is large
        k = np.sqrt(frequency[plane] ** 2 + frequency[:, None] ** 2 + frequency**2)
        squares = plane**2 + np.arange(half)[:, None] ** 2 + np.arange(half) ** 2
        weights = twice[plane] * twice[:, None] * np.ones(half)
        bin_of[squares] = np.searchsorted(edges, k, side="right") - 1
        modes_of += np.bincount(squares.ravel(), weights.ravel(), lengths)

    inside = (modes_of > 0) & (bin_of >= 0) & (bin_of < BINS)
    modes = np.bincount(bin_of[inside], modes_of[inside], BINS)
    kept = np.flatnonzero(modes)
    numbers = np.where(inside, np.searchsorted(kept, bin_of), len(kept))
    beyond = np.flatnonzero((modes_of > 0) & (bin_of >= BINS)).min(initial=lengths)
    return Shells(
        bin_of=numbers.astype(np.uint8),
        first=np.array([*(np.argmax(numbers == b) for b in range(len(kept))), beyond], np.int64),
        modes=modes[kept],
        k=((edges[:-1] + edges[1:]) / 2)[kept],
    )
