"""The demo's real fields: small, public, simulated for this project."""

from collections.abc import Iterator
from importlib.resources import as_file, files
from typing import Literal

import numpy as np

from cubes.archive import Field, read_fields
from cubes.tracks import TRACKS
from cubes.transform import downscale

DEMO_TRACKS = ("3d-64", "3d-32")
"""The tracks for which demo fields exist."""


def demo_fields(track_name: str, part: Literal["train", "held-out"]) -> Iterator[Field]:
    """Yield the 30 demo fields of a track, one at a time.

    They are float32, in particles per voxel; those of `3d-32` are made from those of `3d-64` by
    `cubes.transform.downscale`.

    Args:
        track_name: `3d-64` or `3d-32`.
        part: The training set, which participants may use, or the held-out set. Both are public
            here: a real challenge needs a held-out set that nobody has seen.

    Raises:
        ValueError: There are no demo fields of this track or part.
    """
    if track_name not in DEMO_TRACKS or part not in ("train", "held-out"):
        raise ValueError(
            f"There are no {part} demo fields of track {track_name}: the tracks are "
            f"{' and '.join(DEMO_TRACKS)}, the parts train and held-out."
        )
    full = TRACKS["3d-64"]
    factor = full.side // TRACKS[track_name].side
    with as_file(files(__name__) / f"{part}-64.npz") as path:
        for field in read_fields(path, full):
            yield downscale(field, factor).astype(np.float32)
