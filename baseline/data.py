"""Training examples: cubes of network values, augmented on the fly, whole or in patches."""

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from baseline.neighbours import shrunk, split
from cubes.transform import backward, forward

MAPPED_UNIT = 4.0
"""Networks see mapped values (Appendix A) divided by this, about 0 to 6."""

_AXES = list(itertools.permutations((-3, -2, -1)))


class Example(NamedTuple):
    """A batch of real fields of shape (n, 1, side, ...), and what they are conditioned on."""

    real: Tensor
    condition: tuple[Tensor, ...] = ()


def to_network(density: npt.ArrayLike) -> Tensor:
    """Map densities in particles per voxel to network values, float32 of the same shape."""
    mapped = forward(np.asarray(density, np.float64)) / MAPPED_UNIT
    return torch.from_numpy(mapped.astype(np.float32))


def from_network(values: Tensor) -> npt.NDArray[np.float32]:
    """Map network values back to densities; negative ones to zero."""
    mapped = values.detach().double().cpu().numpy() * MAPPED_UNIT
    return backward(mapped).astype(np.float32)


def whole_cubes(cubes: Tensor, count: int, rng: torch.Generator) -> Example:
    """Draw cubes, each rotated or reflected and shifted (Appendix B).

    Args:
        cubes: Periodic cubes of network values, shape (n, side, side, side).
        count: Cubes to draw, with replacement.
        rng: Source of all randomness.
    """
    return Example(_regions(cubes, count, cubes.shape[-1], rng))


def neighbourhoods(
    cubes: Tensor, count: int, rng: torch.Generator, *, patch: int, factor: int | None
) -> Example:
    """Draw patches with the seven before them and, if `factor` is given, their coarse field.

    As at the start of sampling, borders beyond the first patch of an axis are zero, in the share
    of patches that are first (Appendix D).

    Returns:
        Patches (n, 1, p, p, p) on borders (n, 7, p, p, p), and on coarse (n, 1, 2p / factor, ...).
    """
    regions = _regions(cubes, count, 2 * patch, rng)
    along_axis = cubes.shape[-1] // patch
    for region in regions:
        for axis in range(1, 4):
            if _draw(along_axis, rng)[0] == 0:
                region.narrow(axis, 0, patch).zero_()
    real, borders = split(regions)
    return Example(real, (borders,) if factor is None else (borders, shrunk(regions, factor)))


def patches_in_context(
    cubes: Tensor, count: int, rng: torch.Generator, *, patch: int, factor: int, context: int
) -> Example:
    """Draw patches on the coarse field of their place, `context` coarse voxels on all sides."""
    margin = factor * context
    regions = _regions(cubes, count, patch + 2 * margin, rng)
    middle = slice(margin, margin + patch)
    return Example(regions[..., middle, middle, middle], (shrunk(regions, factor),))


def squares(cubes: Tensor, count: int, rng: torch.Generator, *, side: int) -> Example:
    """Draw 2D crops of slices, rotated or reflected."""
    drawn = []
    for index in _draw(len(cubes), rng, count):
        plane, row, column = _draw(cubes.shape[-1], rng, 3)
        crop = _periodic_crop(_periodic_crop(cubes[index, plane], 0, row, side), 1, column, side)
        crop = crop.T if _draw(2, rng)[0] else crop
        drawn.append(crop.flip([axis for axis in (0, 1) if _draw(2, rng)[0]]))
    return Example(torch.stack(drawn)[:, None])


def _regions(cubes: Tensor, count: int, side: int, rng: torch.Generator) -> Tensor:
    """Cut cubes of the given side anywhere out of periodic ones, in any of 48 orientations."""
    drawn = []
    for index in _draw(len(cubes), rng, count):
        region = cubes[index]
        for axis, start in enumerate(_draw(cubes.shape[-1], rng, 3)):
            region = _periodic_crop(region, axis, start, side)
        region = region.permute(_AXES[_draw(len(_AXES), rng)[0]])
        drawn.append(region.flip([axis for axis in range(3) if _draw(2, rng)[0]]))
    return torch.stack(drawn)[:, None]


def _periodic_crop(field: Tensor, axis: int, start: int, length: int) -> Tensor:
    index = torch.arange(start, start + length, device=field.device) % field.shape[axis]
    return field.index_select(axis, index)


def _draw(bound: int, rng: torch.Generator, count: int = 1) -> list[int]:
    drawn: list[int] = torch.randint(bound, (count,), generator=rng).tolist()
    return drawn
