"""Turn fields as people keep them (HDF5, .npy, .npz, mapped values) into a valid archive."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cubes.archive import ArchiveError, Compression, Field, write_archive
from cubes.errors import CubeSourceError
from cubes.tracks import Track
from cubes.transform import backward

SUFFIXES = (".h5", ".hdf5", ".npy", ".npz")
"""What can be packed."""


def pack(
    sources: Sequence[Path],
    out: Path,
    track: Track,
    *,
    mapped: bool = False,
    scale: float = 1.0,
    dataset: str | None = None,
    compression: Compression = "deflated",
    progress: Callable[[int], None] | None = None,
) -> float:
    """Write the fields of some files, in their order, to an archive that the track takes.

    A file holds one field or a stack of them, axes of length 1 anywhere; an .npz or HDF5 file may
    hold several such arrays, taken in the order of their names.

    Args:
        sources: Files; of a folder, all that can be packed, in the order of their names.
        out: The archive; it appears when it is complete.
        track: Fixes the shape and the number of fields.
        mapped: Whether values are in the mapped domain (Appendix A) and become densities here.
        scale: Values are multiplied by it first: what the network divided by, or the mean density
            of fields of 1 + δ.
        dataset: The dataset to take from HDF5 files, where they hold others too.
        compression: As `write_archive` takes it.
        progress: Called with the number of fields that are packed.

    Returns:
        Mean density, in particles per voxel.

    Raises:
        ArchiveError: The fields are not what the track takes.
        CubeSourceError: A file cannot be read or is of another kind.
    """
    means: list[float] = []

    def densities() -> Iterator[Field]:
        for name, values in fields_of_files(files_to_pack(sources), track, dataset):
            if len(means) == track.count:
                raise ArchiveError(
                    "wrong_count",
                    f"{name} has field {track.count + 1}, but track {track.name} takes "
                    f"{track.count}: leave the others out.",
                )
            scaled = values if scale == 1 else values * scale
            density = backward(scaled) if mapped else scaled
            means.append(float(density.mean(dtype=np.float64)))
            yield density
            if progress is not None:
                progress(len(means))
        if len(means) < track.count:
            raise ArchiveError(
                "wrong_count",
                f"These files hold {len(means)} fields, track {track.name} takes {track.count}: "
                f"add {track.count - len(means)}.",
            )

    write_archive(out, densities(), compression=compression)
    return float(np.mean(means))


def files_to_pack(sources: Sequence[Path]) -> list[Path]:
    """Return the files among `sources`, and of each folder those that can be packed, by name.

    Raises:
        CubeSourceError: A folder holds none.
    """
    files = []
    for source in sources:
        if source.is_dir():
            found = sorted(path for path in source.iterdir() if path.suffix in SUFFIXES)
        else:
            found = [source]
        if not found:
            raise CubeSourceError(f"{source} holds no {', '.join(SUFFIXES)} file.")
        files += found
    return files


def fields_of_files(
    files: Sequence[Path], track: Track, dataset: str | None
) -> Iterator[tuple[str, Field]]:
    """Yield each field, unchecked but for its shape, with the name of what it came from.

    Args:
        files: Read in this order.
        track: Fixes the shape of a field.
        dataset: The dataset to take from HDF5 files, where they hold others too.

    Raises:
        ArchiveError: An array is not a field of the track, or a stack of them.
        CubeSourceError: A file cannot be read or is of another kind.
    """
    for path in files:
        try:
            for name, array in _arrays(path, dataset):
                for field in _split(array, track, name):
                    yield name, field
        except (ArchiveError, CubeSourceError):
            raise
        except (OSError, EOFError, KeyError, ValueError) as error:
            raise CubeSourceError(f"{path} cannot be read: {error}.") from error


def _arrays(path: Path, dataset: str | None) -> Iterator[tuple[str, Any]]:
    """Yield the arrays of a file, which are read when they are sliced where the format allows."""
    if path.suffix == ".npy":
        yield str(path), np.load(path, mmap_mode="r", allow_pickle=False)
    elif path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            for name in sorted(archive.files):
                yield f"{path}:{name}", archive[name]
    elif path.suffix in (".h5", ".hdf5"):
        yield from _datasets(path, dataset)
    else:
        raise CubeSourceError(f"{path} is not one of {', '.join(SUFFIXES)}: convert it first.")


def _datasets(path: Path, dataset: str | None) -> Iterator[tuple[str, Any]]:
    import h5py

    with h5py.File(path, "r") as file:
        names: list[str] = [dataset] if dataset is not None else []
        if dataset is None:
            file.visititems(
                lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
            )
        for name in sorted(names):
            yield f"{path}:{name}", file[name]


def _split(array: Any, track: Track, name: str) -> Iterator[Field]:
    """Yield the field, or the fields of the stack, that an array is."""
    shape: tuple[int, ...] = getattr(array, "shape", ())
    squeezed = tuple(side for side in shape if side != 1)
    dtype = getattr(array, "dtype", np.dtype(object))
    if dtype.kind not in "iuf":
        raise ArchiveError("wrong_dtype", f"{name} holds {dtype}: only real numbers can be packed.")
    if squeezed == track.shape:
        yield np.asarray(array[...]).reshape(track.shape)
    elif squeezed[1:] == track.shape and shape[0] == squeezed[0]:
        for index in range(shape[0]):
            yield np.asarray(array[index]).reshape(track.shape)
    else:
        raise ArchiveError(
            "wrong_shape",
            f"{name} has shape {shape}: track {track.name} takes fields of shape {track.shape}, "
            "alone or stacked along the first axis.",
        )
