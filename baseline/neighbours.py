"""A patch and the seven before it: octants of a cube of twice the side (section 4.2)."""

import torch
from torch import Tensor
from torch.nn import functional

OFFSETS = ((0, 1, 0), (1, 0, 0), (1, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1))
"""Borders in the published order y, x, xy, z, zy, zx, zyx: along which axes each comes before."""

BORDERS = len(OFFSETS)
"""Patches before a patch."""

_AXES = (-3, -2, -1)


def split(cube: Tensor) -> tuple[Tensor, Tensor]:
    """Cut a cube of side 2p into its last octant (n, 1, p, p, p) and borders (n, 7, p, p, p)."""
    borders = [_octant(cube, offset) for offset in OFFSETS]
    return last_octant(cube), torch.cat(borders, dim=1)


def assembled(patch: Tensor, borders: Tensor) -> Tensor:
    """Put patch and borders back into the cube that `split` cut."""
    octants = {(0, 0, 0): patch}
    octants |= {offset: borders[:, i : i + 1] for i, offset in enumerate(OFFSETS)}
    planes = []
    for x in (1, 0):
        rows = [torch.cat([octants[x, y, 1], octants[x, y, 0]], dim=-1) for y in (1, 0)]
        planes.append(torch.cat(rows, dim=-2))
    return torch.cat(planes, dim=-3)


def last_octant(cube: Tensor) -> Tensor:
    """Return the octant of the patch itself, the one with the highest indices."""
    return _octant(cube, (0, 0, 0))


def flipped(borders: Tensor) -> Tensor:
    """Flip each border along the axes in which it is offset, so that shared faces align."""
    channels = []
    for i, offset in enumerate(OFFSETS):
        axes = [axis for axis, before in zip(_AXES, offset, strict=True) if before]
        channels.append(borders[:, i : i + 1].flip(axes))
    return torch.cat(channels, dim=1)


def attenuated(borders: Tensor) -> Tensor:
    """Weigh borders down with the distance from the patch, from 1 at its face to 0 at the far."""
    side = borders.shape[-1]
    ramp = torch.linspace(0, 1, side, dtype=borders.dtype, device=borders.device)
    weights = []
    for offset in OFFSETS:
        weight = torch.ones(side, side, side, dtype=borders.dtype, device=borders.device)
        for axis, before in enumerate(offset):
            if before:
                weight = weight * ramp.reshape([-1 if a == axis else 1 for a in range(3)])
        weights.append(weight)
    return borders * torch.stack(weights)


def enlarged(coarse: Tensor, factor: int) -> Tensor:
    """Repeat every voxel over factor^3 fine ones: a deconvolution with a constant kernel."""
    return functional.interpolate(coarse, scale_factor=float(factor), mode="nearest")


def shrunk(fine: Tensor, factor: int) -> Tensor:
    """Return the means of blocks of factor^3 voxels."""
    return functional.avg_pool3d(fine, factor)


def _octant(cube: Tensor, offset: tuple[int, int, int]) -> Tensor:
    side = cube.shape[-1] // 2
    x, y, z = (slice(0, side) if before else slice(side, 2 * side) for before in offset)
    return cube[..., x, y, z]
