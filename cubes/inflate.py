"""Member data, inflated as it is asked for and never beyond what was declared."""

import bz2
import lzma
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any, BinaryIO

from cubes.errors import ArchiveError
from cubes.zip_members import BZIP2, DEFLATED, LZMA, STORED, Member

CHUNK = 256 * 1024
"""Bytes read, and at most inflated, at a time."""

MAX_LZMA_DICTIONARY = 64 * 2**20


def fast_zlib() -> ModuleType:
    """Return `isal.isal_zlib`, about twice as fast, where it is installed; else `zlib`."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    return isal_zlib


class MemberReader:
    """A member's data from the first byte to the last, and its checksum.

    Args:
        file: The archive.
        member: As `zip_members` located it.
        zlib_module: `zlib` or `isal.isal_zlib`.
    """

    def __init__(self, file: BinaryIO, member: Member, zlib_module: ModuleType) -> None:
        self._member = member
        self._zlib = zlib_module
        self._crc = 0
        self._spare = memoryview(b"")
        self._pieces = (
            _stored_pieces(file, member, member.start)
            if member.method == STORED
            else _inflated_pieces(file, member, zlib_module)
        )

    def read(self, length: int) -> bytes:
        """Return exactly the next `length` bytes."""
        data = bytearray(length)
        self.read_into(memoryview(data))
        return bytes(data)

    def read_into(self, buffer: memoryview) -> None:
        """Fill a writable buffer of bytes with what comes next.

        Raises:
            ArchiveError: `truncated` where the member ends before, `corrupt` where it cannot be
                inflated.
        """
        filled = 0
        while filled < len(buffer):
            if not self._spare:
                piece = next(self._pieces, None)
                if piece is None:
                    raise _truncated(self._member)
                self._spare = memoryview(piece)
            taken = min(len(self._spare), len(buffer) - filled)
            buffer[filled : filled + taken] = self._spare[:taken]
            self._crc = self._zlib.crc32(self._spare[:taken], self._crc)
            self._spare = self._spare[taken:]
            filled += taken

    def finish(self) -> None:
        """Check that nothing is left, and the checksum of all that was read.

        Raises:
            ArchiveError: `too_large` where the member inflates to more than it declares, `corrupt`
                where the data are not what was written.
        """
        if len(self._spare) or next(self._pieces, b""):
            raise ArchiveError(
                "too_large",
                f"Member {self._member.name!r} inflates to more than it declares: write the "
                "archive again.",
            )
        if self._crc != self._member.crc:
            raise _corrupt(self._member, "its checksum is wrong")


def _stored_pieces(file: BinaryIO, member: Member, start: int) -> Iterator[bytes]:
    """Yield the member's bytes from `start` on as they are in the file."""
    end = member.start + member.compressed_size
    while start < end:
        file.seek(start)
        piece = file.read(min(CHUNK, end - start))
        if not piece:
            raise _truncated(member)
        start += len(piece)
        yield piece


def _inflated_pieces(file: BinaryIO, member: Member, zlib_module: ModuleType) -> Iterator[bytes]:
    """Yield non-empty pieces that hold, together, at most one byte more than declared."""
    allowance = member.size + 1
    decoder, start = _decoder(file, member, zlib_module)
    compressed = _stored_pieces(file, member, start)
    for data in compressed:
        while True:
            try:
                piece = decoder.decompress(data, min(CHUNK, allowance))
            except (zlib_module.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                raise _corrupt(member, "it cannot be inflated") from error
            allowance -= len(piece)
            if piece:
                yield piece
            if not allowance:
                return
            if decoder.eof:
                if decoder.unused_data or next(compressed, b""):
                    raise _corrupt(member, "more data follow its end")
                return
            data = getattr(decoder, "unconsumed_tail", b"")
            if not piece and not data:
                break
    if member.method != LZMA:  # whose end mark is optional
        raise _truncated(member)


def _decoder(file: BinaryIO, member: Member, zlib_module: ModuleType) -> tuple[Any, int]:
    """Return the member's decompressor, and where its input starts."""
    if member.method == DEFLATED:
        return zlib_module.decompressobj(-15), member.start
    if member.method == BZIP2:
        return bz2.BZ2Decompressor(), member.start
    properties = b"".join(_stored_pieces(file, replace(member, compressed_size=9), member.start))
    if member.compressed_size < len(properties):
        raise _truncated(member)
    filters = [_lzma_filter(member, properties)]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters), member.start + len(properties)


def _lzma_filter(member: Member, properties: bytes) -> dict[str, int]:
    """Read the properties that precede LZMA data in a zip (APPNOTE 5.8.8)."""
    length, packed, dictionary = struct.unpack("<2xHBI", properties)
    lp_and_pb, lc = divmod(packed, 9)
    pb, lp = divmod(lp_and_pb, 5)
    if length != 5 or pb > 4 or lc + lp > 4:
        raise _corrupt(member, "its LZMA properties are invalid")
    if dictionary > MAX_LZMA_DICTIONARY:
        raise ArchiveError(
            "too_large",
            f"Member {member.name!r} needs too much memory to inflate: write the archive again "
            "with numpy.savez_compressed.",
        )
    return {"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": lc, "lp": lp, "pb": pb}


def _truncated(member: Member) -> ArchiveError:
    return ArchiveError(
        "truncated",
        f"Member {member.name!r} holds less than it declares: upload or copy the archive again.",
    )


def _corrupt(member: Member, fault: str) -> ArchiveError:
    return ArchiveError(
        "corrupt",
        f"Member {member.name!r} is damaged, {fault}: upload or copy the archive again.",
    )
