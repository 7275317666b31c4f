"""The published cubes are read from a zip or folder, all of them or none."""

import hashlib
import itertools
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from cubes.errors import CubeSourceError
from cubes.zenodo import CUBES, ZIP_MD5, ZIP_NAME, PublishedCubes

NAMES = [f"256_nbody_350Mpc_{number}.h5" for number in range(CUBES)]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of thirty cubes that are mostly holes: cube i holds i + 1 in its first slice."""
    folder = tmp_path_factory.mktemp("published")
    for number, name in enumerate(NAMES):
        write_cube(folder / name, number + 1)
    return folder


def write_cube(path: Path, value: float, shape: tuple[int, ...] = (256, 256, 256)) -> None:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", shape, np.uint32, chunks=(1, *shape[1:]))
        data[0] = value


def copied(published: Path, folder: Path) -> Path:
    for file in published.iterdir():
        (folder / file.name).hardlink_to(file)
    return folder


def zipped(folder: Path, path: Path, prefix: str = "") -> tuple[Path, str]:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir(), reverse=True):
            archive.write(file, prefix + file.name)
        archive.writestr("__MACOSX/._256_nbody_350Mpc_0.h5", b"junk")
        archive.writestr("README.md", b"about")
    return path, hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def firsts(cubes: PublishedCubes, count: int = 2) -> list[int]:
    """What the first cubes hold in their first slice."""
    return [int(cube[0, 0, 0]) for cube in itertools.islice(cubes, count)]


def test_a_folder_is_read_in_the_order_of_numbers(published: Path) -> None:
    cubes = PublishedCubes(published)
    assert len(cubes) == CUBES
    assert cubes.names == tuple(NAMES)
    assert firsts(cubes, CUBES) == list(range(1, CUBES + 1))


def test_a_cube_is_what_was_stored(published: Path) -> None:
    cube = next(iter(PublishedCubes(published)))
    assert cube.shape == (256, 256, 256)
    assert cube.dtype == np.uint32
    assert cube.sum() == 256**2


@pytest.mark.parametrize("prefix", ["", "nbody/cubes/"])
def test_a_zip_is_read_without_unpacking(published: Path, tmp_path: Path, prefix: str) -> None:
    path, md5 = zipped(published, tmp_path / ZIP_NAME, prefix)
    for source in (path, tmp_path):
        cubes = PublishedCubes(source, md5=md5)
        assert cubes.names == tuple(NAMES)
        assert firsts(cubes) == [1, 2]
    assert [file.name for file in tmp_path.iterdir()] == [ZIP_NAME]


def test_numbers_may_start_at_one_and_files_lie_deep(published: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    copied(published, tmp_path / "deep")
    (tmp_path / "deep" / NAMES[0]).rename(tmp_path / "256_nbody_350Mpc_30.h5")
    write_cube(tmp_path / "256_nbody_70Mpc_0.h5", 5)
    cubes = PublishedCubes(tmp_path)
    assert cubes.names == (*NAMES[1:], "256_nbody_350Mpc_30.h5")
    assert firsts(cubes) == [2, 3]


def test_another_zip_is_refused_by_its_checksum(published: Path, tmp_path: Path) -> None:
    path, _ = zipped(published, tmp_path / "x.zip")
    with pytest.raises(CubeSourceError, match=f"instead of {ZIP_MD5}"):
        PublishedCubes(path)


def test_missing_cubes_are_named(published: Path, tmp_path: Path) -> None:
    copied(published, tmp_path)
    for number in (3, 17):
        (tmp_path / NAMES[number]).unlink()
    with pytest.raises(CubeSourceError, match=rf"lacks {NAMES[3]}, {NAMES[17]}:"):
        PublishedCubes(tmp_path)


def test_surplus_cubes_are_named(published: Path, tmp_path: Path) -> None:
    copied(published, tmp_path)
    write_cube(tmp_path / "256_nbody_350Mpc_77.h5", 1)
    with pytest.raises(CubeSourceError, match=r"also has 256_nbody_350Mpc_77\.h5"):
        PublishedCubes(tmp_path)


def test_cubes_that_are_there_twice_are_named(published: Path, tmp_path: Path) -> None:
    copied(published, tmp_path)
    (tmp_path / "again").mkdir()
    shutil.copy(tmp_path / NAMES[4], tmp_path / "again")
    with pytest.raises(CubeSourceError, match=f"has twice {NAMES[4]}"):
        PublishedCubes(tmp_path)


def test_an_empty_folder_and_no_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CubeSourceError, match="lacks 256_nbody_350Mpc_1"):
        PublishedCubes(tmp_path)
    with pytest.raises(CubeSourceError, match="does not exist"):
        PublishedCubes(tmp_path / "nowhere")
    (tmp_path / "x.zip").write_text("no zip")
    with pytest.raises(CubeSourceError, match="neither a folder nor a zip"):
        PublishedCubes(tmp_path / "x.zip")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: path.write_bytes(b"no HDF5"), "cannot be read"),
        (lambda path: write_cube(path, 1, (64, 64, 64)), "of shape"),
        (lambda path: write_cube(path, 1, (2**13, 2**13, 2**13)), "of shape"),
        (lambda path: write_cube(path, 0), "zero everywhere"),
        (lambda path: h5py.File(path, "w").close(), "cannot be read"),
        (lambda path: h5py.File(path, "w").create_group("data").file.close(), "of shape"),
    ],
)
def test_a_damaged_cube_is_named(
    published: Path, tmp_path: Path, spoil: object, problem: str
) -> None:
    copied(published, tmp_path)
    (tmp_path / NAMES[1]).unlink()
    spoil(tmp_path / NAMES[1])
    cubes = iter(PublishedCubes(tmp_path))
    next(cubes)
    with pytest.raises(CubeSourceError, match=rf"{NAMES[1]}.*{problem}"):
        next(cubes)
