"""The sheet counter against its definition and against displacements with known answers."""

import math

import numpy as np
import pytest
from scipy import ndimage

from cubes.displacement_sheet import sheet_counts


def interpolated_counts(displacement: np.ndarray, children: int) -> np.ndarray:
    """The definition, child by child, through SciPy's periodic linear interpolation."""
    side = displacement.shape[0]
    points = np.arange(side * children) / children + 0.5 / children
    positions = np.stack(np.meshgrid(*[points] * 3, indexing="ij"))
    moved = [
        positions[axis]
        + ndimage.map_coordinates(displacement[..., axis], positions, order=1, mode="grid-wrap")
        for axis in range(3)
    ]
    voxels = np.floor(np.stack(moved)).astype(int).reshape(3, -1) % side
    return np.bincount(np.ravel_multi_index(voxels, (side,) * 3), minlength=side**3).reshape(
        (side,) * 3
    )


@pytest.mark.parametrize("children", [1, 2, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_children_are_counted_where_interpolation_takes_them(children: int, dtype: type) -> None:
    displacement = np.random.default_rng(0).normal(0, 3, (6, 6, 6, 3)).astype(dtype)
    np.testing.assert_array_equal(
        sheet_counts(displacement, children=children), interpolated_counts(displacement, children)
    )


def test_an_undisplaced_sheet_fills_every_voxel_evenly() -> None:
    assert (sheet_counts(np.zeros((5, 5, 5, 3))) == 64).all()


def test_a_common_displacement_moves_the_whole_box_around() -> None:
    field = np.random.default_rng(1).normal(0, 2, (6, 6, 6, 3))
    moved = sheet_counts(field + np.array([2, -3, 13]))
    np.testing.assert_array_equal(moved, np.roll(sheet_counts(field), (2, -3, 13), (0, 1, 2)))


def test_a_plane_wave_gives_the_density_of_its_map() -> None:
    """x → x + A sin(2πx/L) conserves mass: the density in [x, x + 1) is the length of its
    preimage, which children sample to within one child a boundary.
    """
    side, amplitude = 32, 2.0
    lattice = np.arange(side)
    displacement = np.zeros((side, side, side, 3))
    displacement[..., 0] = (amplitude * np.sin(2 * math.pi * lattice / side))[:, None, None]
    counts = sheet_counts(displacement)
    assert (counts == counts[:, :1, :1]).all()
    fine = np.linspace(0, side, 1_000_001)[:-1]
    wave = np.interp(fine, np.arange(side + 1), np.append(displacement[:, 0, 0, 0], 0.0))
    preimage = np.histogram((fine + wave) % side, bins=side, range=(0, side))[0] * 64 * side / 1e6
    np.testing.assert_allclose(counts[:, 0, 0], preimage, atol=16 + 1)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_count_the_same(threads: int) -> None:
    displacement = np.random.default_rng(2).normal(0, 3, (6, 6, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        sheet_counts(displacement, threads=threads), sheet_counts(displacement)
    )


def test_no_mass_is_lost_however_far_it_moves() -> None:
    displacement = np.random.default_rng(3).normal(0, 1000, (6, 6, 6, 3))
    assert sheet_counts(displacement).sum() == 24**3
