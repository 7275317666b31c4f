"""Calibration: fields of a wrong spectrum and distribution are given the training ones."""

import numpy as np
import pytest
import torch

from baseline.calibration import Calibration
from baseline.data import from_network, to_network
from baseline.shells import Shells
from cubes.demo import demo_fields


@pytest.fixture(scope="module")
def cubes():
    return to_network(np.stack(list(demo_fields("3d-32", "train"))[:12]))


@pytest.fixture(scope="module")
def distorted(cubes):
    """Real fields, smoothed and squashed: what a poor generator might draw."""
    spectrum = torch.fft.rfftn(cubes[:, None], dim=(-3, -2, -1))
    shells = Shells.of_side(32)
    smoothing = torch.from_numpy(np.exp(-shells.of_mode / 300)).float()
    smooth = torch.fft.irfftn(spectrum * smoothing, s=(32, 32, 32), dim=(-3, -2, -1))
    return 0.7 * smooth + 0.2


@pytest.fixture(scope="module")
def calibration(cubes, distorted):
    calibration = Calibration(32)
    calibration.fit(distorted, cubes, passes=8)
    return calibration


def test_values_are_those_of_training_fields(calibration, cubes, distorted):
    values = calibration(distorted)
    levels = np.linspace(0.001, 0.999, 50)
    np.testing.assert_allclose(
        np.quantile(values.numpy(), levels), np.quantile(cubes.numpy(), levels), atol=2e-3
    )


def test_power_is_that_of_training_fields(calibration, cubes, distorted):
    shells = Shells.of_side(32)
    target = shells.mean_power(from_network(cubes))
    before = shells.mean_power(from_network(distorted[:, 0]))
    after = shells.mean_power(from_network(calibration(distorted)[:, 0]))
    for shell_range in (slice(1, 12), slice(12, 60), slice(60, 200), slice(200, 760)):
        wanted = target[shell_range].sum()
        assert after[shell_range].sum() / wanted == pytest.approx(1, abs=0.1)
    assert abs(np.log(before[200:].sum() / target[200:].sum())) > 0.3


def test_map_is_monotone_and_goes_on_beyond_what_was_seen(calibration, distorted):
    lowest, highest = distorted.min() - 1, distorted.max() + 1
    x = torch.linspace(lowest, highest, 999).reshape(1, 1, 999, 1, 1)
    y = calibration._mapped(x).flatten()
    assert (y.diff() >= 0).all()
    assert y[-1] > y[-200]


def test_without_passes_values_are_mapped_in_their_order_and_nothing_is_filtered(cubes, distorted):
    calibration = Calibration(32)
    calibration.fit(distorted, cubes, passes=0)
    assert torch.equal(calibration.gain, torch.ones_like(calibration.gain))
    values = calibration(distorted)
    some = slice(None, None, 97)
    order = distorted.flatten()[some].argsort()
    assert values.flatten()[some][order].diff().min().item() > -1e-5
    assert values.median().item() == pytest.approx(cubes.median().item(), abs=2e-3)


def test_extreme_values_stay_within_reason(calibration, cubes, distorted):
    # A value as far above the highest as that is above the median is mapped as far, not further.
    top, middle = distorted.max(), distorted.median()
    x = torch.stack([middle, top, 2 * top - middle]).reshape(1, 1, 3, 1, 1)
    low, high, extreme = calibration._mapped(x).flatten()
    assert high < extreme < high + 2 * (high - low)


def test_fields_of_one_value_are_no_reason_to_fail(cubes):
    calibration = Calibration(32)
    flat = torch.ones(2, 1, 32, 32, 32) + 1e-3 * torch.rand(2, 1, 32, 32, 32)
    calibration.fit(flat, cubes, passes=8)
    assert calibration(flat).isfinite().all()
