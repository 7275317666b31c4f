"""Chains of trained stages: from noise to the fields of a track."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from torch import Tensor

from baseline.data import from_network
from baseline.networks import FlatSizes
from baseline.sampling import Latents, stage_fields
from baseline.weights import WEIGHTS, Weights, read_weights

CHAINS = MappingProxyType(
    {
        "3d-32": ("m3",),
        "3d-64": ("m3", "m2"),
        "3d-256": ("m3", "m2", "m1"),
        "2d-256": ("2d-256",),
        "2d-128": ("2d-128",),
        "2d-64": ("2d-64",),
        "2d-32": ("2d-32",),
    }
)
"""The stages that lead to each track's fields."""

_VOXELS = 2**23  # that a batch of fields may hold: a few of 256^3 fit in memory with all they need


@dataclass(frozen=True)
class Chain:
    """Trained stages, each starting from the last one's fields."""

    stages: tuple[Weights, ...]

    @property
    def voxels(self) -> int:
        """Voxels in a field."""
        stage = self.stages[-1].stage
        if isinstance(stage.sizes, FlatSizes):
            return int(stage.sizes.side**2)
        return stage.side**3

    def to(self, device: str) -> "Chain":
        """Bring the generators to a device."""
        for weights in self.stages:
            weights.generator.to(device)
        return self

    def values(self, fields: Sequence[int], seed: int, start: Tensor | None = None) -> Tensor:
        """Draw network values of shape (n, 1, side, ...).

        Args:
            fields: Numbers of the fields: the same number and seed give the same field.
            seed: The sampling seed.
            start: Coarse fields to start from, in place of a first scale.
        """
        values = start
        for weights in self.stages:
            stage = weights.stage
            latents = Latents(seed, stage.name)
            values = stage_fields(weights.generator, values, latents, fields, side=stage.side)
            if weights.calibration is not None:
                values = weights.calibration(values)
        assert values is not None  # noqa: S101
        return values

    def densities(self, count: int, seed: int) -> Iterator[npt.NDArray[np.float32]]:
        """Draw fields in particles per voxel, one at a time."""
        batch = max(1, _VOXELS // self.voxels)
        for start in range(0, count, batch):
            fields = range(start, min(start + batch, count))
            yield from from_network(self.values(fields, seed)[:, 0])


def read_chain(stages: Sequence[str], configuration: str, folder: Path = WEIGHTS) -> Chain:
    """Read trained stages.

    Args:
        stages: Names of the stages, those of a track as in `CHAINS`.
        configuration: `small` or `paper`.
        folder: Where `<configuration>-<stage>.safetensors` are.

    Raises:
        TensorFileError: A stage is not there, or its file is damaged or of another version.
    """
    files = [folder / f"{configuration}-{stage}.safetensors" for stage in stages]
    return Chain(tuple(map(read_weights, files)))
