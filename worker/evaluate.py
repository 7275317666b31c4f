"""From an archive to a score report, one field at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cubes.archive import read_fields
from cubes.preview import Preview
from cubes.tracks import Track
from scoring import Floor, ScoreReport, SetStatistics, compare, set_statistics


@dataclass(frozen=True)
class Evaluation:
    """What a submission is worth, the statistics that say so, and what pages show of its fields."""

    report: ScoreReport
    statistics: SetStatistics
    preview: bytes


def evaluate_archive(
    path: Path,
    track: Track,
    held_out: SetStatistics,
    floor: Floor,
    *,
    progress: Callable[[int], None],
    device: str = "cpu",
    threads: int = 1,
) -> Evaluation:
    """Score the fields of an archive against a track's held-out statistics.

    Args:
        path: The archive.
        track: What its fields must look like.
        held_out: Statistics of the held-out fields.
        floor: Distances of fresh real sets from them.
        progress: Called before each field with the number of those that went before; what it
            raises ends the evaluation.
        device: Where the histograms are computed, "cpu" or "cuda".
        threads: Fields that are worked on at a time.

    Raises:
        ArchiveError: If the archive is not a valid submission to the track.
    """
    preview = Preview(track)

    def seen() -> Iterator[npt.NDArray[np.generic]]:
        for done, field in enumerate(read_fields(path, track)):
            progress(done)
            preview.add(field)
            yield field

    statistics = set_statistics(seen(), device=device, threads=threads)
    report = compare(held_out, statistics, floor=floor)
    return Evaluation(report, statistics, preview.to_bytes())
