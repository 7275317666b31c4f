"""The definitions of the three statistics, written down plainly in NumPy and SciPy.

This is what the scorer's speed is measured against.
"""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cubes.tracks import box_side

Array = npt.NDArray[Any]


def power_spectrum(field: Array) -> Array:
    """Average |delta_k|^2 over the modes of each logarithmic bin of |k|, in (Mpc/h)^ndim."""
    side, ndim = field.shape[0], field.ndim
    delta = field / field.mean(dtype=np.float64) - 1
    power = np.abs(np.fft.rfftn(delta)) ** 2
    frequency = 2 * np.pi * np.fft.fftfreq(side, box_side(ndim, side) / side)
    axes = [frequency] * (ndim - 1) + [frequency[: side // 2 + 1]]
    k = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))
    low = np.floor(np.log10(k[k > 0].min()) * 1e15) / 1e15
    high = np.ceil(np.log10(k.max()) * 1e15) / 1e15
    edges = np.logspace(low, high, 50)
    inside = [(k >= low) & (k < high) for low, high in itertools.pairwise(edges)]
    means = [power[modes].mean() for modes in inside if modes.any()]
    return np.array(means) * box_side(ndim, side) ** ndim / field.size**2


def mass_histogram(field: Array) -> Array:
    """Count voxels in 20 equal bins of log10(x + 1)."""
    edges = np.linspace(np.log10(2), np.log10(250884 / 3), 21)
    logarithm = np.log10(field.astype(np.float64) + 1)
    return np.histogram(np.clip(logarithm, edges[0], edges[-1]), edges)[0]


def peak_histogram(field: Array) -> Array:
    """Count the maxima of their 5^ndim neighbourhood in 20 equal bins of ln(x + e)."""
    highest = ndimage.maximum_filter(field, 5)
    lowest = ndimage.minimum_filter(field, 5)
    peaks = field[(field == highest) & (highest > lowest)].astype(np.float64)
    edges = np.linspace(1.5, 13, 21)
    return np.histogram(np.clip(np.log(peaks + np.e), edges[0], edges[-1]), edges)[0]
