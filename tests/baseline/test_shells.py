"""Spectra by shell: mode counts, plane waves, Parseval, and the lognormal relation."""

import numpy as np
import pytest

from baseline.shells import Shells
from cubes.demo import demo_fields
from tests.fields import clumpy, plane_wave

SIDE = 16


def test_shells_count_every_mode_of_the_full_spectrum_once():
    shells = Shells.of_side(SIDE)
    assert shells.modes.sum() == SIDE**3
    assert list(shells.modes[:5]) == [1, 6, 12, 8, 6]


@pytest.mark.parametrize(("side", "shells"), [(32, 464), (64, 1914)])
def test_distinct_shells_are_as_many_as_the_paper_feeds_its_critics(side, shells):
    assert np.count_nonzero(Shells.of_side(side).modes) == shells


def test_power_of_a_plane_wave_is_in_its_shell_alone():
    # A cosine of amplitude a has |FFT|^2 = (a N / 2)^2 at two modes; the shell |n|^2 = 5 has 24.
    power = Shells.of_side(SIDE).power(plane_wave(SIDE, 3, (1, 2, 0), amplitude=0.5))
    expected = np.zeros_like(power)
    expected[5] = 2 / 24 * (0.5 * SIDE**3 / 2) ** 2
    np.testing.assert_allclose(power, expected, atol=1e-9 * expected[5])


def test_power_adds_up_to_the_variance():
    field = clumpy(SIDE, 3, seed=1)
    shells = Shells.of_side(SIDE)
    overdensity = field.astype(float) / field.mean(dtype=float) - 1
    assert shells.variance(shells.power(field)) == pytest.approx(overdensity.var())


def test_white_noise_coloured_by_flat_power_is_itself():
    white = np.random.default_rng(0).standard_normal((SIDE,) * 3)
    shells = Shells.of_side(SIDE)
    flat = np.full(shells.modes.shape, SIDE**3)
    np.testing.assert_allclose(shells.coloured(white, flat), white, atol=1e-12)


def test_gaussianised_power_of_a_lognormal_field_is_that_of_its_logarithm():
    # xi = exp(xi_G) - 1 holds at every separation, so the way there and back is exact.
    shells = Shells.of_side(SIDE)
    gaussian = np.where(shells.modes > 0, 50.0 / (1 + np.arange(len(shells.modes))), 0.0)
    gaussian[0] = 0.0
    correlation = np.fft.irfftn(gaussian[shells.of_mode], s=(SIDE,) * 3, axes=(0, 1, 2)) / SIDE**3
    spectrum = np.fft.rfftn(np.expm1(correlation)).real * SIDE**3
    np.testing.assert_allclose(shells.gaussianised(shells.mean(spectrum)), gaussian, atol=1e-8)


def test_a_power_law_is_as_smooth_as_it_gets():
    shells = Shells.of_side(SIDE)
    law = np.where(shells.modes > 0, np.maximum(np.arange(len(shells.modes)), 1) ** -0.8, 0.0)
    law[0] = 0.0
    np.testing.assert_allclose(shells.smoothed(law), law, rtol=1e-9)


def test_smoothing_brings_the_power_of_half_the_training_cubes_closer_to_that_of_the_others():
    shells = Shells.of_side(32)
    powers = np.array([shells.power(cube) for cube in demo_fields("3d-32", "train")])
    large = (powers[0] > 0) & (np.arange(len(powers[0])) <= 64)  # scales, where modes are few
    rng = np.random.default_rng(0)
    raw, smooth = [], []
    for _ in range(20):
        order = rng.permutation(len(powers))
        half, other = powers[order[:15]].mean(axis=0), powers[order[15:]].mean(axis=0)
        for errors, guess in ((raw, half), (smooth, shells.smoothed(half))):
            deviation = np.log(guess[large] / other[large])
            errors.append(np.average(deviation**2, weights=shells.modes[large]))
    assert np.mean(smooth) < 0.7 * np.mean(raw)
