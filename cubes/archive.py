"""Archives of fields: validate and stream an untrusted .npz one field at a time; write one.

An archive holds either one array `(count, side, ...)` in C order, or `count` arrays `(side, ...)`,
taken in the order of their names, in any order in memory. Values are real integers or floats of
either byte order, finite and not negative, and no field is all zero. Members may be stored,
deflated, or compressed by bzip2 or LZMA. Nothing is ever unpickled.
"""

import os
import secrets
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from cubes.errors import ArchiveError
from cubes.inflate import MemberReader, fast_zlib
from cubes.npy_header import NpyHeader, npy_header
from cubes.tracks import Track
from cubes.zip_members import BZIP2, LZMA, Member, zip_members

__all__ = [
    "ArchiveError",
    "ArchiveLayout",
    "Compression",
    "Field",
    "inspect_archive",
    "mean_warning",
    "read_fields",
    "write_archive",
]

Compression = Literal["stored", "deflated", "bzip2"]
"""How an archive is written."""

Field = npt.NDArray[Any]
"""A density field: 2D or 3D, one side, particles per voxel."""

MAX_FIELD_BYTES = 2**30
"""Largest field taken where no track says what to expect: 512³ of float64."""

MAX_BLOCK_COMPRESSED_MEMBERS = 256
"""Most members compressed by bzip2 or LZMA: their first byte costs a block or a dictionary."""

DENSITY_RANGE = (1e-20, 1e30)
"""The largest value of a field must lie between: single precision holds its square and its mean."""

_COMPRESSIONS = {
    "stored": (zipfile.ZIP_STORED, None),
    "deflated": (zipfile.ZIP_DEFLATED, 1),
    "bzip2": (zipfile.ZIP_BZIP2, 9),
}
_MEAN_TOLERANCE = 1.5


@dataclass(frozen=True)
class ArchiveLayout:
    """What an archive declares.

    Attributes:
        count: Number of fields.
        shape: Shape of one field.
        dtype: A dtype, as `read_fields` yields them, that holds every field.
        stacked: Whether the fields are one array `(count, *shape)` rather than one array each.
        members: Names of the arrays, without `.npy`, in field order: one if stacked, else `count`.
    """

    count: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stacked: bool
    members: tuple[str, ...]


@dataclass(frozen=True)
class _Array:
    """One array of the archive: where it is and what its header declares."""

    name: str
    member: Member
    header: NpyHeader


def inspect_archive(path: str | PathLike[str], track: Track | None = None) -> ArchiveLayout:
    """Check an archive's directory and array headers, and return what it declares.

    Costs about 0.1 ms an array and no more memory than the directory; no field is read. Without a
    track any square or cubic side, 2D or 3D, and any count from two passes; an array of three axes
    is then a stack of 2D fields if it is alone, else a 3D field.

    Raises:
        ArchiveError: With a reason code and a sentence that says what to do.
        OSError: The file cannot be read.
    """
    with open(path, "rb") as file:
        return _layout(_arrays(file), track)


def read_fields(path: str | PathLike[str], track: Track | None = None) -> Iterator[Field]:
    """Yield the validated fields of an archive in order, one at a time.

    Fields are C-contiguous, in native byte order, with the dtype they were saved in, but for
    float16, which becomes float32, and long double, which is rounded to float64. At most two
    fields and one copy are in memory. What `inspect_archive` refuses is refused before the first
    field; a fault further on raises when it is met, so nothing counts until the iterator has ended.

    Raises:
        ArchiveError: With a reason code and a sentence that says what to do.
        OSError: The file cannot be read.
    """
    with open(path, "rb") as file:
        arrays = _arrays(file)
        layout = _layout(arrays, track)
        index = 0
        for array in arrays:
            reader = MemberReader(file, array.member, fast_zlib())
            reader.read(array.header.length)
            fields_here = layout.count if layout.stacked else 1
            for left in reversed(range(fields_here)):
                field = _read_field(reader, array.header, layout.shape)
                if not left:
                    reader.finish()
                check_field(field, f"Field {index} (in {array.name!r})")
                yield field
                index += 1


