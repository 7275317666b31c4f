"""Octants: cut and put together, flipped face to face, weighed down with distance."""

import pytest
import torch

from baseline.neighbours import (
    BORDERS,
    OFFSETS,
    assembled,
    attenuated,
    enlarged,
    flipped,
    last_octant,
    shrunk,
    split,
)

SIDE = 4


@pytest.fixture
def cube():
    return torch.randn(
        2, 1, 2 * SIDE, 2 * SIDE, 2 * SIDE, generator=torch.Generator().manual_seed(0)
    )


def test_there_are_seven_different_borders_and_none_is_the_patch():
    assert len(set(OFFSETS)) == BORDERS == 7
    assert (0, 0, 0) not in OFFSETS


def test_borders_come_in_the_published_order():
    # y, x, xy, z, zy, zx, zyx
    named = ["".join(n for n, before in zip("xyz", o, strict=True) if before) for o in OFFSETS]
    assert named == ["y", "x", "xy", "z", "yz", "xz", "xyz"]


def test_putting_together_what_was_cut_gives_the_cube(cube):
    assert torch.equal(assembled(*split(cube)), cube)


def test_the_patch_is_the_octant_of_highest_indices(cube):
    patch, _ = split(cube)
    assert torch.equal(patch, cube[..., SIDE:, SIDE:, SIDE:])
    assert torch.equal(last_octant(cube), patch)


def test_the_border_before_in_one_axis_is_the_neighbour_there(cube):
    _, borders = split(cube)
    x = OFFSETS.index((1, 0, 0))
    assert torch.equal(borders[:, x], cube[:, 0, :SIDE, SIDE:, SIDE:])


def test_flipping_brings_shared_faces_together():
    # In a field that is its own x coordinate, the neighbour before in x ends where the patch
    # starts; flipped, it starts there.
    ramp = torch.arange(2.0 * SIDE).reshape(1, 1, -1, 1, 1).expand(1, 1, *[2 * SIDE] * 3)
    patch, borders = split(ramp)
    x = OFFSETS.index((1, 0, 0))
    assert torch.equal(flipped(borders)[0, x, 0], patch[0, 0, 0] - 1)
    y = OFFSETS.index((0, 1, 0))
    assert torch.equal(flipped(borders)[0, y], borders[0, y])


def test_attenuation_is_one_at_the_shared_face_and_zero_at_the_far_one():
    weights = attenuated(torch.ones(1, BORDERS, SIDE, SIDE, SIDE))
    x = weights[0, OFFSETS.index((1, 0, 0))]
    assert torch.equal(x[-1], torch.ones(SIDE, SIDE))
    assert torch.equal(x[0], torch.zeros(SIDE, SIDE))
    corner = weights[0, OFFSETS.index((1, 1, 1))]
    assert corner[-1, -1, -1] == 1
    assert corner[0].sum() == corner[:, 0].sum() == corner[:, :, 0].sum() == 0


def test_shrinking_undoes_enlarging(cube):
    assert torch.allclose(shrunk(enlarged(cube, 3), 3), cube)
