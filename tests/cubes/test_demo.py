"""The demo's fields are what their README says."""

from functools import cache
from typing import Any, Literal

import numpy as np
import pytest

from cubes.archive import Field, check_field, mean_warning
from cubes.demo import demo_fields
from cubes.tracks import TRACKS


@cache
def fields(name: str, part: Literal["train", "held-out"]) -> list[Field]:
    return list(demo_fields(name, part))


PARTS: list[Literal["train", "held-out"]] = ["train", "held-out"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["3d-64", "3d-32"])
def test_they_are_a_valid_set_of_their_track(name: str, part: Literal["train", "held-out"]) -> None:
    track = TRACKS[name]
    means = []
    for field in fields(name, part):
        assert field.shape == track.shape
        check_field(field, "A demo field")
        means.append(field.mean(dtype=np.float64))
    assert len(means) == track.count
    assert np.mean(means) == pytest.approx(track.mean, rel=0.01)
    assert mean_warning(float(np.mean(means)), track) is None


def test_those_of_64_voxels_are_rounded_to_the_128th_and_within_the_stated_range() -> None:
    train = np.array(fields("3d-64", "train"))
    assert train.dtype == np.float32
    np.testing.assert_array_equal(train * 128, np.rint(train * 128))
    assert train.min() == pytest.approx(2.34, abs=0.01)
    assert train.max(axis=(1, 2, 3)).min() >= 700
    assert train.max() <= 7810


def test_training_and_held_out_fields_differ() -> None:
    train, held_out = (fields("3d-64", part) for part in PARTS)
    assert len({field.tobytes() for field in train + held_out}) == 60


@pytest.mark.parametrize(("name", "part"), [("3d-256", "train"), ("3d-64", "test")])
def test_what_there_is_not_is_said(name: str, part: Any) -> None:
    with pytest.raises(ValueError, match="3d-64 and 3d-32"):
        next(demo_fields(name, part))
