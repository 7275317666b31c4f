"""Correlate fields over every shift and symmetry, and tell how far from chance they agree.

Fields are half whitened: each mode is divided by the root of its amplitude. That is between the
plain correlation, whose chance values large scales make high, and the phase correlation, which
small-scale noise drowns. For two unrelated fields a and b of norm 1 the correlation at any one
shift is then close to Gaussian, of mean zero and, their phases being random, of variance
Σ_k |a_k|² |b_k|² / n², where n is the number of voxels and a_k the unnormalised transform. A match
is measured in units of its root: which leaves fields of few modes, that agree easily, unsuspected.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyfftw

from cubes.augment import Symmetry

Reals = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Match:
    """How two fields agree best: `other` is about `roll(symmetry(field), shift)`.

    Attributes:
        symmetry: Turns the field.
        shift: Periodic shift in voxels.
        significance: Correlation in standard deviations of chance.
    """

    symmetry: Symmetry
    shift: tuple[int, ...]
    significance: float


def half_whitened(field: Reals) -> Reals:
    """Return a field with each mode divided by the root of its amplitude, of mean 0 and norm 1.

    A uniform field becomes zero.
    """
    modes = np.fft.rfftn(field)
    modes.flat[0] = 0
    amplitudes = np.abs(modes)
    modes /= np.sqrt(np.where(amplitudes > 0, amplitudes, 1))
    white = np.fft.irfftn(modes, field.shape, range(field.ndim))
    norm = np.linalg.norm(white)
    return (white / norm if norm > 0 else white).astype(np.float32)


def white_spectrum(field: Reals) -> Spectrum:
    """Return the half-whitened field's transform, the last axis halved."""
    return np.fft.rfftn(half_whitened(field)).astype(np.complex64)


class TurnedField:
    """A field under several symmetries, ready to be correlated with others at every shift.

    Not for use by two threads at once.

    Args:
        field: One side, 2D or 3D.
        turns: The symmetries.
    """

    def __init__(self, field: Reals, turns: Sequence[Symmetry]) -> None:
        white = half_whitened(field)
        axes = tuple(range(field.ndim))
        self._turns = turns
        self._correlation: Reals = pyfftw.empty_aligned(field.shape, np.float32)
        self._product: Spectrum = pyfftw.empty_aligned(
            (*field.shape[:-1], field.shape[-1] // 2 + 1), np.complex64
        )
        # At these sizes a measured plan is no faster than a guessed one.
        guess = ("FFTW_ESTIMATE",)
        transform = pyfftw.FFTW(self._correlation, self._product, axes, flags=guess)
        self._inverse = pyfftw.FFTW(
            self._product, self._correlation, axes, "FFTW_BACKWARD", flags=guess
        )
        self._spectra = []
        for turn in turns:
            self._correlation[...] = turn(white)
            transform.execute()
            self._spectra.append(self._product.conj())

    def best_match(self, other: Spectrum) -> Match:
        """Return the symmetry and shift at which the field agrees best with another.

        Args:
            other: `white_spectrum` of a field of the same shape.
        """
        peaks = [self._correlate(spectrum, other).max() for spectrum in self._spectra]
        best = int(np.argmax(peaks))
        correlation = self._correlate(self._spectra[best], other)
        place = np.unravel_index(int(correlation.argmax()), correlation.shape)
        chance = _chance(self._spectra[best], other)
        return Match(
            symmetry=self._turns[best],
            shift=tuple(int(axis) for axis in place),
            significance=float(correlation.max()) / chance if chance > 0 else 0.0,
        )

    def _correlate(self, spectrum: Spectrum, other: Spectrum) -> Reals:
        """Return, for every shift x, the sum over y of field(y) other(y + x), times the voxels."""
        np.multiply(spectrum, other, out=self._product)
        self._inverse.execute()
        return self._correlation


def _chance(one: Spectrum, other: Spectrum) -> float:
    """Return the standard deviation of `_correlate` for random phases."""
    power = np.abs(one * other) ** 2
    # The halved last axis stands for twice as many modes, but for its first and last plane.
    return float(np.sqrt(2 * power.sum(dtype=np.float64) - power[..., [0, -1]].sum()))
