"""How many maxima a field has at each height, as a smooth function of the field."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from baseline.data import to_network

_WIDTH = 5  # voxels along each axis of the neighbourhood, as in the peak histogram
_NODES = 17
_SHARPNESS = 0.02  # network values below its neighbourhood's maximum at which a voxel counts 1/e
_RARE = 0.3  # counts below it are alike: the logarithm of none must be finite


class SoftPeaks(nn.Module):
    """Logarithms of soft counts of maxima, by height.

    A voxel counts exp(-(m - x) / 0.02), where m is the maximum of its 5^3 neighbourhood, which
    ends at the faces as it does in the peak histogram. It is shared by the two nearest heights.

    Args:
        lowest: Where maxima are, as ln(x + e) of the density x.
        highest: The same, at the other end; heights are equidistant between them.
    """

    heights: Tensor

    def __init__(self, lowest: float, highest: float) -> None:
        super().__init__()
        nodes = np.linspace(lowest, highest, _NODES)
        self.register_buffer("heights", to_network(np.exp(nodes) - math.e))

    @property
    def features(self) -> int:
        """Numbers that a field is mapped to."""
        return len(self.heights)

    def forward(self, fields: Tensor) -> Tensor:
        """Map network values (n, 1, side, side, side) to log counts (n, features)."""
        highest = functional.max_pool3d(fields, _WIDTH, stride=1, padding=_WIDTH // 2)
        weight = torch.exp((fields - highest) / _SHARPNESS).flatten(1)
        height = fields.flatten(1)
        last = len(self.heights) - 1
        inside = height.clamp(self.heights[0], self.heights[last])
        upper = torch.searchsorted(self.heights, inside.detach()).clamp(1, last)
        left, right = self.heights[upper - 1], self.heights[upper]
        share = (inside - left) / (right - left)
        counts = torch.zeros(len(fields), last + 1, device=fields.device)
        counts = counts.scatter_add(1, upper - 1, weight * (1 - share))
        counts = counts.scatter_add(1, upper, weight * share)
        return torch.log(counts + _RARE)
