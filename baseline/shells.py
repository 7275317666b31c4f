"""Isotropic spectra of periodic cubes: power by shell, coloured noise, filters."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_DEGREE = 5  # of the polynomial of a smooth spectrum, by cross-validation on training cubes


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

    def smoothed(self, power: Array) -> Array:
        """Return a smooth power close to this one: its logarithm a polynomial in that of |n|.

        Shells weigh as many as they have modes; those without power keep none.
        """
        known = power > 0
        length = np.log(np.arange(len(power)), where=known, out=np.zeros(len(power)))[known]
        logarithm = np.log(power[known])
        fit = np.polynomial.Polynomial.fit(length, logarithm, _DEGREE, w=np.sqrt(self.modes[known]))
        smooth = np.zeros_like(power)
        smooth[known] = np.exp(fit(length))
        return smooth

    def coloured(self, white: Array, power: Array) -> Array:
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
