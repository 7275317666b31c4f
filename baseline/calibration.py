"""Calibration on training cubes: an isotropic filter, then a map of quantiles.

A generator comes close to the mean spectrum and the one-point distribution of real fields; both
are known from the training fields far better than a critic teaches them. The filter acts on
network values, the map voxel by voxel after it, and both are found together, by iteration.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from baseline.data import from_network
from baseline.shells import Shells

_LEVELS = torch.special.ndtr(torch.linspace(-5.0, 5.0, 1001, dtype=torch.float64)).numpy()
_MODES = 24  # the filter is constant over shells that hold as many modes together
_TAIL = 200  # nodes of the map, from 3 to 5 standard deviations of a Gaussian field
_DAMPING = 0.7
_GAINS = (0.1, 10.0)  # a generator further off needs training, not a filter

Array = npt.NDArray[Any]


class Calibration(nn.Module):
    """Filter and quantile map of one stage's samples.

    Buffers:
        gain: Factor of the modes of each |k|^2, shape (largest |k|^2 + 1,).
        source: Rising network values that the map takes, shape (1001,).
        target: The values that it gives for them.
    """

    gain: Tensor
    of_mode: Tensor
    source: Tensor
    target: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        self.shells = Shells.of_side(side)
        self.register_buffer("gain", torch.ones(len(self.shells.modes)))
        of_mode = torch.from_numpy(self.shells.of_mode)
        self.register_buffer("of_mode", of_mode, persistent=False)
        self.register_buffer("source", torch.arange(len(_LEVELS), dtype=torch.float32))
        self.register_buffer("target", torch.arange(len(_LEVELS), dtype=torch.float32))

    def forward(self, values: Tensor) -> Tensor:
        """Map network values (n, 1, side, side, side) to calibrated ones."""
        return self._mapped(self._filtered(values))

    @torch.no_grad()
    def fit(self, generated: Tensor, cubes: Tensor, passes: int) -> None:
        """Find the filter and the map that give generated fields the statistics of real ones.

        Args:
            generated: Network values of a stage's samples, shape (n, 1, side, side, side).
            cubes: Network values of training cubes, shape (m, side, side, side).
            passes: Corrections of the filter; with none, values are mapped and nothing is filtered.
        """
        bins = _bins(self.shells)
        real = _log_power(self.shells, bins, from_network(cubes))
        self.target.copy_(_quantiles(cubes))
        gain = np.ones(len(real))
        for _ in range(passes):
            self._set(gain, bins, generated)
            reached = _log_power(self.shells, bins, from_network(self(generated)[:, 0]))
            gain = np.clip(gain * np.exp(_DAMPING / 2 * (real - reached)), *_GAINS)
        self._set(gain, bins, generated)

    def _set(self, gain: Array, bins: Array, generated: Tensor) -> None:
        self.gain.copy_(torch.from_numpy(gain[bins]))
        self.gain[0] = 1.0  # the mean has no power
        self.source.copy_(_quantiles(self._filtered(generated)))

    def _filtered(self, values: Tensor) -> Tensor:
        axes = (-3, -2, -1)
        spectrum = torch.fft.rfftn(values, dim=axes) * self.gain[self.of_mode]
        filtered: Tensor = torch.fft.irfftn(spectrum, s=values.shape[-3:], dim=axes)
        return filtered

    def _mapped(self, values: Tensor) -> Tensor:
        last = len(self.source) - 1
        inside = values.clamp(self.source[0], self.source[last]).contiguous()
        upper = torch.searchsorted(self.source, inside).clamp(1, last)
        left, right = self.source[upper - 1], self.source[upper]
        # Nodes are equal where many values are.
        share = torch.where(right > left, (inside - left) / (right - left), 0.0)
        mapped = torch.lerp(self.target[upper - 1], self.target[upper], share)
        # The outermost nodes are single voxels: beyond them the tail goes on by its mean slope.
        above, below = self._slope(last - _TAIL, last), self._slope(0, _TAIL)
        beyond = values - inside
        return mapped + beyond.clamp_min(0) * above + beyond.clamp_max(0) * below

    def _slope(self, lower: int, upper: int) -> Tensor:
        width = (self.source[upper] - self.source[lower]).clamp_min(1e-6)
        return (self.target[upper] - self.target[lower]) / width


def _bins(shells: Shells) -> Array:
    """Return the bin of every |k|^2: neighbouring shells, `_MODES` modes or a little more."""
    before = np.cumsum(shells.modes) - shells.modes
    bins = (before / _MODES).astype(np.intp)
    return np.unique(bins, return_inverse=True)[1]


def _log_power(shells: Shells, bins: Array, fields: Array) -> Array:
    """Return the mean over fields of the logarithm of each bin's power, which is what is scored."""
    modes = np.maximum(np.bincount(bins, shells.modes), 1)
    logs = []
    for field in fields:
        total = np.bincount(bins, shells.power(field) * shells.modes)
        logs.append(np.log(np.maximum(total / modes, 1e-10)))
    mean: Array = np.mean(logs, axis=0)
    return mean


def _quantiles(values: Tensor) -> Tensor:
    return torch.from_numpy(np.quantile(values.numpy(), _LEVELS).astype(np.float32))
