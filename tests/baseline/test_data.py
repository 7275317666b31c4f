"""Training examples: the map there and back, symmetries, neighbours and context."""

import numpy as np
import pytest
import torch

from baseline.data import (
    from_network,
    neighbourhoods,
    patches_in_context,
    squares,
    to_network,
    whole_cubes,
)
from baseline.neighbours import assembled, enlarged, shrunk

SIDE = 16


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def cubes():
    return torch.rand(3, SIDE, SIDE, SIDE, generator=rng(5))


def test_network_values_map_back_to_densities():
    density = np.array([0.0, 0.5, 31.5, 7800.0, 1e5])
    np.testing.assert_allclose(from_network(to_network(density)), density, rtol=2e-5)


def test_negative_network_values_are_empty():
    assert from_network(torch.tensor([-1.0])) == 0


def test_augmented_cubes_keep_their_values(cubes):
    drawn = whole_cubes(cubes, 8, rng()).real
    assert drawn.shape == (8, 1, SIDE, SIDE, SIDE)
    originals = [cube.flatten().sort().values for cube in cubes]
    for cube in drawn:
        values = cube.flatten().sort().values
        assert any(torch.equal(values, original) for original in originals)


def test_augmentation_reaches_all_48_orientations_and_every_shift():
    # A cube with one marked edge of three distinct voxels shows orientation and shift.
    cube = torch.zeros(1, 4, 4, 4)
    cube[0, 0, 0, 0], cube[0, 1, 0, 0], cube[0, 0, 1, 0], cube[0, 0, 0, 1] = 1, 2, 3, 4
    drawn = whole_cubes(cube, 3000, rng()).real[:, 0]
    places = torch.stack([(drawn == value).nonzero()[:, 1:] for value in (1, 2, 3, 4)], dim=1)
    orientations = {tuple(p.flatten().tolist()) for p in (places[:, 1:] - places[:, :1]) % 4}
    shifts = {tuple(p.tolist()) for p in places[:, 0]}
    assert len(orientations) == 48
    assert len(shifts) == 64


def test_same_seed_draws_the_same_examples(cubes):
    assert torch.equal(whole_cubes(cubes, 4, rng(1)).real, whole_cubes(cubes, 4, rng(1)).real)
    assert not torch.equal(whole_cubes(cubes, 4, rng(1)).real, whole_cubes(cubes, 4, rng(2)).real)


def test_neighbourhoods_are_cubes_with_their_block_means(cubes):
    real, (borders, coarse) = neighbourhoods(cubes, 20, rng(), patch=4, factor=2)
    region = assembled(real, borders)
    assert region.shape == (20, 1, 8, 8, 8)
    torch.testing.assert_close(coarse, shrunk(region, 2))


def test_first_patches_have_zeros_before_them_in_their_share(cubes):
    # Four patches along an axis: a quarter of them is first, on each axis independently.
    real, (borders,) = neighbourhoods(cubes, 2000, rng(), patch=4, factor=None)
    assert (real > 0).all()
    x = (borders[:, 1] == 0).all(dim=(1, 2, 3)).float().mean().item()
    corner = (borders[:, 6] == 0).all(dim=(1, 2, 3)).float().mean().item()
    assert x == pytest.approx(1 / 4, abs=0.04)
    assert corner == pytest.approx(1 - (3 / 4) ** 3, abs=0.04)


def test_context_surrounds_the_patch(cubes):
    real, (coarse,) = patches_in_context(cubes, 5, rng(), patch=4, factor=2, context=3)
    assert real.shape == (5, 1, 4, 4, 4)
    assert coarse.shape == (5, 1, 8, 8, 8)
    torch.testing.assert_close(shrunk(real, 2), coarse[..., 3:5, 3:5, 3:5])


def test_context_wider_than_the_cube_wraps_around():
    cube = torch.rand(1, 8, 8, 8, generator=rng(3))
    _, (coarse,) = patches_in_context(cube, 1, rng(), patch=4, factor=2, context=3)
    torch.testing.assert_close(coarse[..., :4, :, :], coarse[..., 4:, :, :])


def test_squares_are_slices_of_the_cubes():
    # Every slice across axis 0 holds one value.
    planes = torch.arange(8.0).reshape(1, 8, 1, 1).expand(1, 8, 8, 8)
    drawn = squares(planes, 50, rng(), side=4).real
    assert drawn.shape == (50, 1, 4, 4)
    assert (drawn.amax(dim=(1, 2, 3)) == drawn.amin(dim=(1, 2, 3))).all()
    assert drawn.unique().numel() == 8


def test_enlarging_repeats_blocks(cubes):
    fine = enlarged(cubes[:, None], 2)
    assert torch.equal(fine[..., ::2, ::2, ::2], fine[..., 1::2, 1::2, 1::2])
