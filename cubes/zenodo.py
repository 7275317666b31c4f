"""The cubes that the paper published: https://zenodo.org/records/1464832.

Thirty HDF5 files `256_nbody_350Mpc_N.h5`, each with a dataset `data` of 256³ particle counts, in
one zip. They are public, and models have been trained on them: a held-out set made of them is known
to everybody.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import numpy as np

from cubes.archive import ArchiveError, Field, check_field
from cubes.download import Progress, download, require_md5
from cubes.errors import CubeSourceError
from cubes.tracks import FULL_SIDE

URL = "https://zenodo.org/records/1464832/files/nbody-cubes.zip?download=1"
ZIP_NAME = "nbody-cubes.zip"
ZIP_MD5 = "abc89d98e60d94fda703f5d176594dd9"
CUBES = 30

_CUBE_NAME = re.compile(r"256_nbody_350Mpc_(\d{1,3})\.h5")


def download_published_cubes(
    folder: Path, *, progress: Progress | None = None, url: str = URL, md5: str = ZIP_MD5
) -> Path:
    """Fetch the zip into a folder, unless it is there, and return its path.

    Args:
        folder: Made where it is missing.
        progress: Called with the bytes that are here and the bytes in all.
        url: Where from: another mirror, say.
        md5: Checksum of the zip.

    Raises:
        CubeSourceError: It cannot be had, does not fit, or has another checksum.
    """
    return download(url, folder / ZIP_NAME, md5, progress=progress)


class PublishedCubes:
    """The published cubes in a zip or folder, read one at a time in the order of their numbers.

    Args:
        path: The zip; or a folder with the files, or with the zip, as downloaded.
        md5: Checksum that the zip must have.

    Attributes:
        names: File name of each cube.

    Raises:
        CubeSourceError: Cubes are missing, which it names, or the zip is not the published one.
    """

    def __init__(self, path: Path, *, md5: str = ZIP_MD5) -> None:
        if not path.exists():
            raise CubeSourceError(f"{path} does not exist: download the cubes into it first.")
        files = _cube_files(path)
        if not files and (path / ZIP_NAME).exists():
            path = path / ZIP_NAME
            files = _cube_files(path)
        if path.is_file():
            require_md5(path, md5)
        self._path = path
        self._files = _complete_set(files, path)
        self.names = tuple(Path(file).name for file in self._files)

    def part(self, numbers: range) -> "PublishedCubes":
        """Return those of the cubes whose place in the order is in `numbers`."""
        part = copy(self)
        part._files = [self._files[number] for number in numbers]
        part.names = tuple(self.names[number] for number in numbers)
        return part

    def __len__(self) -> int:
        """Return 30, or the number of cubes of the part."""
        return len(self._files)

    def __iter__(self) -> Iterator[Field]:
        """Yield each cube, shape (256, 256, 256), in particles per voxel, as it is stored."""
        for file in self._files:
            if self._path.is_dir():
                yield _read_cube(Path(file), file)
            else:
                with zipfile.ZipFile(self._path) as archive:
                    yield _read_cube(io.BytesIO(archive.read(file)), file)


def _cube_files(path: Path) -> list[str]:
    """Return the cubes in a zip or folder, in whatever folder inside."""
    if path.is_dir():
        files = [str(file) for file in path.rglob("*.h5")]
    else:
        try:
            with zipfile.ZipFile(path) as archive:
                files = archive.namelist()
        except zipfile.BadZipFile:
            raise CubeSourceError(f"{path} is neither a folder nor a zip of cubes.") from None
    return [file for file in files if _CUBE_NAME.fullmatch(Path(file).name)]


def _complete_set(files: list[str], path: Path) -> list[str]:
    """Return all 30 cubes in the order of their numbers, which start at 0 or 1."""
    numbers = [int(Path(file).stem.rpartition("_")[2]) for file in files]
    first = 0 if 0 in numbers else 1
    expected = range(first, first + CUBES)
    for problem, wrong in (
        ("lacks", sorted(set(expected) - set(numbers))),
        ("also has", sorted(set(numbers) - set(expected))),
        ("has twice", sorted({number for number in numbers if numbers.count(number) > 1})),
    ):
        if wrong:
            names = ", ".join(f"256_nbody_350Mpc_{number}.h5" for number in wrong)
            raise CubeSourceError(
                f"{path} {problem} {names}: the published set is {CUBES} cubes, all of them."
            )
    return [file for _, file in sorted(zip(numbers, files, strict=True))]


def _read_cube(file: Path | io.BytesIO, name: str) -> Field:
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            data = opened["data"]
            shape, dtype = getattr(data, "shape", None), getattr(data, "dtype", np.dtype(object))
            if shape != (FULL_SIDE,) * 3 or dtype.kind not in "iuf":
                raise CubeSourceError(
                    f"{name} holds {dtype} of shape {shape} instead of {FULL_SIDE}³ counts: "
                    "download it again."
                )
            cube: Field = data[...]
    except (OSError, KeyError) as error:
        raise CubeSourceError(f"{name} cannot be read ({error}): download it again.") from error
    try:
        check_field(cube, name)
    except ArchiveError as error:
        raise CubeSourceError(str(error)) from error
    return cube
