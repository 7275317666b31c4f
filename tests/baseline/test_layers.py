"""The paper's building blocks against NumPy, and against the definitions that they follow."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from baseline.layers import (
    Conv,
    Deconv,
    Dense,
    Inception,
    ShellSums,
    fourier_amplitude,
    mirrored,
)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 1), (1, 2), (3, 4)])
def test_padding_is_numpys_symmetric(before, after):
    x = torch.arange(2 * 3 * 5 * 5 * 5, dtype=torch.float32).reshape(2, 3, 5, 5, 5)
    padding = [(0, 0), (0, 0), *[(before, after)] * 3]
    np.testing.assert_array_equal(
        mirrored(x, before, after).numpy(), np.pad(x.numpy(), padding, mode="symmetric")
    )


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize(("kernel", "stride"), [(4, 1), (4, 2), (2, 2), (1, 2), (2, 1)])
def test_convolution_divides_and_deconvolution_multiplies_the_side(ndim, kernel, stride):
    x = torch.randn(1, 2, *[8] * ndim)
    down = Conv(ndim, 2, 3, kernel=kernel, stride=stride)(x)
    up = Deconv(ndim, 2, 3, kernel=kernel, stride=stride)(x)
    assert down.shape == (1, 3, *[8 // stride] * ndim)
    assert up.shape == (1, 3, *[8 * stride] * ndim)


def test_convolution_of_a_delta_reads_the_kernel_backwards():
    # y[i] = sum_j w[j] x[i + j - 1] for k = 4, so a delta at 4 puts w[j] at i = 5 - j.
    layer = Conv(2, 1, 1, kernel=4)
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    with torch.no_grad():
        y = layer(x)[0, 0]
    torch.testing.assert_close(y[2:6, 2:6], layer.weight[0, 0].flip((0, 1)).detach())


@pytest.mark.parametrize(("kernel", "stride"), [(4, 1), (4, 2), (2, 1), (1, 2)])
def test_deconvolution_is_the_adjoint_of_the_zero_padded_convolution(kernel, stride):
    # TensorFlow defines conv_transpose as the gradient of a SAME convolution: for all x and y,
    # <conv(y), x> = <y, deconv(x)>.
    layer = Deconv(3, 1, 1, kernel=kernel, stride=stride).double()
    x = torch.randn(1, 1, 6, 6, 6, dtype=torch.float64)
    y = torch.randn(1, 1, *[6 * stride] * 3, dtype=torch.float64)
    total = max(kernel - stride, 0)
    padded = functional.pad(y, (total // 2, total - total // 2) * 3)
    down = functional.conv3d(padded, layer.weight, stride=stride)
    torch.testing.assert_close((down * x).sum(), (y * layer(x)).sum())


def test_inception_module_has_three_kernels_and_a_merge():
    d, inputs = 5, 3
    module = Inception(Conv, 3, inputs, d, stride=2)
    branches = sum(kernel**3 * inputs * d + d for kernel in (1, 2, 4))
    merge = 3 * d * d + d
    assert sum(p.numel() for p in module.parameters()) == branches + merge
    assert module(torch.randn(2, inputs, 8, 8, 8)).shape == (2, d, 4, 4, 4)


@pytest.mark.parametrize("layer", [Conv, Deconv])
def test_spectral_norm_brings_the_largest_singular_value_to_one(layer):
    module = layer(3, 4, 6, kernel=2, spectral=True)
    x = torch.randn(1, 4, 4, 4, 4)
    for _ in range(100):
        module(x)
    module.eval()
    rows = module.weight if layer is Conv else module.weight.transpose(0, 1)
    largest = torch.linalg.svdvals(rows.flatten(1).detach())[0]
    assert largest.item() == pytest.approx(1, abs=1e-4)


def test_weights_are_glorot_normal_cut_at_two_deviations_and_biases_zero():
    layer = Dense(300, 500)
    spread = math.sqrt(2 / 800)
    assert layer.weight.std().item() == pytest.approx(spread, rel=0.01)
    assert layer.weight.abs().max().item() <= 2 * spread / 0.8796
    assert not layer.bias.any()
    kernel = Conv(3, 10, 20).weight
    assert kernel.std().item() == pytest.approx(math.sqrt(2 / (64 * 30)), rel=0.02)


@pytest.mark.parametrize(("side", "shells"), [(32, 464), (64, 1914)])
def test_psd_features_are_as_many_as_the_paper_says(side, shells):
    assert ShellSums(3, side).shells == shells


@pytest.mark.parametrize("ndim", [2, 3])
def test_psd_features_are_sums_over_equal_wave_numbers(ndim):
    side = 8
    x = torch.randn(2, 1, *[side] * ndim)
    amplitude = np.abs(np.fft.fftn(x[:, 0].numpy(), axes=range(1, ndim + 1))) / side ** (ndim / 2)
    grid = np.meshgrid(*[np.fft.fftfreq(side, 1 / side)] * ndim, indexing="ij")
    squared = sum(axis**2 for axis in grid)
    expected = [amplitude[:, squared == n].sum(axis=1) for n in np.unique(squared)]
    np.testing.assert_allclose(ShellSums(ndim, side)(x).numpy(), np.transpose(expected), rtol=1e-5)


def test_amplitude_has_finite_gradients_of_both_orders_at_zero():
    x = torch.zeros(1, 1, 4, 4, 4, requires_grad=True)
    (first,) = torch.autograd.grad(fourier_amplitude(x, 3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert first.isfinite().all()
    assert second.isfinite().all()
