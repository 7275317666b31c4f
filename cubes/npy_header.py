"""The header of a .npy array, read without evaluating it.

NumPy evaluates the header as a Python literal and builds whatever dtype it names. A field is a
plain real array, so a pattern is enough, and nothing else gets through.
"""

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cubes.errors import ArchiveError

MAX_HEADER_BYTES = 10_000
"""Longest header text that is read, as in NumPy."""

_MAGIC = b"\x93NUMPY"
_ITEM = r"'(descr|fortran_order|shape)' ?: ?('[^']*'|\[[^\]]*\]|True|False|\([0-9, ]*\))"
_HEADER = re.compile(rf" *\{{ *{_ITEM} *, *{_ITEM} *, *{_ITEM} *,? *\}} *\n?")
_REAL_DTYPE = re.compile(r"'([<>|=]?[iuf][0-9]{1,2})'")
_DIMENSION = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class NpyHeader:
    """What the header declares: `length` bytes of header, then an array of `dtype` and `shape`."""

    length: int
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran_order: bool

    @property
    def nbytes(self) -> int:
        """Bytes of the array that follows."""
        return math.prod(self.shape) * self.dtype.itemsize


def npy_header(name: str, read: Callable[[int], bytes]) -> NpyHeader:
    """Parse a .npy header.

    Args:
        name: The member's name, for messages.
        read: Returns exactly the next n bytes, or raises.

    Raises:
        ArchiveError: `bad_header`, `pickled` (an object array) or `wrong_dtype`.
    """
    start = read(8)
    if not start.startswith(_MAGIC) or start[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ArchiveError(
            "bad_header", f"Member {name!r} is not a NumPy array: save it with numpy.savez."
        )
    size = struct.Struct("<H" if start[6] == 1 else "<I")
    (length,) = size.unpack(read(size.size))
    if length > MAX_HEADER_BYTES:
        raise ArchiveError(
            "bad_header", f"The array header of {name!r} is too long: save it with numpy.savez."
        )
    descr, fortran_order, shape = _header_items(name, read(length).decode("latin-1"))
    return NpyHeader(
        length=len(start) + size.size + length,
        dtype=_real_dtype(name, descr),
        shape=_shape(name, shape),
        fortran_order=fortran_order == "True",
    )


def _header_items(name: str, text: str) -> tuple[str, str, str]:
    match = _HEADER.fullmatch(text)
    items = dict(zip(match.groups()[::2], match.groups()[1::2], strict=True)) if match else {}
    if len(items) != 3 or items["fortran_order"] not in ("True", "False"):
        raise ArchiveError(
            "bad_header", f"The array header of {name!r} is malformed: save it with numpy.savez."
        )
    return items["descr"], items["fortran_order"], items["shape"]


def _real_dtype(name: str, descr: str) -> np.dtype[np.generic]:
    if descr.strip("'").lstrip("<>|=").startswith("O"):
        raise ArchiveError(
            "pickled",
            f"Member {name!r} holds Python objects, which are never unpickled: save a plain "
            "numeric array.",
        )
    if match := _REAL_DTYPE.fullmatch(descr):
        try:
            return np.dtype(match[1])
        except TypeError:
            pass
    raise ArchiveError(
        "wrong_dtype",
        f"Member {name!r} has dtype {descr[:40]!a}: save real integers or floats, such as float32.",
    )


def _shape(name: str, text: str) -> tuple[int, ...]:
    parts = text.strip("()").replace(" ", "").split(",")
    if parts[-1] == "":
        parts.pop()
    if len(parts) > 8 or not all(_DIMENSION.fullmatch(part) for part in parts):
        raise ArchiveError(
            "bad_header", f"The array shape of {name!r} is malformed: save it with numpy.savez."
        )
    return tuple(int(part) for part in parts)
