"""Classical models of the density field: a scale for the board, without any training.

All three draw a Gaussian field of isotropic spectrum and map it voxel by voxel. What they know of
real fields is the mean power of the overdensity by shell and, for the last, the distribution of
voxel values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baseline.shells import Shells

Array = npt.NDArray[Any]

_PASSES = 12  # the largest deviation of a shell falls from 30 % to 1 %
_DAMPING = 0.7


def clipped_gaussian(train: Array, count: int, seed: int) -> Array:
    """Draw Gaussian overdensities with the training power, negative densities set to zero.

    Args:
        train: Real fields in particles per voxel, shape (n, side, side, side), side even.
        count: Fields to draw.
        seed: Seed of the white noise.

    Returns:
        Fields in particles per voxel, shape (count, side, side, side), float64.
    """
    shells = Shells.of_side(train.shape[1])
    power = shells.mean_power(train)
    white = _white_noise(count, shells.side, seed)
    overdensity = np.array([shells.coloured(noise, power) for noise in white])
    return np.maximum(_mean(train) * (1 + overdensity), 0.0)


def lognormal(train: Array, count: int, seed: int) -> Array:
    """Draw lognormal fields with the mean and the power of the training fields.

    Arguments and result are those of `clipped_gaussian`.
    """
    shells = Shells.of_side(train.shape[1])
    power = shells.gaussianised(shells.mean_power(train))
    white = _white_noise(count, shells.side, seed)
    log_density = np.array([shells.coloured(noise, power) for noise in white])
    return _mean(train) * np.exp(log_density - shells.variance(power) / 2)


def rank_matched_gaussian(train: Array, count: int, seed: int) -> Array:
    """Draw Gaussian fields and give them the values of the training fields, rank by rank.

    Ranks are taken over all fields together, so that fields keep their own scatter: a field that
    drew strong modes gets more of the high values. The power of the Gaussian field is iterated
    until that of the result is the training power.

    Arguments and result are those of `clipped_gaussian`.
    """
    shells = Shells.of_side(train.shape[1])
    values = _quantiles(train, count * shells.side**3)
    white = _white_noise(count, shells.side, seed)
    power = _iterated_power(shells, white, values, target=shells.mean_power(train))
    return _rank_matched(shells, white, power, values)


def rank_matched_power(train: Array, seed: int) -> Array:
    """Return the power by shell of the Gaussian field behind `rank_matched_gaussian`."""
    shells = Shells.of_side(train.shape[1])
    white = _white_noise(len(train), shells.side, seed)
    values = np.sort(train, axis=None)
    return _iterated_power(shells, white, values, target=shells.mean_power(train))


@dataclass(frozen=True)
class ClassicalModel:
    """A classical model as it stands on the board.

    Attributes:
        name: Its name in commands and files.
        method: Its name on the board.
        description: What it is, in a sentence or two.
        draw: The function that draws fields, from training fields, a count and a seed.
    """

    name: str
    method: str
    description: str
    draw: Callable[[Array, int, int], Array]


CLASSICAL_MODELS = (
    ClassicalModel(
        "clipped-gaussian",
        "Gaussian, clipped at zero",
        "Gaussian overdensities with the mean power spectrum of the training fields; negative "
        "densities are set to zero.",
        clipped_gaussian,
    ),
    ClassicalModel(
        "lognormal",
        "Lognormal",
        "Exponential of a Gaussian field whose correlation function is ln(1 + xi), with mean and "
        "power spectrum of the training fields.",
        lognormal,
    ),
    ClassicalModel(
        "rank-matched-gaussian",
        "Gaussian, rank-matched",
        "A Gaussian field that is given the voxel values of the training fields in the order of "
        "its own, over the whole set of fields; its spectrum is iterated until that of the result "
        "is the training one.",
        rank_matched_gaussian,
    ),
)
"""The classical models, the weakest first."""


def _iterated_power(shells: Shells, white: Array, values: Array, target: Array) -> Array:
    """Find the power of the Gaussian field whose rank-matched one has the target power."""
    power = shells.gaussianised(target)
    for _ in range(_PASSES):
        reached = shells.mean_power(_rank_matched(shells, white, power, values))
        excess = np.divide(reached, target, out=np.ones_like(target), where=target > 0)
        power = np.where(excess > 0, power / np.maximum(excess, 1e-30) ** _DAMPING, 0.0)
    return power


def _rank_matched(shells: Shells, white: Array, power: Array, values: Array) -> Array:
    """Return `values`, sorted, in the order of the coloured noise."""
    gaussian = np.array([shells.coloured(noise, power) for noise in white])
    matched = np.empty_like(gaussian)
    matched.reshape(-1)[np.argsort(gaussian, axis=None)] = values
    return matched


def _quantiles(fields: Array, count: int) -> Array:
    """Return `count` evenly spaced quantiles of all voxels, in rising order."""
    known = np.sort(fields, axis=None).astype(np.float64)
    wanted = (np.arange(count) + 0.5) / count
    return np.interp(wanted, (np.arange(known.size) + 0.5) / known.size, known)


def _white_noise(count: int, side: int, seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal((count, side, side, side))


def _mean(fields: Array) -> float:
    return float(fields.mean(dtype=np.float64))
