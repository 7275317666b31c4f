"""Networks of the `small` configuration: what two CPU cores can train.

They depart from the paper's tables in ways that save most of the work. All are convolutional, so
that they treat every place alike as the laws of nature do:

- the first scale corrects a field that is right in spectrum and one-point distribution already;
- the up-scaling networks add detail of which every block has mean zero, so that the result shrinks
  back to its coarse input exactly; a patch sees the coarse field and the noise around it, instead
  of the patches before it;
- critics average their features over the volume.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from baseline.classical import rank_matched_power
from baseline.data import from_network, to_network
from baseline.neighbours import enlarged, shrunk
from baseline.peaks import SoftPeaks
from baseline.shells import Shells

_LEAK = 0.2
_NODES = torch.linspace(-5.0, 5.0, 1001)


@dataclass(frozen=True)
class SmallFirstSizes:
    """Sizes of the first scale: cube side, channels and 3^3 convolutions of the generator."""

    side: int = 32
    width: int = 16
    layers: int = 4


@dataclass(frozen=True)
class SmallUpscaleSizes:
    """Sizes of an up-scaling generator.

    Attributes:
        factor: Fine voxels along the side of a coarse one.
        coarse_width: Channels at the coarse resolution.
        coarse_layers: 3^3 convolutions there.
        width: Channels at the fine resolution.
        layers: 3^3 convolutions there.
        noise: Channels of white noise at the fine resolution.
        patch: Side of a patch in training, in fine voxels.
    """

    factor: int = 2
    coarse_width: int = 32
    coarse_layers: int = 3
    width: int = 16
    layers: int = 3
    noise: int = 2
    patch: int = 32

    @property
    def context(self) -> int:
        """Coarse voxels that a patch needs on each side."""
        return self.coarse_layers + -(-self.layers // self.factor)


@dataclass(frozen=True)
class SmallCriticSizes:
    """Sizes of a critic.

    Attributes:
        heights: Between which maxima are counted, as ln(x + e) of the density x.
        channels: Channels of its input; maxima are those of the first.
        width: Channels of its first layer.
        halvings: How often it halves the resolution.
    """

    heights: tuple[float, float]
    channels: int = 1
    width: int = 16
    halvings: int = 2


class ColouredNoise(nn.Module):
    """White noise, coloured and mapped to the spectrum and the values of training fields.

    It is the classical rank-matched field as a function of its noise.
    """

    amplitude: Tensor
    values: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("amplitude", torch.zeros(side, side, side // 2 + 1))
        self.register_buffer("values", torch.zeros(len(_NODES)))

    def fit(self, cubes: Tensor) -> None:
        """Take spectrum and distribution from network values of shape (n, side, side, side)."""
        train = from_network(cubes)
        shells = Shells.of_side(self.side)
        # The mean of a few cubes is noisy where shells have few modes; the true spectrum is smooth.
        power = shells.smoothed(rank_matched_power(train, seed=0))
        amplitude = np.sqrt(power / shells.variance(power) / self.side**3)[shells.of_mode]
        self.amplitude.copy_(torch.from_numpy(amplitude))
        levels = torch.special.ndtr(_NODES.double()).numpy()
        quantiles = np.quantile(train, levels)
        self.values.copy_(to_network(quantiles))

    def forward(self, white: Tensor) -> tuple[Tensor, Tensor]:
        """Return the unit Gaussian field and the field of network values, shaped as the noise."""
        axes = (-3, -2, -1)
        spectrum = torch.fft.rfftn(white, dim=axes) * self.amplitude
        gaussian = torch.fft.irfftn(spectrum, s=white.shape[-3:], dim=axes)
        return gaussian, interpolate(gaussian, _NODES, self.values)


class SmallFirstGenerator(nn.Module):
    """Correct a coloured-noise field by convolutions on the periodic cube."""

    def __init__(self, sizes: SmallFirstSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.latent_shape = (2, sizes.side, sizes.side, sizes.side)
        self.noise = ColouredNoise(sizes.side)
        widths = [3, *[sizes.width] * (sizes.layers - 1), 1]
        self.correction = _convolutions(widths, periodic=True)
        for parameter in self.correction[-1].parameters():
            nn.init.zeros_(parameter)  # training starts from the coloured noise itself

    def fit(self, cubes: Tensor) -> None:
        """Take from training cubes what is not trained: the coloured noise."""
        self.noise.fit(cubes)

    def forward(self, latent: Tensor) -> Tensor:
        """Map white noise (n, 2, side, side, side) to network values (n, 1, side, side, side)."""
        gaussian, base = self.noise(latent[:, :1])
        features = torch.cat([base, gaussian, latent[:, 1:]], dim=1)
        corrected: Tensor = base + self.correction(features)
        return corrected


class SmallUpscaleGenerator(nn.Module):
    """Add detail to a coarse patch; every block of the result has the coarse value as its mean."""

    def __init__(self, sizes: SmallUpscaleSizes) -> None:
        super().__init__()
        self.sizes = sizes
        factor, width = sizes.factor, sizes.width
        trunk = [1, *[sizes.coarse_width] * sizes.coarse_layers]
        self.coarse = nn.Sequential(
            _convolutions(trunk, periodic=False),
            nn.LeakyReLU(_LEAK),
            nn.Conv3d(sizes.coarse_width, width * factor**3, 1),
        )
        self.latent_shape = (sizes.noise, *[sizes.patch + 2 * sizes.layers] * 3)
        fine = [width + sizes.noise, *[width] * (sizes.layers - 1), 1]
        self.fine = _convolutions(fine, periodic=False)

    def forward(self, latent: Tensor, coarse: Tensor) -> Tensor:
        """Map noise and a coarse region to network values of the patch in its middle.

        Args:
            latent: White noise, shape (n, noise, p + 2 layers, ...) for a patch of side p.
            coarse: Network values, shape (n, 1, p / factor + 2 context, ...).

        Returns:
            Shape (n, 1, p, p, p).
        """
        factor = self.sizes.factor
        features = crop(shuffle(self.coarse(coarse), factor), latent.shape[-1])
        detail = self.fine(torch.cat([features, latent], dim=1))
        middle = crop(coarse, detail.shape[-1] // factor)
        result: Tensor = (
            enlarged(middle, factor) + detail - enlarged(shrunk(detail, factor), factor)
        )
        return result


class SmallCritic(nn.Module):
    """Score a field by convolutional features, averaged over the volume, and by its maxima.

    What lies between few and no maxima of a rare height is two decades in the peak histogram, and
    next to nothing in a mean over voxels: this critic counts them.
    """

    def __init__(self, sizes: SmallCriticSizes) -> None:
        super().__init__()
        self.sizes = sizes
        widths = [sizes.width * min(2**i, 4) for i in range(sizes.halvings + 1)]
        last = widths[-1]
        layers: list[nn.Module] = [nn.Conv3d(sizes.channels, widths[0], 3, padding=1)]
        for inputs, outputs in pairwise(widths):
            layers += [nn.LeakyReLU(_LEAK), nn.Conv3d(inputs, outputs, 3, stride=2, padding=1)]
        layers += [nn.LeakyReLU(_LEAK), nn.Conv3d(last, last, 1), nn.LeakyReLU(_LEAK)]
        self.features = nn.Sequential(*layers)
        self.verdict = _verdict(last, last)
        self.peaks = SoftPeaks(*sizes.heights)
        self.verdict_on_peaks = _verdict(self.peaks.features, 2 * sizes.width)

    def forward(self, field: Tensor) -> Tensor:
        """Map fields (n, channels, side, side, side) to scores (n,)."""
        features = self.features(field).mean(dim=(-3, -2, -1))
        # A mean over voxels has a gradient of norm 1 / sqrt(voxels); the penalty wants 1.
        by_features = self.verdict(features) * field[0, 0].numel() ** 0.5
        by_peaks = self.verdict_on_peaks(self.peaks(field[:, :1]))
        scores: Tensor = (by_features + by_peaks)[:, 0]
        return scores


class SmallUpscaleCritic(nn.Module):
    """Score a patch beside its coarse version, repeated, and their difference."""

    def __init__(self, sizes: SmallUpscaleSizes, critic: SmallCriticSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.critic = SmallCritic(critic)

    def forward(self, patch: Tensor, coarse: Tensor) -> Tensor:
        """Map patches (n, 1, p, p, p) on their coarse regions to scores (n,)."""
        smooth = enlarged(crop(coarse, patch.shape[-1] // self.sizes.factor), self.sizes.factor)
        scores: Tensor = self.critic(torch.cat([patch, smooth, patch - smooth], dim=1))
        return scores


def interpolate(x: Tensor, nodes: Tensor, values: Tensor) -> Tensor:
    """Interpolate linearly between values at equidistant nodes, and beyond them."""
    step = nodes[1] - nodes[0]
    position = (x - nodes[0]) / step
    lower = position.detach().floor().clamp(0, len(nodes) - 2)
    index = lower.long()
    left, right = values[index], values[index + 1]
    return left + (position - lower) * (right - left)


def shuffle(features: Tensor, factor: int) -> Tensor:
    """Spread channels over the factor^3 sub-voxels of each voxel (sub-pixel convolution)."""
    if factor == 1:
        return features
    n, channels, *sides = features.shape
    f = factor
    blocks = features.reshape(n, channels // f**3, f, f, f, *sides)
    return blocks.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(
        n, channels // f**3, *[side * f for side in sides]
    )


def crop(field: Tensor, side: int) -> Tensor:
    """Cut a cube of the given side from the middle."""
    start = (field.shape[-1] - side) // 2
    kept = slice(start, start + side)
    return field[..., kept, kept, kept]


def _verdict(features: int, width: int) -> nn.Sequential:
    """Map features to a score."""
    return nn.Sequential(nn.Linear(features, width), nn.LeakyReLU(_LEAK), nn.Linear(width, 1))


def _convolutions(widths: list[int], *, periodic: bool) -> nn.Sequential:
    """3^3 convolutions with leaky ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [_convolution(inputs, outputs, periodic), nn.LeakyReLU(_LEAK)]
    return nn.Sequential(*layers[:-1])


def _convolution(inputs: int, outputs: int, periodic: bool) -> nn.Conv3d:
    if periodic:
        return nn.Conv3d(inputs, outputs, 3, padding=1, padding_mode="circular")
    return nn.Conv3d(inputs, outputs, 3)
