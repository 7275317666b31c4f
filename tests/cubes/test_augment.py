"""Symmetries form the group of the cube, are drawn uniformly, and change no statistic."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy import stats

from cubes.augment import Symmetry, augmented, symmetries
from scoring.statistics import field_statistics
from tests.fields import clumpy


@pytest.mark.parametrize(("ndim", "order"), [(2, 8), (3, 48)])
def test_they_are_all_and_distinct(ndim: int, order: int) -> None:
    labels = np.arange(4**ndim).reshape((4,) * ndim)
    images = {symmetry(labels).tobytes() for symmetry in symmetries(ndim)}
    assert len(images) == len(symmetries(ndim)) == order
    np.testing.assert_array_equal(symmetries(ndim)[0](labels), labels)


@pytest.mark.parametrize("ndim", [2, 3])
def test_they_are_closed_under_composition(ndim: int) -> None:
    labels = np.arange(3**ndim).reshape((3,) * ndim)
    images = {symmetry(labels).tobytes() for symmetry in symmetries(ndim)}
    composed = {b(a(labels)).tobytes() for a in symmetries(ndim) for b in symmetries(ndim)}
    assert composed == images


@pytest.mark.parametrize("ndim", [2, 3])
def test_they_keep_the_distances_of_the_periodic_box(ndim: int) -> None:
    """Each is an isometry: the distance of two voxels is that of their images."""
    side = 5
    rng = np.random.default_rng(0)
    here, there = rng.integers(0, side, (2, 20, ndim))

    def distance(a: Any, b: Any) -> Any:
        gap = np.abs(a - b)
        return (np.minimum(gap, side - gap) ** 2).sum(axis=-1)

    labels = np.arange(side**ndim).reshape((side,) * ndim)
    for symmetry in symmetries(ndim):
        image = symmetry(labels)
        position = {label: index for index, label in np.ndenumerate(image)}
        moved = [
            np.array([position[labels[tuple(point)]] for point in points])
            for points in (here, there)
        ]
        np.testing.assert_array_equal(distance(*moved), distance(here, there))


def test_a_symmetry_says_what_it_does() -> None:
    field = np.arange(8).reshape(2, 2, 2)
    symmetry = Symmetry((2, 0, 1), (False, True, False))
    assert str(symmetry) == "+z -x +y"
    np.testing.assert_array_equal(symmetry(field), field.transpose(2, 0, 1)[:, ::-1])


def test_shifts_and_symmetries_are_drawn_uniformly() -> None:
    """χ² over all 8·3² outcomes of a 3² field, each of which names its symmetry and shift."""
    labels = np.array([[0, 1, 4], [2, 7, 3], [8, 5, 6]])
    rng = np.random.default_rng(5)
    drawn = Counter(augmented(labels, rng).tobytes() for _ in range(7200))
    assert len(drawn) == 72
    assert stats.chisquare(list(drawn.values())).pvalue > 1e-3


def test_the_same_generator_gives_the_same_field() -> None:
    field = np.random.default_rng(0).random((4, 4, 4))
    first, second = (augmented(field, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.flags.c_contiguous
    assert not np.shares_memory(first, field)


@pytest.mark.parametrize(("side", "ndim"), [(32, 2), (16, 3)])
def test_symmetries_leave_the_histograms_alone(side: int, ndim: int) -> None:
    field = clumpy(side, ndim, seed=1, mean=30)
    before = field_statistics(field)
    for symmetry in symmetries(ndim):
        after = field_statistics(np.ascontiguousarray(symmetry(field)))
        np.testing.assert_array_equal(after.mass, before.mass)
        np.testing.assert_array_equal(after.peak, before.peak)


@pytest.mark.parametrize(("side", "ndim"), [(32, 2), (16, 3)])
def test_augmentation_changes_power_by_rounding_alone(side: int, ndim: int) -> None:
    """Over all modes any symmetry and shift; in the power spectrum of the challenge, which averages
    the stored half of the modes, those that keep the last axis and so map the half onto itself.
    """
    field = clumpy(side, ndim, seed=1, mean=30)
    before = field_statistics(field)
    for symmetry in symmetries(ndim):
        moved = np.roll(symmetry(field), range(3, 3 + ndim), axis=range(ndim))
        np.testing.assert_allclose(power_of_shells(moved), power_of_shells(field), rtol=1e-9)
        after = field_statistics(np.ascontiguousarray(moved))
        np.testing.assert_array_equal(after.mass, before.mass)
        if symmetry.axes[-1] == ndim - 1:
            np.testing.assert_allclose(after.psd, before.psd, rtol=1e-5)


def power_of_shells(field: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Power of all modes summed by |k|²."""
    power = np.abs(np.fft.fftn(field.astype(np.float64))) ** 2
    k = np.meshgrid(*[np.fft.fftfreq(side, 1 / side) for side in field.shape], indexing="ij")
    shells = np.rint(sum(axis**2 for axis in k)).astype(int)
    return np.bincount(shells.ravel(), power.ravel())[np.unique(shells)]
