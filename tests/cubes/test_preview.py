"""What pages show of a set of fields."""

import gzip
import io

import numpy as np
import pytest

from cubes.preview import DECADES, Preview
from cubes.tracks import TRACKS


def frames(track, fields):
    preview = Preview(TRACKS[track])
    for field in fields:
        preview.add(field)
    return np.load(io.BytesIO(gzip.decompress(preview.to_bytes())), allow_pickle=False)


@pytest.mark.parametrize(
    ("track", "count", "shape"),
    [
        ("3d-32", 2, (32, 32, 32)),
        ("3d-64", 1, (64, 64, 64)),
        ("3d-256", 1, (64, 128, 128)),
        ("2d-32", 100, (64, 32, 32)),
        ("2d-256", 3, (3, 128, 128)),
    ],
)
def test_frames_are_few_and_small(track, count, shape):
    fields = (np.ones(TRACKS[track].shape, np.uint8) for _ in range(count))
    assert frames(track, fields).shape == shape


def test_levels_are_log_densities():
    densities = 10.0 ** np.arange(6) - 1  # 0, 9, 99, ...: a decade each
    field = np.zeros((32, 32, 32))
    field[0, 0, :6] = densities
    levels = frames("3d-32", [field])[0, 0, :7]
    np.testing.assert_array_equal(levels, np.rint(np.array([0, 1, 2, 3, 4, 5, 0]) * 255 / DECADES))


def test_beyond_the_last_level_nothing_wraps():
    assert frames("3d-32", [np.full((32, 32, 32), 1e9)]).min() == 255


def test_a_3d_preview_is_of_the_first_field_along_its_first_axis():
    first = np.arange(32.0)[:, None, None] * np.ones((32, 32, 32))
    shown = frames("3d-32", [first, np.zeros_like(first)])
    np.testing.assert_array_equal(shown[:, 0, 0], np.rint(np.log10(np.arange(32) + 1) * 51))


def test_large_slices_are_averaged_in_log_density():
    field = np.zeros((256, 256))
    field[::2] = 99  # halfway between 0 and 2 decades
    np.testing.assert_array_equal(frames("2d-256", [field]), 51)
