"""Classical models of the density field: a scale for the board, without any training.

All three draw a Gaussian field of isotropic spectrum and map it voxel by voxel. What they know of
real fields is the mean power of the overdensity by shell and, for the last, the distribution of
voxel values.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_PASSES = 12  # the largest deviation of a shell falls from 30 % to 1 %
_DAMPING = 0.7


@dataclass(frozen=True, eq=False)
class Shells:
    """The modes of a periodic cube's half spectrum, grouped by |n|^2 for integer wave vectors n.

    Attributes:
        side: Voxels along a side.
        of_mode: |n|^2 of every stored mode, shape (side, side, side // 2 + 1).
        weight: 2 for modes that stand for their conjugate too, else 1; same shape.
        modes: Modes of the full spectrum in each shell, shape (largest |n|^2 + 1,); 0 where no
            wave vector has that length.
    """

    side: int
    of_mode: Array
    weight: Array
    modes: Array

    @classmethod
    def of_side(cls, side: int) -> "Shells":
        """Group the modes of a cube of `side` voxels, an even number."""
        full = np.fft.fftfreq(side, 1 / side)
        half = np.fft.rfftfreq(side, 1 / side)
        squared = full[:, None, None] ** 2 + full[None, :, None] ** 2 + half**2
        of_mode = np.rint(squared).astype(np.intp)
        weight = np.full(of_mode.shape, 2.0)
        weight[..., 0] = weight[..., -1] = 1.0
        return cls(side, of_mode, weight, np.bincount(of_mode.ravel(), weight.ravel()))

    def mean(self, of_modes: Array) -> Array:
        """Average a real quantity of the stored modes over each shell of the full spectrum."""
        total: Array = np.bincount(self.of_mode.ravel(), (of_modes * self.weight).ravel())
        return total / np.maximum(self.modes, 1)

    def power(self, field: Array) -> Array:
        """Return the mean |FFT(x / mean(x) - 1)|^2 of each shell; 0 for the mean itself."""
        spectrum = np.fft.rfftn(field / field.mean(dtype=np.float64) - 1)
        power = self.mean(np.abs(spectrum) ** 2)
        power[0] = 0.0
        return power

    def mean_power(self, fields: Iterable[Array]) -> Array:
        """Return the mean of `power` over fields."""
        mean: Array = np.mean([self.power(field) for field in fields], axis=0)
        return mean

    def filtered(self, white: Array, power: Array) -> Array:
        """Colour unit white noise so that its expected power by shell is `power`."""
        amplitude = np.sqrt(power[self.of_mode] / self.side**3)
        return self._inverse(np.fft.rfftn(white) * amplitude)

    def gaussianised(self, power: Array) -> Array:
        """Return the power whose exponential has `power`: xi_G = ln(1 + xi) at every separation.

        Where no Gaussian field has such a correlation, the power is 0.
        """
        correlation = self._inverse(power[self.of_mode]) / self.side**3
        spectrum = np.fft.rfftn(np.log1p(correlation)).real * self.side**3
        gaussian = np.maximum(self.mean(spectrum), 0.0)
        gaussian[0] = 0.0
        return gaussian

    def variance(self, power: Array) -> float:
        """Return the variance of a voxel of a field of this power."""
        return float(power @ self.modes) / float(self.side) ** 6

    def _inverse(self, spectrum: Array) -> Array:
        return np.fft.irfftn(spectrum, s=(self.side,) * 3, axes=(0, 1, 2))


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
    overdensity = np.array([shells.filtered(noise, power) for noise in white])
    return np.maximum(_mean(train) * (1 + overdensity), 0.0)


def lognormal(train: Array, count: int, seed: int) -> Array:
    """Draw lognormal fields with the mean and the power of the training fields.

    Arguments and result are those of `clipped_gaussian`.
    """
    shells = Shells.of_side(train.shape[1])
    power = shells.gaussianised(shells.mean_power(train))
    white = _white_noise(count, shells.side, seed)
    log_density = np.array([shells.filtered(noise, power) for noise in white])
    return _mean(train) * np.exp(log_density - shells.variance(power) / 2)


def rank_matched_gaussian(train: Array, count: int, seed: int) -> Array:
    """Draw Gaussian fields and give them the values of the training fields, rank by rank.

    Ranks are taken over all fields together, so that fields keep their own scatter: a field that
    drew strong modes gets more of the high values. The power of the Gaussian field is iterated
    until that of the result is the training power.

    Arguments and result are those of `clipped_gaussian`.
    """
    shells = Shells.of_side(train.shape[1])
    target = shells.mean_power(train)
    values = _quantiles(train, count * shells.side**3)
    white = _white_noise(count, shells.side, seed)
    power = shells.gaussianised(target)
    for _ in range(_PASSES):
        reached = shells.mean_power(_rank_matched(shells, white, power, values))
        excess = np.divide(reached, target, out=np.ones_like(target), where=target > 0)
        power = np.where(excess > 0, power / np.maximum(excess, 1e-30) ** _DAMPING, 0.0)
    return _rank_matched(shells, white, power, values)


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


def _rank_matched(shells: Shells, white: Array, power: Array, values: Array) -> Array:
    """Return `values`, sorted, in the order of the coloured noise."""
    gaussian = np.array([shells.filtered(noise, power) for noise in white])
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
