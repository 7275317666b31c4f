"""Fields as people keep them become the archive that the track takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cubes.archive import ArchiveError, read_fields
from cubes.errors import CubeSourceError
from cubes.pack import pack
from cubes.tracks import Track
from cubes.transform import forward
from tests.archives import density_fields

TRACK = Track("small", ndim=3, side=6, count=3, mean=31.5)
FIELDS = np.array(density_fields(TRACK))


def save_h5(path: Path, **datasets: Any) -> None:
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file[name.replace("__", "/")] = data


KEPT: dict[str, Callable[[Path], Any]] = {
    "stack.npy": lambda p: np.save(p / "a.npy", FIELDS),
    "stack in Fortran order": lambda p: np.save(p / "a.npy", np.asfortranarray(FIELDS)),
    "one .npy each": lambda p: [np.save(p / f"{i}.npy", field) for i, field in enumerate(FIELDS)],
    "channels first": lambda p: np.save(p / "a.npy", FIELDS[:, None]),
    "channels last": lambda p: np.save(p / "a.npy", FIELDS[..., None]),
    "big-endian": lambda p: np.save(p / "a.npy", FIELDS.astype(">f4")),
    "npz": lambda p: np.savez(p / "a.npz", *FIELDS),
    "npz of a stack": lambda p: np.savez(p / "a.npz", x=FIELDS),
    "HDF5 of a stack": lambda p: save_h5(p / "a.h5", data=FIELDS),
    "HDF5 of several": lambda p: save_h5(p / "a.hdf5", **{f"g__{i}": FIELDS[i] for i in range(3)}),
    "one HDF5 each": lambda p: [save_h5(p / f"{i}.h5", data=FIELDS[i]) for i in range(3)],
    "of every kind": lambda p: (
        np.save(p / "0.npy", FIELDS[0]),
        save_h5(p / "1.h5", data=FIELDS[1][None]),
        np.savez(p / "2.npz", FIELDS[2]),
        (p / "notes.txt").write_text("ignored"),
    ),
}


@pytest.mark.parametrize("kept", KEPT)
def test_every_way_to_keep_fields_is_packed(kept: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    KEPT[kept](folder)
    out = tmp_path / "out.npz"
    assert pack([folder], out, TRACK) == pytest.approx(FIELDS.mean(dtype=np.float64))
    np.testing.assert_array_equal(list(read_fields(out, TRACK)), FIELDS)


def test_files_are_taken_in_the_order_given(tmp_path: Path) -> None:
    for name, field in zip("cab", FIELDS, strict=True):
        np.save(tmp_path / f"{name}.npy", field)
    pack([tmp_path / f"{name}.npy" for name in "cab"], tmp_path / "out.npz", TRACK)
    np.testing.assert_array_equal(list(read_fields(tmp_path / "out.npz", TRACK)), FIELDS)


def test_slices_of_a_cube_become_2d_fields(tmp_path: Path) -> None:
    flat = Track("flat", ndim=2, side=6, count=6, mean=64)
    np.save(tmp_path / "a.npy", FIELDS[0])
    pack([tmp_path / "a.npy"], tmp_path / "out.npz", flat)
    np.testing.assert_array_equal(list(read_fields(tmp_path / "out.npz", flat)), FIELDS[0])


def test_mapped_values_become_densities(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", forward(FIELDS) / 8)
    pack([tmp_path / "a.npy"], tmp_path / "out.npz", TRACK, mapped=True, scale=8)
    np.testing.assert_allclose(
        list(read_fields(tmp_path / "out.npz", TRACK)), FIELDS, rtol=1e-5, atol=1e-6
    )


def test_negative_mapped_values_become_empty_voxels(tmp_path: Path) -> None:
    mapped = forward(FIELDS)
    mapped[:, 0, 0, 0] = -1
    np.save(tmp_path / "a.npy", mapped)
    pack([tmp_path / "a.npy"], tmp_path / "out.npz", TRACK, mapped=True)
    assert all(field[0, 0, 0] == 0 for field in read_fields(tmp_path / "out.npz", TRACK))


def test_overdensities_are_scaled_by_the_mean(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", FIELDS.astype(np.float64) / 31.5)
    pack([tmp_path / "a.npy"], tmp_path / "out.npz", TRACK, scale=31.5)
    np.testing.assert_allclose(list(read_fields(tmp_path / "out.npz", TRACK)), FIELDS, rtol=1e-12)


def test_one_dataset_of_many_is_taken(tmp_path: Path) -> None:
    save_h5(tmp_path / "a.h5", fields=FIELDS, redshift=np.zeros(3))
    with pytest.raises(ArchiveError, match=r"a\.h5:redshift has shape \(3,\)"):
        pack([tmp_path / "a.h5"], tmp_path / "out.npz", TRACK)
    pack([tmp_path / "a.h5"], tmp_path / "out.npz", TRACK, dataset="fields")
    with pytest.raises(CubeSourceError, match="no_such"):
        pack([tmp_path / "a.h5"], tmp_path / "out.npz", TRACK, dataset="no_such")


@pytest.mark.parametrize(
    ("array", "code", "message"),
    [
        (FIELDS[:2], "wrong_count", "hold 2 fields.*add 1"),
        (np.concatenate([FIELDS, FIELDS]), "wrong_count", "has field 4"),
        (FIELDS[..., :5], "wrong_shape", r"shape \(3, 6, 6, 5\)"),
        (np.moveaxis(FIELDS, 0, -1), "wrong_shape", "along the first axis"),
        (FIELDS.astype(complex), "wrong_dtype", "complex128"),
        (forward(FIELDS) - 1, "negative", "Field 0 is negative"),
        (FIELDS * np.float32(np.nan), "not_finite", "Field 0 is NaN"),
    ],
)
def test_what_no_track_takes_is_refused_and_nothing_written(
    tmp_path: Path, array: Any, code: str, message: str
) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ArchiveError, match=message) as refusal:
        pack([tmp_path / "a.npy"], tmp_path / "out.npz", TRACK)
    assert refusal.value.code == code
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"text", r"a\.npy cannot be read"),
        ("a.npz", b"text", r"a\.npz cannot be read"),
        ("a.h5", b"text", r"a\.h5 cannot be read"),
        ("a.mat", b"text", r"a\.mat is not one of \.h5"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CubeSourceError, match=message):
        pack([tmp_path / name], tmp_path / "out.npz", TRACK)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}, {}]), allow_pickle=True)
    with pytest.raises(CubeSourceError, match="cannot be read"):
        pack([tmp_path / "a.npy"], tmp_path / "out.npz", TRACK)


def test_missing_and_empty_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(CubeSourceError, match="nowhere"):
        pack([tmp_path / "nowhere.npy"], tmp_path / "out.npz", TRACK)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CubeSourceError, match="empty holds no"):
        pack([tmp_path / "empty"], tmp_path / "out.npz", TRACK)