def write_archive(
    path: str | PathLike[str],
    fields: Iterable[npt.ArrayLike],
    *,
    compression: Compression = "deflated",
) -> int:
    """Write fields, as they come, to an archive of one array each, and return their number.

    Arrays are named `field_00000`, `field_00001`, ...; the same fields give the same bytes (with
    the same zlib). The file appears under its name once it is complete. Fields are checked as
    `read_fields` checks them.

    Args:
        path: Where to write; an existing file is replaced.
        fields: Arrays of one shape.
        compression: `stored` reads fastest, `deflated` is written quickly (level 1: a ninth of the
            time of level 6 for a tenth more bytes), `bzip2` is the smallest.

    Raises:
        ArchiveError: A field would not be accepted by `read_fields`.
    """
    method, level = _COMPRESSIONS[compression]
    count = 0
    shape: tuple[int, ...] | None = None
    with (
        replaced_file(Path(path)) as file,
        zipfile.ZipFile(file, "w", method, compresslevel=level) as archive,
    ):
        for given in fields:
            field = _native(np.asarray(given))
            _check_side(field.shape, f"Field {count}")
            if shape not in (None, field.shape):
                raise ArchiveError(
                    "wrong_shape", f"Field {count} has shape {field.shape}, not {shape} as before."
                )
            shape = field.shape
            check_field(field, f"Field {count}")
            _write_array(archive, f"field_{count:05d}", field)
            count += 1
        if not count:
            raise ArchiveError("wrong_count", "There is no field to write.")
    return count


def mean_warning(mean: float, track: Track) -> str | None:
    """Return a sentence where a submission's mean density cannot be that of real fields, or None.

    Args:
        mean: Mean over all fields, in particles per voxel.
        track: What was submitted to.
    """
    if track.mean / _MEAN_TOLERANCE <= mean <= track.mean * _MEAN_TOLERANCE:
        return None
    if 0.9 <= mean <= 1.1:
        hint = "these look like overdensities 1 + δ: multiply them by the mean density"
    elif mean < 12:
        hint = "these look like mapped values: map them back to densities first"
    elif track.mean < 64 and 0.9 <= mean / 64 <= 1.1:
        hint = "these look like block means of densities: average mapped values, then map back"
    else:
        hint = "check that these are densities in particles per voxel"
    return f"The mean is {mean:.4g}, where real fields of {track.name} have {track.mean:g}; {hint}."


