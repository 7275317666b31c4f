"""Every track comes from full cubes as the challenge says."""

import itertools
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from cubes.archive import read_fields, write_archive
from cubes.simulate import FULL_CUBE
from cubes.track_fields import fields_per_cube, track_fields
from cubes.tracks import TRACKS
from cubes.transform import downscale

FLAT = [name for name in TRACKS if name.startswith("2d")]


@cache
def labelled_cube() -> npt.NDArray[np.uint32]:
    """A cube whose every voxel holds its own place."""
    return np.arange(256**3, dtype=np.uint32).reshape(256, 256, 256)


@cache
def dense_cube() -> npt.NDArray[np.uint32]:
    return np.random.default_rng(3).geometric(1 / 65, (256, 256, 256)).astype(np.uint32)


@pytest.mark.parametrize("name", TRACKS)
@pytest.mark.parametrize("cubes", [1, 7, 30])
def test_as_many_fields_as_the_track_wants_spread_evenly(name: str, cubes: int) -> None:
    track = TRACKS[name]
    counts = fields_per_cube(track, cubes)
    assert len(counts) == cubes
    assert max(counts) - min(counts) <= 1
    assert sum(counts) == (track.count if track.ndim == 2 else cubes)


@pytest.mark.parametrize("name", FLAT)
def test_crops_of_one_cube_are_all_its_tiles(name: str) -> None:
    """A track has as many crops as one cube has tiles, so each voxel comes exactly once."""
    track = TRACKS[name]
    crops = np.array(list(track_fields([labelled_cube()], track)))
    assert crops.shape == (track.count, *track.shape)
    assert np.bincount(crops.ravel()).max() == 1


@pytest.mark.parametrize("name", FLAT)
def test_a_crop_is_a_square_of_a_slice_across_the_first_axis(name: str) -> None:
    track = TRACKS[name]
    cubes = [labelled_cube()] * 30
    for crop in itertools.islice(track_fields(cubes, track), 0, None, 97):
        depth, row, column = np.unravel_index(crop, (256, 256, 256))
        assert np.ptp(depth) == 0
        assert np.ptp(row) == np.ptp(column) == track.side - 1
        np.testing.assert_array_equal(crop, labelled_cube()[depth[0, 0], row, column])
        assert crop.flags.c_contiguous


def test_crops_of_different_cubes_come_from_different_places() -> None:
    track = TRACKS["2d-256"]
    slices = [int(crop[0, 0] >> 16) for crop in track_fields([labelled_cube()] * 30, track)]
    assert len(set(slices)) > 130  # 256 drawn from 256 with replacement leave 162 on average


def test_the_seed_decides_the_crops() -> None:
    track = TRACKS["2d-256"]

    def places(seed: int) -> list[int]:
        return [int(crop[0, 0]) for crop in track_fields([labelled_cube()] * 30, track, seed)]

    assert places(0) == places(0)
    assert places(0) != places(1)


def test_full_cubes_pass_as_they_are() -> None:
    (field,) = track_fields([dense_cube()], TRACKS["3d-256"])
    assert field.dtype == np.uint32
    np.testing.assert_array_equal(field, dense_cube())


@cache
def heavy_cube() -> npt.NDArray[np.uint32]:
    """A cube with maxima beyond the cutoff of the map, as real ones have."""
    return np.random.default_rng(4).lognormal(2.5, 1.8, (256, 256, 256)).astype(np.uint32)


def real_cubes() -> list[Path]:
    """Cubes in the folder that COSMOBOARD_CUBES names, if it does."""
    folder = os.environ.get("COSMOBOARD_CUBES")
    return sorted(Path(folder).glob("*.npz")) if folder else []


def assert_composes(cube: npt.NDArray[np.uint32]) -> None:
    (of_64,) = track_fields([cube], TRACKS["3d-64"])
    (of_32,) = track_fields([cube], TRACKS["3d-32"])
    np.testing.assert_allclose(of_64, downscale(cube, 4), rtol=1e-7)
    np.testing.assert_allclose(of_32, downscale(of_64, 2), rtol=3e-7)
    assert of_64.dtype == of_32.dtype == np.float32


@pytest.mark.parametrize("cube", [dense_cube, heavy_cube])
def test_smaller_cubes_are_mapped_block_means_and_compose(
    cube: Callable[[], npt.NDArray[np.uint32]],
) -> None:
    assert cube is dense_cube or cube().max() > 20_000
    assert_composes(cube())


@pytest.mark.skipif(not real_cubes(), reason="COSMOBOARD_CUBES names no folder of real cubes")
@pytest.mark.parametrize("path", real_cubes(), ids=lambda path: path.stem)
def test_so_do_real_ones(path: Path) -> None:
    (cube,) = read_fields(path, FULL_CUBE)
    assert_composes(cube)


def test_what_is_made_is_a_valid_archive_of_its_track(tmp_path: Path) -> None:
    track = TRACKS["2d-128"]
    fields = track_fields([dense_cube()] * 2, track)
    write_archive(tmp_path / "x.npz", fields, compression="stored")
    assert sum(1 for _ in read_fields(tmp_path / "x.npz", track)) == track.count


def test_cubes_are_read_one_at_a_time() -> None:
    class Lazy:
        read = 0

        def __len__(self) -> int:
            return 3

        def __iter__(self) -> Iterator[npt.NDArray[np.uint32]]:
            for _ in range(3):
                self.read += 1
                yield dense_cube()

    lazy = Lazy()
    next(track_fields(lazy, TRACKS["2d-64"]))
    assert lazy.read == 1


def test_other_cubes_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Cube 1 has shape"):
        list(track_fields([dense_cube(), dense_cube()[:128]], TRACKS["2d-256"]))
