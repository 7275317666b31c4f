"""Which part of a file a client asks for (RFC 9110, section 14)."""

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=(?!-$)(\d{0,18})-(\d{0,18})")


class UnsatisfiableRangeError(ValueError):
    """The range begins behind the end of the file."""


@dataclass(frozen=True)
class ByteRange:
    """The bytes from `start` to before `stop`."""

    start: int
    stop: int

    def __len__(self) -> int:
        """Return the number of bytes."""
        return self.stop - self.start


def requested_range(header: str | None, size: int) -> ByteRange | None:
    """Return the one range that a Range header asks for, None where it asks for all.

    A header that is not valid, or asks for several ranges, is passed over, as it may be.

    Raises:
        UnsatisfiableRangeError: There is nothing at that place.
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    if first:
        found = ByteRange(int(first), min(int(last) + 1, size) if last else size)
    else:
        found = ByteRange(max(0, size - int(last)), size)
    if found.start >= found.stop:
        raise UnsatisfiableRangeError(f"There are {size} bytes.")
    return found
