"""Real fields of every track from full cubes of 256³ voxels.

Cubes are split between training and held-out sets before anything is cut from them, so that the
two never share one.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from cubes.archive import Field
from cubes.tracks import FULL_SIDE, Track
from cubes.transform import downscale

CROP_SEED = 0
"""Pinned seed of the crops."""


class CubeSet(Protocol):
    """Full cubes, read one at a time: a list, or a folder or archive that reads them lazily."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __iter__(self) -> Iterator[Field]:
        """Yield each, shape (256, 256, 256), in particles per voxel, always in the same order."""


def fields_per_cube(track: Track, cubes: int) -> list[int]:
    """Return how many fields of a track come from each of a number of cubes, in order.

    One from each for 3D tracks. For 2D tracks their sum is the track's count, spread as evenly as
    can be. Fields of one cube are not independent: statistics over crops resample whole cubes.
    """
    if track.ndim == 3:
        return [1] * cubes
    each, left = divmod(track.count, cubes)
    return [each + (index < left) for index in range(cubes)]


def track_fields(cubes: CubeSet, track: Track, seed: int = CROP_SEED) -> Iterator[Field]:
    """Yield the real fields of a track, cube by cube as `fields_per_cube` counts them.

    3D fields below 256³ are down-scaled in the mapped domain and rounded to float32; others keep
    the dtype of their cube. 2D fields are tiles of the slices across axis 0, drawn without
    replacement, so that none overlap.

    Args:
        cubes: Full cubes.
        track: What to make.
        seed: Decides the 2D crops; a cube's do not depend on the other cubes, but for their number.

    Raises:
        ValueError: A cube is not of 256³ voxels.
    """
    counts = fields_per_cube(track, len(cubes))
    for index, (cube, count) in enumerate(zip(cubes, counts, strict=True)):
        if cube.shape != (FULL_SIDE,) * 3:
            raise ValueError(
                f"Cube {index} has shape {cube.shape}: tracks are made from {FULL_SIDE}³ voxels."
            )
        if track.ndim == 2:
            yield from _crops(cube, track.side, count, np.random.default_rng((seed, index)))
        elif track.side == FULL_SIDE:
            yield cube
        else:
            yield downscale(cube, FULL_SIDE // track.side).astype(np.float32)


def _crops(cube: Field, side: int, count: int, rng: np.random.Generator) -> Iterator[Field]:
    """Yield tiles of slices in the order in which they are drawn."""
    tiles = cube.shape[1] // side
    for drawn in rng.choice(cube.shape[0] * tiles**2, size=count, replace=False):
        depth, row, column = np.unravel_index(drawn, (cube.shape[0], tiles, tiles))
        rows = slice(row * side, (row + 1) * side)
        columns = slice(column * side, (column + 1) * side)
        yield np.ascontiguousarray(cube[depth, rows, columns])
