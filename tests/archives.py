"""An archive that a track accepts, and what distorts it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cubes.tracks import Track
from tests.zips import Entry, npy_bytes, zip_bytes


def density_fields(track: Track, seed: int = 1) -> list[np.ndarray[Any, Any]]:
    """Fields that the track accepts: independent, float32, at its mean."""
    rng = np.random.default_rng(seed)
    return [rng.gamma(1.0, track.mean, track.shape).astype(np.float32) for _ in range(track.count)]


def entries_of(fields: list[np.ndarray[Any, Any]]) -> list[Entry]:
    return [Entry(b"field_%05d.npy" % i, npy_bytes(field)) for i, field in enumerate(fields)]


Build = Callable[[Track], bytes]


@dataclass(frozen=True)
class Hostile:
    """One hostile archive.

    Attributes:
        build: Makes the bytes, for a track.
        code: The reason code with which it is refused.
        seen: `inspect` if the directory and headers already tell, `read` if only the data do.
    """

    build: Build
    code: str
    seen: str = "inspect"

    def write(self, path: Path, track: Track) -> Path:
        path.write_bytes(self.build(track))
        return path


def honest(track: Track) -> bytes:
    """The archive that all the others distort."""
    return zip_bytes(entries_of(density_fields(track)))


def changed_first(**changes: Any) -> Build:
    """The honest archive but for its first entry."""

    def build(track: Track) -> bytes:
        first, *others = entries_of(density_fields(track))
        return zip_bytes([replace(first, **changes), *others])

    return build


def changed_first_content(change: Callable[[bytes, Track], bytes]) -> Build:
    def build(track: Track) -> bytes:
        first, *others = entries_of(density_fields(track))
        return zip_bytes([replace(first, content=change(first.content, track)), *others])

    return build
