"""Building blocks of the paper's networks, as the published code has them.

Convolutions pad by repeating the edge in mirror order, deconvolutions by zeros, both so that the
output is the input's side divided or multiplied by the stride. All take 2D and 3D fields.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

LEAK = 0.2
"""Slope of the leaky ReLU below zero."""

Dimensions = Literal[2, 3]

INCEPTION_KERNELS = (1, 2, 4)
"""Sides of the parallel kernels of an inception module (Appendix F)."""

_TRUNCATED_SPREAD = 0.87962566103423978  # standard deviation of a unit normal cut at 2


class Conv(nn.Module):
    """Convolution with symmetric padding: floor((k - 1) / 2) voxels before, floor(k / 2) after."""

    def __init__(
        self,
        ndim: Dimensions,
        inputs: int,
        outputs: int,
        *,
        kernel: int = 4,
        stride: int = 1,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.ndim, self.kernel, self.stride = ndim, kernel, stride
        self.weight = nn.Parameter(torch.empty(outputs, inputs, *[kernel] * ndim))
        self.bias = nn.Parameter(torch.zeros(outputs))
        glorot_(self.weight, inputs * kernel**ndim, outputs * kernel**ndim)
        if spectral:
            spectral_norm(self, dim=0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, side, ...) to (n, outputs, side / stride, ...)."""
        padded = mirrored(x, (self.kernel - 1) // 2, self.kernel // 2)
        convolve = functional.conv3d if self.ndim == 3 else functional.conv2d
        return convolve(padded, self.weight, self.bias, self.stride)


class Deconv(nn.Module):
    """Transposed convolution, cropped to the input's side times the stride (TensorFlow's SAME)."""

    def __init__(
        self,
        ndim: Dimensions,
        inputs: int,
        outputs: int,
        *,
        kernel: int = 4,
        stride: int = 1,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.ndim, self.kernel, self.stride = ndim, kernel, stride
        self.weight = nn.Parameter(torch.empty(inputs, outputs, *[kernel] * ndim))
        self.bias = nn.Parameter(torch.zeros(outputs))
        glorot_(self.weight, inputs * kernel**ndim, outputs * kernel**ndim)
        if spectral:
            spectral_norm(self, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, side, ...) to (n, outputs, side * stride, ...)."""
        missing = max(self.stride - self.kernel, 0)
        deconvolve = functional.conv_transpose3d if self.ndim == 3 else functional.conv_transpose2d
        full = deconvolve(x, self.weight, self.bias, self.stride, output_padding=missing)
        start = max(self.kernel - self.stride, 0) // 2
        for axis in range(2, 2 + self.ndim):
            full = full.narrow(axis, start, x.shape[axis] * self.stride)
        return full


class Inception(nn.Module):
    """Kernels of side 1, 2 and 4 in parallel, merged by one of side 1 (Appendix F)."""

    def __init__(
        self,
        layer: type[Conv] | type[Deconv],
        ndim: Dimensions,
        inputs: int,
        outputs: int,
        *,
        stride: int = 1,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            layer(ndim, inputs, outputs, kernel=kernel, stride=stride, spectral=spectral)
            for kernel in INCEPTION_KERNELS
        )
        merged = len(INCEPTION_KERNELS) * outputs
        self.merge = layer(ndim, merged, outputs, kernel=1, spectral=spectral)

    def forward(self, x: Tensor) -> Tensor:
        """Map as the layer of the branches does."""
        merged: Tensor = self.merge(torch.cat([branch(x) for branch in self.branches], dim=1))
        return merged


class Dense(nn.Module):
    """Fully connected layer."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        glorot_(self.weight, inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs) to (n, outputs)."""
        return functional.linear(x, self.weight, self.bias)


class ShellSums(nn.Module):
    """Sum |FFT| / n^(ndim / 2) over each distinct |k|^2, the mean included: the PSD features."""

    shell: Tensor

    def __init__(self, ndim: Dimensions, side: int) -> None:
        super().__init__()
        squared = torch.fft.fftfreq(side, 1 / side).square()
        total = sum(squared.reshape([-1, *[1] * axis]) for axis in range(ndim))
        assert isinstance(total, Tensor)  # noqa: S101
        lengths, shell = torch.unique(total, return_inverse=True)
        self.ndim, self.shells = ndim, len(lengths)
        self.register_buffer("shell", shell.reshape(-1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 1, side, ...) to (n, shells)."""
        amplitude = fourier_amplitude(x, self.ndim).flatten(1)
        sums = amplitude.new_zeros(len(x), self.shells)
        return sums.index_add(1, self.shell, amplitude)


def fourier_amplitude(x: Tensor, ndim: Dimensions) -> Tensor:
    """Return |FFT| / sqrt(voxels) of every channel, its gradient finite where it is zero."""
    axes = tuple(range(-ndim, 0))
    spectrum = torch.fft.fftn(x.float(), dim=axes, norm="ortho")
    amplitude: Tensor = (spectrum.real.square() + spectrum.imag.square() + 1e-12).sqrt()
    return amplitude


def mirrored(x: Tensor, before: int, after: int) -> Tensor:
    """Pad every spatial axis by its own edge in mirror order, the edge repeated (SYMMETRIC)."""
    for axis in range(2, x.ndim):
        length = x.shape[axis]
        parts = [x.narrow(axis, 0, before).flip(axis)] if before else []
        parts.append(x)
        parts += [x.narrow(axis, length - after, after).flip(axis)] if after else []
        x = torch.cat(parts, dim=axis) if len(parts) > 1 else x
    return x


def leaky(x: Tensor) -> Tensor:
    """Apply the leaky ReLU of the tables."""
    return functional.leaky_relu(x, LEAK)


def glorot_(weight: Tensor, fan_in: int, fan_out: int) -> None:
    """Fill with the Glorot normal, cut at two standard deviations (TensorFlow's default)."""
    spread = math.sqrt(2 / (fan_in + fan_out)) / _TRUNCATED_SPREAD
    nn.init.trunc_normal_(weight, std=spread, a=-2 * spread, b=2 * spread)
