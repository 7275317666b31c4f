"""Correlation against its definition, and its significance against the theory of random phases."""

import math

import numpy as np
import pytest

from cubes.augment import Symmetry, symmetries
from cubes.correlation import TurnedField, half_whitened, white_spectrum

IDENTITY = symmetries(3)[0]


def noise(seed: int, shape: tuple[int, ...] = (8, 8, 8)) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 8), (9, 9, 9)])
def test_half_whitening_leaves_the_root_of_each_amplitude(shape: tuple[int, ...]) -> None:
    field = 5 + noise(0, shape)
    white = half_whitened(field)
    assert white.dtype == np.float32
    assert np.linalg.norm(white) == pytest.approx(1, rel=1e-6)
    modes, expected = np.fft.fftn(white), np.fft.fftn(field)
    expected.flat[0] = 0
    expected = np.sqrt(np.abs(expected)) * np.exp(1j * np.angle(expected))
    expected *= np.linalg.norm(modes) / np.linalg.norm(expected)
    np.testing.assert_allclose(modes, expected, atol=1e-5)


def test_a_uniform_field_matches_nothing() -> None:
    assert not half_whitened(np.ones((8, 8, 8), np.float32)).any()
    match = TurnedField(np.ones((8, 8, 8), np.float32), [IDENTITY]).best_match(
        white_spectrum(noise(1))
    )
    assert match.significance == 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_every_symmetry_and_shift_is_recovered(ndim: int) -> None:
    field = noise(2, (8,) * ndim)
    turned = TurnedField(field, symmetries(ndim))
    rng = np.random.default_rng(0)
    for symmetry in symmetries(ndim):
        shift = tuple(int(s) for s in rng.integers(0, 8, ndim))
        moved = np.roll(symmetry(field), shift, range(ndim))
        match = turned.best_match(white_spectrum(moved))
        assert (match.symmetry, match.shift) == (symmetry, shift)


def test_the_significance_is_the_largest_correlation_over_its_standard_deviation() -> None:
    """Against the definition, shift by shift, for one symmetry; of norm 1, fields correlate at x as
    Σ_y a(y) b(y + x), and by chance with the variance Σ_k |a_k|² |b_k|² / n².
    """
    a, b = half_whitened(noise(3)), half_whitened(noise(4))
    symmetry = Symmetry((1, 2, 0), (True, False, False))
    turned = symmetry(a).astype(np.float64)
    correlations = {
        shift: np.sum(np.roll(turned, shift, range(3)) * b) for shift in np.ndindex(8, 8, 8)
    }
    powers = np.abs(np.fft.fftn(turned)) ** 2 * np.abs(np.fft.fftn(b)) ** 2
    match = TurnedField(noise(3), [symmetry]).best_match(white_spectrum(noise(4)))
    assert match.shift == max(correlations, key=lambda shift: correlations[shift])
    assert match.significance == pytest.approx(
        max(correlations.values()) / math.sqrt(powers.sum() / 512**2), rel=1e-4
    )


def test_chance_is_what_random_phases_give() -> None:
    """Correlations of unrelated fields, of a steep spectrum, have unit variance in its units."""
    k = np.sqrt(sum(np.meshgrid(*[np.fft.fftfreq(16) ** 2] * 3, indexing="ij")))
    slope = np.where(k > 0, np.maximum(k, 1 / 16) ** -1.5, 0)

    def steep(seed: int) -> np.ndarray:
        return np.fft.ifftn(slope * np.fft.fftn(noise(seed, (16,) * 3))).real.astype(np.float32)

    squares = []
    for seed in range(40):
        a, b = (np.fft.fftn(half_whitened(steep(s))) for s in (seed, 1000 + seed))
        correlation = np.fft.ifftn(np.conj(a) * b).real
        variance = np.sum(np.abs(a) ** 2 * np.abs(b) ** 2) / correlation.size**2
        squares.append(np.mean(correlation**2) / variance)
    assert np.mean(squares) == pytest.approx(1, abs=1e-4)


def test_fields_of_few_modes_are_not_suspected() -> None:
    """Two plane waves always agree at some shift, which proves nothing."""
    x = np.arange(32)
    wave = np.cos(2 * np.pi * 3 * x / 32 + 1)[:, None, None] * np.ones((1, 32, 32))
    other = np.cos(2 * np.pi * 3 * x / 32 + 2)[None, :, None] * np.ones((32, 1, 32))
    turned = TurnedField(wave.astype(np.float32), symmetries(3))
    assert turned.best_match(white_spectrum(other.astype(np.float32))).significance < 2
