"""Soft counts of maxima: what they count, where, and that they can be learned from."""

from itertools import islice

import numpy as np
import pytest
import torch

from baseline.data import to_network
from baseline.peaks import SoftPeaks
from baseline.stages import STAGES
from cubes.demo import demo_fields

HEIGHTS = (2.8, 6.0)


def counts(fields: torch.Tensor) -> torch.Tensor:
    """Return the soft counts behind the features, shape (n, heights)."""
    return torch.exp(SoftPeaks(*HEIGHTS)(fields)) - 0.3


def field_with(maxima: dict[tuple[int, int, int], float]) -> torch.Tensor:
    """A field that falls off from single voxels, shape (1, 1, 16, 16, 16)."""
    field = torch.zeros(1, 1, 16, 16, 16)
    for place, height in maxima.items():
        field[(0, 0, *place)] = height
    return field


def test_an_isolated_maximum_counts_once_at_its_height():
    heights = SoftPeaks(*HEIGHTS).heights
    found = counts(field_with({(4, 4, 4): heights[9].item(), (12, 12, 12): heights[9].item()}))
    # Voxels without any maximum near them lie far below the lowest height.
    assert found[0, 9].item() == pytest.approx(2, abs=1e-4)
    assert found[0, 5:].sum().item() == pytest.approx(2, abs=1e-4)


def test_a_height_between_two_nodes_is_shared_by_its_distance_to_them():
    heights = SoftPeaks(*HEIGHTS).heights
    between = torch.lerp(heights[7], heights[8], 0.25).item()
    found = counts(field_with({(8, 8, 8): between}))
    np.testing.assert_allclose(found[0, 7:9].numpy(), [0.75, 0.25], atol=1e-4)


def test_of_two_voxels_in_one_neighbourhood_only_the_higher_is_a_maximum():
    height = SoftPeaks(*HEIGHTS).heights[10].item()
    found = counts(field_with({(8, 8, 8): height, (8, 8, 10): height - 0.2}))
    assert found[0, 5:].sum().item() == pytest.approx(1, abs=1e-3)


def test_the_neighbourhood_ends_at_the_faces_as_in_the_peak_histogram():
    height = SoftPeaks(*HEIGHTS).heights[10].item()
    found = counts(field_with({(0, 8, 8): height, (15, 8, 8): height + 0.5}))
    assert found[0, 5:].sum().item() == pytest.approx(2, abs=1e-4)


def test_a_shoulder_learns_to_become_a_maximum():
    height = SoftPeaks(*HEIGHTS).heights[10].item()
    field = field_with({(8, 8, 8): height, (8, 8, 10): height - 0.01}).requires_grad_()
    SoftPeaks(*HEIGHTS)(field)[0, 10].backward()
    assert field.grad is not None
    assert field.grad[0, 0, 8, 8, 10].item() > 0


@pytest.mark.parametrize(("stage", "track"), [("m3", "3d-32"), ("m2", "3d-64")])
def test_the_heights_of_a_stage_span_the_maxima_of_real_cubes(stage, track):
    cubes = to_network(np.stack(list(islice(demo_fields(track, "train"), 8))))
    (peaks,) = (
        module
        for module in STAGES["small", stage].critic().modules()
        if isinstance(module, SoftPeaks)
    )
    found = (torch.exp(peaks(cubes[:, None])) - 0.3).mean(dim=0)
    assert found[[0, -1]].max().item() < 0.01 * found.max().item()
    assert found.sum().item() > 200
