"""From real fields to a reference that submissions can be scored against."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from board.references import NewReference
from cubes.demo import demo_fields
from cubes.preview import MAX_FRAMES, Preview
from cubes.tracks import TRACKS
from scoring import SetStatistics, compare, floor_from_pool, set_statistics

DEMO_LABEL = "demo: simulated for this project, and public"


def demo_reference(track: str) -> NewReference:
    """Build the reference of a demo track from the demo's fields."""
    training, training_hash = _hashed_statistics(demo_fields(track, "train"))
    held_out, held_out_hash = _hashed_statistics(demo_fields(track, "held-out"))
    floor = floor_from_pool(training, held_out)
    return NewReference(
        track=track,
        content_hash=held_out_hash,
        label=DEMO_LABEL,
        provenance={
            "source": "cubes/demo",
            "held_out": {"sha256": held_out_hash, "count": len(held_out)},
            "training": {"sha256": training_hash, "count": len(training)},
        },
        held_out=held_out.to_bytes(),
        training=training.to_bytes(),
        floor=floor,
        real_cubes=compare(held_out, training, floor=floor),
        training_preview=_preview(track, demo_fields(track, "train")),
    )


def _preview(track: str, fields: Iterable[npt.NDArray[Any]]) -> bytes:
    """Return what the pages show of a set of fields."""
    preview = Preview(TRACKS[track])
    for field in itertools.islice(fields, MAX_FRAMES):
        preview.add(field)
    return preview.to_bytes()


def _hashed_statistics(fields: Iterable[npt.NDArray[Any]]) -> tuple[SetStatistics, str]:
    """Return the statistics of fields, and the SHA-256 of their shapes and float32 values."""
    digest = hashlib.sha256()

    def hashed() -> Iterator[npt.NDArray[Any]]:
        for field in fields:
            digest.update(f"{field.shape}".encode())
            digest.update(np.ascontiguousarray(field, "<f4").data)
            yield field

    statistics = set_statistics(hashed())
    return statistics, digest.hexdigest()
