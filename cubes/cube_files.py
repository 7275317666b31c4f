"""Full cubes of one's own: a file each, in any format that can be packed."""

from collections.abc import Iterator
from pathlib import Path

from cubes.archive import Field, check_field
from cubes.errors import ArchiveError, CubeSourceError
from cubes.pack import fields_of_files, files_to_pack
from cubes.simulate import FULL_CUBE


class CubeFiles:
    """The cubes of a folder, one a file, read one at a time in the order of the files' names.

    Args:
        folder: Holds .npz, .npy or HDF5 files.

    Attributes:
        names: File name of each cube.

    Raises:
        CubeSourceError: There is none.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise CubeSourceError(f"{folder} is no folder: give the folder that the cubes are in.")
        self._paths = files_to_pack([folder])
        self.names = tuple(path.name for path in self._paths)

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self._paths)

    def __iter__(self) -> Iterator[Field]:
        """Yield each cube, shape (256, 256, 256), in particles per voxel, as it is stored."""
        for path in self._paths:
            yield _read_cube(path)


def _read_cube(path: Path) -> Field:
    cubes: list[Field] = []
    try:
        for name, cube in fields_of_files([path], FULL_CUBE, None):
            check_field(cube, name)
            cubes.append(cube)
    except ArchiveError as error:
        raise CubeSourceError(str(error)) from error
    if len(cubes) != 1:
        raise CubeSourceError(
            f"{path} holds {len(cubes)} cubes: save each in a file of its own, so that training "
            "and held-out sets can be told apart."
        )
    return cubes[0]
