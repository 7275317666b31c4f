"""What an archive may be, what comes out of it, and what is written."""

import io
import itertools
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cubes.archive import (
    ArchiveError,
    ArchiveLayout,
    inspect_archive,
    mean_warning,
    read_fields,
    write_archive,
)
from cubes.tracks import TRACKS, Track
from tests.archives import density_fields, entries_of
from tests.hostile_zips import HONEST
from tests.zips import Entry, npy_bytes, zip_bytes

SMALL = Track("small", ndim=3, side=6, count=3, mean=31.5)

REAL_DTYPES = [np.dtype(code) for code in "bBhHiIqQefdg"]

many_files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def as_yielded(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What `read_fields` promises to make of an array."""
    if array.dtype.char == "e":
        return array.astype(np.float32)
    if array.dtype.char == "g":
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="))


@st.composite
def small_archives(draw: st.DrawFn) -> tuple[list[np.ndarray[Any, Any]], bytes]:
    """Some fields, and an archive of them in any of the ways that the format allows."""
    ndim, count = draw(st.integers(2, 3)), draw(st.integers(2, 4))
    side = draw(st.integers(2, 5))
    method = draw(st.sampled_from([0, 8, 12, 14]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def fields() -> Iterator[np.ndarray[Any, Any]]:
        dtype = draw(st.sampled_from(REAL_DTYPES)).newbyteorder(draw(st.sampled_from("<>")))
        for _ in range(count):
            yield (rng.integers(0, 100, (side,) * ndim) + np.eye(side)).astype(dtype)

    if draw(st.booleans()):
        members = list(fields())
        return members, zip_bytes([Entry(b"x.npy", npy_bytes(np.array(members)), method)])
    orders = st.sampled_from([np.ascontiguousarray, np.asfortranarray])
    members = [draw(orders)(field) for field in fields()]
    names = sorted(draw(st.sets(st.text("abXY09_-.", min_size=1), min_size=count, max_size=count)))
    entries = [
        Entry(f"{name}.npy".encode(), npy_bytes(field), method)
        for name, field in zip(names, members, strict=True)
    ]
    return members, zip_bytes(draw(st.permutations(entries)))


@many_files
@given(small_archives())
def test_every_layout_dtype_and_order_reads_back_as_it_was(
    tmp_path: Path, archive: tuple[list[np.ndarray[Any, Any]], bytes]
) -> None:
    fields, data = archive
    path = tmp_path / "x.npz"
    path.write_bytes(data)
    read = list(read_fields(path))
    assert len(read) == len(fields)
    for got, saved in zip(read, fields, strict=True):
        expected = as_yielded(saved)
        assert got.dtype == expected.dtype
        assert got.dtype.isnative
        assert got.flags.c_contiguous
        assert got.flags.aligned
        np.testing.assert_array_equal(got, expected)
    layout = inspect_archive(path)
    assert (layout.count, layout.shape) == (len(fields), fields[0].shape)
    assert layout.dtype == np.result_type(*(field.dtype for field in read))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_saves_is_taken(tmp_path: Path, save: Any) -> None:
    fields = density_fields(SMALL)
    save(tmp_path / "stack.npz", cubes=np.array(fields))
    save(tmp_path / "each.npz", *fields)
    for name in ("stack", "each"):
        np.testing.assert_array_equal(list(read_fields(tmp_path / f"{name}.npz", SMALL)), fields)
    assert inspect_archive(tmp_path / "stack.npz", SMALL) == ArchiveLayout(
        3, (6, 6, 6), np.dtype(np.float32), stacked=True, members=("cubes",)
    )
    assert inspect_archive(tmp_path / "each.npz", SMALL) == ArchiveLayout(
        3, (6, 6, 6), np.dtype(np.float32), stacked=False, members=("arr_0", "arr_1", "arr_2")
    )


def test_what_numpy_writes_to_a_pipe_is_taken(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise io.UnsupportedOperation

        seek = tell  # type: ignore[assignment]

    fields = density_fields(SMALL)
    np.savez_compressed(pipe := Pipe(), *fields)
    (tmp_path / "x.npz").write_bytes(pipe.getvalue())
    np.testing.assert_array_equal(list(read_fields(tmp_path / "x.npz", SMALL)), fields)


@pytest.mark.parametrize(
    "build",
    HONEST.values(),
    ids=HONEST,
)
def test_rare_but_valid_structure_is_taken(tmp_path: Path, build: Any) -> None:
    (tmp_path / "x.npz").write_bytes(build(SMALL))
    np.testing.assert_array_equal(
        list(read_fields(tmp_path / "x.npz", SMALL)), density_fields(SMALL)
    )


def test_members_are_taken_in_the_order_of_their_names(tmp_path: Path) -> None:
    fields = [np.full((4, 4), value, np.uint8) for value in (1, 2, 3, 4)]
    names = ["b-1", "b", "B", "a10"]
    entries = [
        Entry(f"{name}.npy".encode(), npy_bytes(field))
        for name, field in zip(names, fields, strict=True)
    ]
    (tmp_path / "x.npz").write_bytes(zip_bytes(entries))
    assert inspect_archive(tmp_path / "x.npz").members == ("B", "a10", "b", "b-1")
    assert [field[0, 0] for field in read_fields(tmp_path / "x.npz")] == [3, 4, 2, 1]


@pytest.mark.parametrize(
    ("shapes", "count", "shape"),
    [
        ([(5, 5, 5)], 5, (5, 5)),
        ([(4, 5, 5)], 4, (5, 5)),
        ([(4, 5, 5, 5)], 4, (5, 5, 5)),
        ([(5, 5, 5)] * 2, 2, (5, 5, 5)),
        ([(5, 5)] * 3, 3, (5, 5)),
    ],
)
def test_without_a_track_any_square_or_cube_is_taken(
    tmp_path: Path, shapes: list[tuple[int, ...]], count: int, shape: tuple[int, ...]
) -> None:
    np.savez(tmp_path / "x.npz", *[np.ones(shape, np.uint16) for shape in shapes])
    layout = inspect_archive(tmp_path / "x.npz")
    assert (layout.count, layout.shape) == (count, shape)
    assert len(list(read_fields(tmp_path / "x.npz"))) == count


@pytest.mark.parametrize(
    ("shapes", "code"),
    [
        ([(1, 5, 5)], "wrong_count"),
        ([(5, 5)], "wrong_count"),
        ([(4, 5, 6)], "wrong_shape"),
        ([(2, 2, 5, 5, 5)], "wrong_shape"),
        ([(5, 5), (6, 6)], "wrong_shape"),
        ([(1, 1)] * 4, "wrong_shape"),
        ([(2, 5, 5), (2, 5, 5)], "wrong_shape"),
    ],
)
def test_without_a_track_what_is_not_a_set_of_fields_is_refused(
    tmp_path: Path, shapes: list[tuple[int, ...]], code: str
) -> None:
    np.savez(tmp_path / "x.npz", *[np.ones(shape, np.uint16) for shape in shapes])
    with pytest.raises(ArchiveError) as refusal:
        inspect_archive(tmp_path / "x.npz")
    assert refusal.value.code == code


def test_a_fault_names_the_field_and_the_voxel(tmp_path: Path) -> None:
    fields = density_fields(SMALL)
    fields[2][1, 2, 3] = np.nan
    np.savez(tmp_path / "x.npz", *fields)
    stream = read_fields(tmp_path / "x.npz", SMALL)
    np.testing.assert_array_equal([next(stream), next(stream)], fields[:2])
    with pytest.raises(ArchiveError, match=r"Field 2 \(in 'arr_2'\).*voxel \(1, 2, 3\)"):
        next(stream)


def test_a_fault_after_the_last_value_still_refuses_a_stack(tmp_path: Path) -> None:
    content = npy_bytes(np.array(density_fields(SMALL)))
    entry = Entry(b"x.npy", content, local={"crc": 5}, central={"crc": 5})
    (tmp_path / "x.npz").write_bytes(zip_bytes([entry]))
    stream = read_fields(tmp_path / "x.npz", SMALL)
    next(stream), next(stream)
    with pytest.raises(ArchiveError, match="checksum"):
        next(stream)


@many_files
@given(seed=st.integers(0, 2**32))
def test_damage_anywhere_is_refused_or_harmless(tmp_path: Path, seed: int) -> None:
    """Whatever bytes change: a reason code, or the very fields; never another exception."""
    rng = random.Random(seed)
    fields = density_fields(SMALL)
    method = rng.choice([0, 8, 12, 14])
    data = bytearray(zip_bytes([Entry(e.name, e.content, method) for e in entries_of(fields)]))
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(data))
        data[at : at + rng.choice([0, 1, 1, 4])] = rng.randbytes(rng.choice([0, 1, 1, 4]))
    (tmp_path / "x.npz").write_bytes(data)
    with suppress(ArchiveError):
        assert len(list(read_fields(tmp_path / "x.npz", SMALL))) == SMALL.count


class TestWriting:
    @pytest.mark.parametrize("compression", ["stored", "deflated", "bzip2"])
    def test_numpy_reads_what_is_written(self, tmp_path: Path, compression: Any) -> None:
        fields = density_fields(SMALL)
        assert write_archive(tmp_path / "x.npz", iter(fields), compression=compression) == 3
        with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
            assert archive.files == ["field_00000", "field_00001", "field_00002"]
            np.testing.assert_array_equal([archive[name] for name in archive.files], fields)
        np.testing.assert_array_equal(list(read_fields(tmp_path / "x.npz", SMALL)), fields)

    @many_files
    @given(small_archives())
    def test_what_was_read_is_written_and_read_again(
        self, tmp_path: Path, archive: tuple[list[np.ndarray[Any, Any]], bytes]
    ) -> None:
        fields, _ = archive
        write_archive(tmp_path / "x.npz", fields)
        for got, given_field in zip(read_fields(tmp_path / "x.npz"), fields, strict=True):
            expected = as_yielded(given_field)
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got, expected)

    def test_the_same_fields_give_the_same_bytes(self, tmp_path: Path) -> None:
        fields = density_fields(SMALL)
        write_archive(tmp_path / "a.npz", fields)
        write_archive(tmp_path / "b.npz", [np.asfortranarray(field) for field in fields])
        assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()

    def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
        self, tmp_path: Path
    ) -> None:
        def interrupted() -> Iterator[np.ndarray[Any, Any]]:
            yield from density_fields(SMALL)
            raise KeyboardInterrupt

        (tmp_path / "x.npz").write_bytes(b"old")
        with pytest.raises(KeyboardInterrupt):
            write_archive(tmp_path / "x.npz", interrupted())
        assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
        assert (tmp_path / "x.npz").read_bytes() == b"old"

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ([], "wrong_count"),
            ([np.ones((4, 5))], "wrong_shape"),
            ([np.ones((4, 4)), np.ones((5, 5))], "wrong_shape"),
            ([np.ones((4, 4), complex)], "wrong_dtype"),
            ([np.array([[{}, {}], [{}, {}]])], "wrong_dtype"),
            ([np.zeros((4, 4))], "empty_field"),
            ([-np.ones((4, 4))], "negative"),
            ([np.full((4, 4), np.nan)], "not_finite"),
        ],
    )
    def test_what_would_not_be_read_is_not_written(
        self, tmp_path: Path, fields: list[Any], code: str
    ) -> None:
        with pytest.raises(ArchiveError) as refusal:
            write_archive(tmp_path / "x.npz", fields)
        assert refusal.value.code == code
        assert not list(tmp_path.iterdir())

    def test_names_sort_in_field_order_for_every_track(self, tmp_path: Path) -> None:
        write_archive(tmp_path / "x.npz", density_fields(SMALL))
        (name, *_) = inspect_archive(tmp_path / "x.npz").members
        digits = len(name.removeprefix("field_"))
        assert max(track.count for track in TRACKS.values()) <= 10**digits


class TestMeanWarning:
    @pytest.mark.parametrize("track", TRACKS.values(), ids=TRACKS)
    def test_the_mean_of_the_track_and_its_neighbours_pass(self, track: Track) -> None:
        assert all(mean_warning(track.mean * off, track) is None for off in (0.75, 1, 1.3))

    @pytest.mark.parametrize(
        ("mean", "track", "hint"),
        [
            (8.5, "3d-256", "mapped"),
            (6.4, "3d-64", "mapped"),
            (1.0, "3d-64", "overdensities"),
            (64.0, "3d-64", "block means"),
            (5000.0, "2d-64", "particles per voxel"),
        ],
    )
    def test_each_common_mistake_is_named(self, mean: float, track: str, hint: str) -> None:
        warning = mean_warning(mean, TRACKS[track])
        assert warning is not None
        assert hint in warning
        assert warning.endswith(".")


def test_tracks_cover_every_shape_and_count_of_the_challenge() -> None:
    table = {name: (track.shape, track.count) for name, track in TRACKS.items()}
    assert table == {
        "3d-256": ((256, 256, 256), 30),
        "3d-64": ((64, 64, 64), 30),
        "3d-32": ((32, 32, 32), 30),
        "2d-256": ((256, 256), 256),
        "2d-128": ((128, 128), 1024),
        "2d-64": ((64, 64), 4096),
        "2d-32": ((32, 32), 16384),
    }
    assert TRACKS["2d-64"].box_side == pytest.approx(87.5)
    assert TRACKS["3d-64"].box_side == 350
    assert all(a.voxels >= b.voxels for a, b in itertools.pairwise(list(TRACKS.values())[:3]))
