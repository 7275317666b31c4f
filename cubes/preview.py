"""Slices of a set of fields, small enough to be sent to a page: grey levels of log density."""

import gzip
import io
from typing import Any

import numpy as np
import numpy.typing as npt

from cubes.tracks import Track

DECADES = 5.0
"""Level 255 is a density of 10^5 particles per voxel, level 0 an empty voxel."""

MAX_SIDE = 128
"""Frames are no larger: slices of larger fields are averaged, in log density."""

MAX_FRAMES = 64
"""A 3D field gives no more slices than this, evenly spaced; a 2D set as many of its fields."""

Frames = npt.NDArray[np.uint8]


class Preview:
    """Collects what is shown of a set of fields while they pass by.

    That is the first field of a 3D set, slice by slice, or the first fields of a 2D set.
    """

    def __init__(self, track: Track) -> None:
        """Begin the preview of a submission to the track."""
        self._track = track
        self._frames: list[Frames] = []

    def add(self, field: npt.NDArray[Any]) -> None:
        """Take the next field; those that are not shown cost nothing."""
        if self._track.ndim == 2:
            if len(self._frames) < MAX_FRAMES:
                self._frames.append(_frame(field))
        elif not self._frames:
            step = max(1, -(-len(field) // MAX_FRAMES))
            self._frames = [_frame(slice_) for slice_ in field[::step]]

    def to_bytes(self) -> bytes:
        """Return the frames, shape (frames, side, side), as a gzipped .npy of uint8."""
        buffer = io.BytesIO()
        np.save(buffer, np.stack(self._frames), allow_pickle=False)
        return gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)


def _frame(slice_: npt.NDArray[Any]) -> Frames:
    levels = np.log10(slice_.astype(np.float64) + 1) * (255 / DECADES)
    factor = -(-len(slice_) // MAX_SIDE)
    if factor > 1:
        side = len(slice_) // factor
        cut = levels[: side * factor, : side * factor]
        levels = cut.reshape(side, factor, side, factor).mean(axis=(1, 3))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
