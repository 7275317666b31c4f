"""From an archive to a report, without a board."""

from pathlib import Path

import numpy as np
import pytest

from cubes.archive import ArchiveError, write_archive
from cubes.demo import demo_fields
from cubes.tracks import TRACKS
from scoring import compare, floor_from_halves, set_statistics
from worker.evaluate import evaluate_archive

TRACK = TRACKS["3d-32"]


@pytest.fixture(scope="module")
def train() -> list[np.ndarray]:
    return list(demo_fields("3d-32", "train"))


def test_scores_as_the_scorer_does_and_tells_each_field(
    tmp_path: Path, train: list[np.ndarray]
) -> None:
    path = tmp_path / "train.npz"
    write_archive(path, train)
    held_out = set_statistics(demo_fields("3d-32", "held-out"))
    floor = floor_from_halves(held_out)
    told: list[int] = []

    evaluation = evaluate_archive(path, TRACK, held_out, floor, progress=told.append)

    assert told == list(range(30))
    assert evaluation.report == compare(held_out, set_statistics(train), floor=floor)


def test_ends_at_the_first_bad_field(tmp_path: Path, train: list[np.ndarray]) -> None:
    path = tmp_path / "bad.npz"
    bad = [field.copy() for field in train]
    bad[3][0, 0, 0] = -1
    np.savez(path, **{f"f{i:02}": field for i, field in enumerate(bad)})
    held_out = set_statistics(demo_fields("3d-32", "held-out"))
    told: list[int] = []

    with pytest.raises(ArchiveError, match="negative") as refusal:
        evaluate_archive(path, TRACK, held_out, floor_from_halves(held_out), progress=told.append)
    assert refusal.value.code == "negative"
    assert told == [0, 1, 2]
