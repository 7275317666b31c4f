"""The paper's networks, one module a table, sizes from frozen configurations.

Generators are called with a latent and then their condition, critics with a field and then the
same condition. All fields are network values of shape (n, 1, side, ...).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from baseline.layers import (
    Conv,
    Deconv,
    Dense,
    Inception,
    ShellSums,
    fourier_amplitude,
    leaky,
)
from baseline.neighbours import BORDERS, assembled, attenuated, enlarged, flipped, last_octant

PATCH = 32
"""Voxels along the side of a patch."""


@dataclass(frozen=True)
class M3Sizes:
    """Sizes of the first scale, latent to 32^3 (Table 3).

    Attributes:
        width: d of the table.
        inception: Inception modules in place of 4^3 kernels, as in the published code.
        fourier: The critic also gets |FFT| as a channel and the PSD features, as there.
    """

    width: int = 64
    inception: bool = True
    fourier: bool = True
    side: int = PATCH
    latent: int = 256


@dataclass(frozen=True)
class M2Sizes:
    """Sizes of the up-scaling 32^3 to 64^3 (Table 4).

    Attributes:
        width: d of the table.
        dense: Width of the critic's hidden dense layer, as in the published code; 0 for none.
    """

    width: int = 32
    dense: int = 256
    factor: int = 2


@dataclass(frozen=True)
class M1Sizes:
    """Sizes of the up-scaling 64^3 to 256^3 (Table 5); d = 32 is what its shapes need."""

    width: int = 32
    factor: int = 4


@dataclass(frozen=True)
class UniscaleSizes:
    """Sizes of the single-scale model (Appendix C)."""

    width: int = 32


@dataclass(frozen=True)
class FlatSizes:
    """Sizes of the 2D models (Appendix E)."""

    side: int = 32
    width: int = 32


class M3Generator(nn.Module):
    """Table 3, upper half: a dense layer and five deconvolutions."""

    def __init__(self, sizes: M3Sizes) -> None:
        super().__init__()
        d = sizes.width
        self.sizes = sizes
        self.latent_shape = (sizes.latent,)
        self.dense = Dense(sizes.latent, (sizes.side // 8) ** 3 * 4 * d)
        layer = _layer(Deconv, sizes.inception)
        self.deconvolutions = nn.ModuleList(
            layer(3, inputs, outputs, stride=stride, spectral=True)
            for inputs, outputs, stride in (
                (4 * d, 4 * d, 2),
                (4 * d, 2 * d, 2),
                (2 * d, d, 2),
                (d, d, 1),
                (d, 1, 1),
            )
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Map (n, 256) to (n, 1, 32, 32, 32)."""
        side = self.sizes.side // 8
        x = leaky(self.dense(latent)).reshape(-1, 4 * self.sizes.width, side, side, side)
        return _chain(self.deconvolutions, x)


