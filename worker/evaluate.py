"""From an archive to a score report, one field at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cubes.archive import read_fields
from cubes.tracks import Track
from scoring import Floor, ScoreReport, SetStatistics, compare, set_statistics


@dataclass(frozen=True)
class Evaluation:
    """What a submission is worth, and the statistics that say so."""

    report: ScoreReport
    statistics: SetStatistics


def evaluate_archive(
    path: Path,
    track: Track,
    held_out: SetStatistics,
    floor: Floor,
    *,
    progress: Callable[[int], None],
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
        threads: Fields that are worked on at a time.

    Raises:
        ArchiveError: If the archive is not a valid submission to the track.
    """
    statistics = set_statistics(_reported(read_fields(path, track), progress), threads=threads)
    return Evaluation(compare(held_out, statistics, floor=floor), statistics)


def _reported(
    fields: Iterator[npt.NDArray[np.generic]], progress: Callable[[int], None]
) -> Iterator[npt.NDArray[np.generic]]:
    for done, field in enumerate(fields):
        progress(done)
        yield field