def check_field(field: Field, label: str) -> None:
    """Refuse a field that is not a density: not finite, negative or all zero.

    Raises:
        ArchiveError: `not_finite`, `negative` or `empty_field`; the message starts with `label`.
    """
    lowest, highest = field.min(), field.max()  # NaN if any value is
    smallest_peak, largest = DENSITY_RANGE
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        place = _place(~np.isfinite(field))
        raise ArchiveError(
            "not_finite", f"{label} is NaN or infinite at voxel {place}: generate it again."
        )
    if lowest < 0:
        place = _place(field < 0)
        raise ArchiveError(
            "negative",
            f"{label} is negative at voxel {place}: a density is 0 or more, clip it or map it back "
            "from the mapped domain.",
        )
    if highest < smallest_peak:
        raise ArchiveError("empty_field", f"{label} is zero everywhere: generate it again.")
    if highest > largest:
        raise ArchiveError(
            "not_finite", f"{label} reaches {highest:.3g}: save densities in particles per voxel."
        )


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` once it is complete, or leaves no trace."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _arrays(file: BinaryIO) -> list[_Array]:
    """Return the archive's arrays in name order, their headers read."""
    members = zip_members(file)
    for member in members:
        if not member.name.endswith(".npy"):
            raise ArchiveError(
                "unexpected_member",
                f"{member.name!r} is not a .npy array: leave only the fields in the archive.",
            )
        if member.compressed_size > member.size + member.size // 8 + 4096:
            raise ArchiveError(
                "too_large",
                f"{member.name!r} is larger compressed than not: write the archive again.",
            )
    blocks = sum(member.method in (BZIP2, LZMA) for member in members)
    if blocks > MAX_BLOCK_COMPRESSED_MEMBERS:
        raise ArchiveError(
            "unsupported_compression",
            f"{blocks} members are compressed by bzip2 or LZMA: write so many with "
            "numpy.savez_compressed, or as one array.",
        )
    arrays = [
        _Array(name, member, npy_header(name, MemberReader(file, member, zlib).read))
        for name, member in ((member.name.removesuffix(".npy"), member) for member in members)
    ]
    return sorted(arrays, key=lambda array: array.name)


def _layout(arrays: list[_Array], track: Track | None) -> ArchiveLayout:
    if not arrays:
        raise ArchiveError("wrong_count", "The archive is empty: save the fields in it.")
    first = arrays[0].header.shape
    alone = len(arrays) == 1
    stacked = alone and (first[1:] == track.shape if track else len(first) in (3, 4))
    shape = first[1:] if stacked else first
    count = first[0] if stacked else len(arrays)
    for array in arrays:
        _check_shape(array, (count, *shape) if stacked else shape, track)
        _check_size(array)
    if track is None:
        _check_side(shape, f"Array {arrays[0].name!r}")
    _check_count(count, track)
    if stacked and arrays[0].header.fortran_order:
        raise ArchiveError(
            "wrong_order",
            f"Array {arrays[0].name!r} is in Fortran order, so that no field can be read alone: "
            "pass it through numpy.ascontiguousarray.",
        )
    dtypes = [_yielded_dtype(array.header.dtype) for array in arrays]
    names = tuple(array.name for array in arrays)
    return ArchiveLayout(count, shape, np.result_type(*set(dtypes)), stacked, names)


def _check_shape(array: _Array, expected: tuple[int, ...], track: Track | None) -> None:
    shape = array.header.shape
    if track and track.shape not in (shape, shape[1:]):
        raise ArchiveError(
            "wrong_shape",
            f"Array {array.name!r} has shape {shape}: track {track.name} takes {track.count} "
            f"arrays of shape {track.shape}, or one of shape {(track.count, *track.shape)}.",
        )
    if shape != expected:
        raise ArchiveError(
            "wrong_shape",
            f"Array {array.name!r} has shape {shape}, not {expected} as the first: save fields of "
            "one shape.",
        )


def _check_size(array: _Array) -> None:
    """Hold the sizes that the directory declares against the array that the header declares."""
    member = array.member
    needed = array.header.length + array.header.nbytes
    if member.size < needed:
        raise ArchiveError(
            "truncated",
            f"Array {array.name!r} holds less than its header declares: write the archive again.",
        )
    if member.size > needed:
        raise ArchiveError(
            "too_large",
            f"Array {array.name!r} holds more than its header declares: write the archive again.",
        )


def _check_side(shape: tuple[int, ...], label: str) -> None:
    if len(shape) not in (2, 3) or len(set(shape)) != 1 or shape[0] < 2:
        raise ArchiveError(
            "wrong_shape", f"{label} has shape {shape}: a field is a square or a cube of voxels."
        )
    if shape[0] ** len(shape) > MAX_FIELD_BYTES // 8:
        raise ArchiveError("too_large", f"{label} has shape {shape}: the largest cube is 512³.")


def _check_count(count: int, track: Track | None) -> None:
    if track and count != track.count:
        change = "add" if count < track.count else "remove"
        raise ArchiveError(
            "wrong_count",
            f"The archive holds {count} fields, track {track.name} takes {track.count}: {change} "
            f"{abs(track.count - count)}.",
        )
    if not track and count < 2:
        raise ArchiveError("wrong_count", f"The archive holds {count} field: two are the least.")


def _read_field(reader: MemberReader, header: NpyHeader, shape: tuple[int, ...]) -> Field:
    if header.fortran_order:
        field: Field = np.empty(shape[::-1], header.dtype)
        reader.read_into(field.reshape(-1).view(np.uint8).data)
        return _native(field.T)
    field = np.empty(shape, header.dtype)
    reader.read_into(field.reshape(-1).view(np.uint8).data)
    return _native(field)


def _native(field: Field) -> Field:
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(field, dtype=_yielded_dtype(field.dtype))


def _yielded_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind not in "iuf":
        raise ArchiveError("wrong_dtype", f"A field cannot be of {dtype}: use float32.")
    if dtype.kind == "f":
        return np.dtype(np.float64 if dtype.itemsize >= 8 else np.float32)
    return dtype.newbyteorder("=")


def _place(wrong: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the index of the first true voxel."""
    return tuple(int(axis) for axis in np.unravel_index(int(wrong.argmax()), wrong.shape))


def _write_array(archive: zipfile.ZipFile, name: str, field: Field) -> None:
    # Opened by name, a member is dated 1980, whatever the clock says.
    with archive.open(f"{name}.npy", "w") as member:
        header = np.lib.format.header_data_from_array_1_0(field)
        np.lib.format.write_array_header_1_0(member, header)
        member.write(field.reshape(-1).view(np.uint8).data)