class M3Critic(nn.Module):
    """Table 3, lower half: five convolutions and a dense layer."""

    def __init__(self, sizes: M3Sizes) -> None:
        super().__init__()
        d = sizes.width
        self.sizes = sizes
        layer = _layer(Conv, sizes.inception)
        self.convolutions = nn.ModuleList(
            layer(3, inputs, outputs, stride=stride, spectral=True)
            for inputs, outputs, stride in (
                (2 if sizes.fourier else 1, d, 1),
                (d, d, 1),
                (d, 2 * d, 2),
                (2 * d, 4 * d, 2),
                (4 * d, 8 * d, 2),
            )
        )
        self.psd = ShellSums(3, sizes.side) if sizes.fourier else None
        features = (sizes.side // 8) ** 3 * 8 * d
        self.dense = Dense(features + (self.psd.shells if self.psd else 0), 1)

    def forward(self, field: Tensor) -> Tensor:
        """Map (n, 1, 32, 32, 32) to scores (n,)."""
        x = torch.cat([field, fourier_amplitude(field, 3)], dim=1) if self.psd else field
        features = leaky(_chain(self.convolutions, x)).flatten(1)
        if self.psd:
            features = torch.cat([features, self.psd(field)], dim=1)
        return _verdict([self.dense], features)


class M2Generator(nn.Module):
    """Table 4, upper half: borders encoded with the latent, five deconvolutions."""

    def __init__(self, sizes: M2Sizes) -> None:
        super().__init__()
        d = sizes.width
        self.sizes = sizes
        self.coarse_side = PATCH // sizes.factor
        self.latent_shape = (self.coarse_side**3 + 1024,)
        self.encoder = nn.ModuleList(
            Conv(3, inputs, outputs, stride=2)
            for inputs, outputs in ((BORDERS, d), (d, d), (d, 16))
        )
        self.dense = Dense(2048, 256 * d)
        self.channels = 256 * d // self.coarse_side**3
        self.deconvolutions = nn.ModuleList(
            Deconv(3, inputs, outputs, stride=stride, spectral=True)
            for inputs, outputs, stride in (
                (self.channels + 2, d, 1),
                (d, d, 1),
                (d, 4 * d, 2),
                (4 * d, 2 * d, 1),
                (2 * d, 1, 1),
            )
        )

    def forward(self, latent: Tensor, borders: Tensor, coarse: Tensor) -> Tensor:
        """Map to a patch (n, 1, 32, 32, 32).

        Args:
            latent: Shape (n, 5120): a 16^3 image, then a vector of 1024.
            borders: The seven patches before this one, shape (n, 7, 32, 32, 32).
            coarse: The coarse field of patch and borders, shape (n, 1, 32, 32, 32).
        """
        side = self.coarse_side
        image, vector = torch.split(latent, [side**3, 1024], dim=1)
        encoded = flipped(borders)
        for layer in self.encoder:
            encoded = leaky(layer(encoded))
        x = leaky(self.dense(torch.cat([encoded.flatten(1), vector], dim=1)))
        x = x.reshape(-1, self.channels, side, side, side)
        image = image.reshape(-1, 1, side, side, side)
        return _chain(self.deconvolutions, torch.cat([x, last_octant(coarse), image], dim=1))


class M2Critic(nn.Module):
    """Table 4, lower half: the cube of patch and borders, its smooth version, their difference."""

    def __init__(self, sizes: M2Sizes) -> None:
        super().__init__()
        d = sizes.width
        self.sizes = sizes
        self.convolutions = nn.ModuleList(
            Conv(3, inputs, outputs, stride=stride, spectral=True)
            for inputs, outputs, stride in (
                (3, d, 1),
                (d, 2 * d, 2),
                (2 * d, 4 * d, 2),
                (4 * d, d, 1),
                (d, d, 2),
            )
        )
        widths = [512 * d, *([sizes.dense] if sizes.dense else []), 1]
        self.dense = _dense(widths)

    def forward(self, patch: Tensor, borders: Tensor, coarse: Tensor) -> Tensor:
        """Map (n, 1, 32, 32, 32) and its condition to scores (n,)."""
        x = _cube_and_smooth(patch, borders, coarse, self.sizes.factor)
        return _verdict(self.dense, leaky(_chain(self.convolutions, x)).flatten(1))


class M1Generator(nn.Module):
    """Table 5, upper half: borders as channels, eight inception modules of stride 1."""

    def __init__(self, sizes: M1Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.latent_shape = (1, PATCH, PATCH, PATCH)
        widths = [2 + BORDERS, *[sizes.width] * 7, 1]
        self.inceptions = _inceptions(widths, [1] * 8, spectral=False)

    def forward(self, latent: Tensor, borders: Tensor, coarse: Tensor) -> Tensor:
        """Map to a patch (n, 1, 32, 32, 32).

        Args:
            latent: Shape (n, 1, 32, 32, 32).
            borders: The seven patches before this one, shape (n, 7, 32, 32, 32).
            coarse: The coarse field of patch and borders, shape (n, 1, 16, 16, 16).
        """
        smooth = enlarged(last_octant(coarse), self.sizes.factor)
        return functional.relu(
            _chain(self.inceptions, torch.cat([latent, smooth, flipped(borders)], dim=1))
        )


class M1Critic(nn.Module):
    """Table 5, lower half: eight inception modules, PSD features, three dense layers."""

    def __init__(self, sizes: M1Sizes) -> None:
        super().__init__()
        d = sizes.width
        self.sizes = sizes
        widths = [3, 2 * d, 2 * d, d, d, d, d, d, d]
        self.inceptions = _inceptions(widths, [2, 1, 1, 1, 1, 1, 2, 2], spectral=False)
        self.psd = ShellSums(3, 2 * PATCH)
        self.dense = _dense([512 * d + self.psd.shells, 64, 16, 1])

    def forward(self, patch: Tensor, borders: Tensor, coarse: Tensor) -> Tensor:
        """Map (n, 1, 32, 32, 32) and its condition to scores (n,)."""
        x = _cube_and_smooth(patch, borders, coarse, self.sizes.factor)
        features = leaky(_chain(self.inceptions, x)).flatten(1)
        return _verdict(self.dense, torch.cat([features, self.psd(x[:, :1])], dim=1))


class UniscaleGenerator(nn.Module):
    """Appendix C: the next patch from attenuated borders and noise alone."""

    def __init__(self, sizes: UniscaleSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.latent_shape = (1, PATCH, PATCH, PATCH)
        widths = [1 + BORDERS, *[sizes.width] * 7, 1]
        self.inceptions = _inceptions(widths, [1] * 8, spectral=True)

    def forward(self, latent: Tensor, borders: Tensor) -> Tensor:
        """Map (n, 1, 32, 32, 32) and borders (n, 7, 32, 32, 32) to (n, 1, 32, 32, 32)."""
        x = torch.cat([latent, flipped(attenuated(borders))], dim=1)
        return functional.relu(_chain(self.inceptions, x))


class UniscaleCritic(nn.Module):
    """Appendix C: the cube of patch and borders, with |FFT| and PSD features."""

    def __init__(self, sizes: UniscaleSizes) -> None:
        super().__init__()
        d = sizes.width
        self.sizes = sizes
        widths = [2, 2 * d, 2 * d, d, d // 2, d // 4, 2]
        self.inceptions = _inceptions(widths, [2, 2, 2, 1, 1, 1], spectral=True)
        self.psd = ShellSums(3, 2 * PATCH)
        self.dense = _dense([2 * 8**3 + self.psd.shells, 64, 16, 1])

    def forward(self, patch: Tensor, borders: Tensor) -> Tensor:
        """Map (n, 1, 32, 32, 32) and its borders to scores (n,)."""
        cube = assembled(patch, borders)
        x = torch.cat([cube, fourier_amplitude(cube, 3)], dim=1)
        features = leaky(_chain(self.inceptions, x)).flatten(1)
        return _verdict(self.dense, torch.cat([features, self.psd(cube)], dim=1))


class FlatGenerator(nn.Module):
    """Appendix E: a dense layer and five deconvolutions to a square."""

    def __init__(self, sizes: FlatSizes) -> None:
        super().__init__()
        w = sizes.width
        self.sizes = sizes
        self.latent_shape = (2 * sizes.side,)
        self.dense = Dense(2 * sizes.side, 8 * (sizes.side // 8) ** 2)
        widths = [8, w, 2 * w, 4 * w, 2 * w, 1]
        self.deconvolutions = nn.ModuleList(
            Deconv(2, inputs, outputs, stride=stride)
            for inputs, outputs, stride in zip(widths, widths[1:], (1, 2, 2, 2, 1), strict=False)
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Map (n, 2 side) to (n, 1, side, side)."""
        side = self.sizes.side // 8
        x = leaky(self.dense(latent)).reshape(-1, 8, side, side)
        return _chain(self.deconvolutions, x)


class FlatCritic(nn.Module):
    """Appendix E: five convolutions and a dense layer."""

    def __init__(self, sizes: FlatSizes) -> None:
        super().__init__()
        w = sizes.width
        self.sizes = sizes
        widths = [1, w, 2 * w, 4 * w, 2 * w, w]
        self.convolutions = nn.ModuleList(
            Conv(2, inputs, outputs, stride=stride)
            for inputs, outputs, stride in zip(widths, widths[1:], (1, 2, 2, 2, 1), strict=False)
        )
        self.dense = Dense(w * (sizes.side // 8) ** 2, 1)

    def forward(self, field: Tensor) -> Tensor:
        """Map (n, 1, side, side) to scores (n,)."""
        return _verdict([self.dense], leaky(_chain(self.convolutions, field)).flatten(1))


def _layer(plain: type[Conv] | type[Deconv], inception: bool) -> Callable[..., nn.Module]:
    """Return what makes a layer of the tables, or the inception module in its place."""
    return partial(Inception, plain) if inception else plain


def _inceptions(widths: list[int], strides: list[int], *, spectral: bool) -> nn.ModuleList:
    return nn.ModuleList(
        Inception(Conv, 3, inputs, outputs, stride=stride, spectral=spectral)
        for inputs, outputs, stride in zip(widths, widths[1:], strides, strict=False)
    )


def _dense(widths: list[int]) -> nn.ModuleList:
    return nn.ModuleList(Dense(inputs, outputs) for inputs, outputs in pairwise(widths))


def _chain(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    """Apply layers with the leaky ReLU between them."""
    first, *others = layers
    x = first(x)
    for layer in others:
        x = layer(leaky(x))
    return x


def _verdict(layers: Iterable[nn.Module], features: Tensor) -> Tensor:
    return _chain(layers, features)[:, 0]


def _cube_and_smooth(patch: Tensor, borders: Tensor, coarse: Tensor, factor: int) -> Tensor:
    """Return the 64^3 cube, its smooth version and their difference as channels."""
    cube, smooth = assembled(patch, borders), enlarged(coarse, factor)
    return torch.cat([cube, smooth, cube - smooth], dim=1)
