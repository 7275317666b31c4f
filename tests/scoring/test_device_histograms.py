"""The device code runs on PyTorch's CPU device here; a GPU, where there is one, joins in."""

import sys

import numpy as np
import pytest
import torch

from scoring import field_statistics
from scoring.density import as_density
from scoring.device_histograms import start_histograms
from scoring.mass_histogram import mass_histogram
from scoring.peak_histogram import peak_histogram

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def fields(side, ndim, dtype):
    rng = np.random.default_rng(side)
    yield rng.lognormal(3, 2, (side,) * ndim).astype(dtype)
    ties = rng.integers(0, 4, (side,) * ndim).astype(dtype)
    yield ties
    sparse = ties * (rng.random(ties.shape) < 0.02)
    sparse.flat[0] = 1
    yield sparse
    yield np.full((side,) * ndim, 3, dtype)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["f4", "f8", "u2"])
@pytest.mark.parametrize("side", [2, 3, 5, 32])
@pytest.mark.parametrize("ndim", [2, 3])
def test_histograms_are_those_of_the_cpu_bit_for_bit(device, dtype, side, ndim):
    for field in fields(side, ndim, dtype):
        density = as_density(field)
        mass, peak = start_histograms(density, device)()
        np.testing.assert_array_equal(mass, mass_histogram(density))
        np.testing.assert_array_equal(peak, peak_histogram(density))
        assert mass.dtype == peak.dtype == np.float64


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_clear_error():
    with pytest.raises(ValueError, match="PyTorch finds none here"):
        field_statistics(np.ones((8, 8)), device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_statistics_on_a_gpu_are_those_of_the_cpu():
    for field in list(fields(32, 3, "f4"))[:3]:
        ours, theirs = field_statistics(field, device="cuda"), field_statistics(field)
        for name in ("psd", "mass", "peak"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_without_pytorch_the_error_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "scoring.device_histograms", None)
    with pytest.raises(ValueError, match="needs PyTorch"):
        field_statistics(np.ones((8, 8)), device="cuda")
