"""Member data, inflated as it is asked for and never beyond what was declared."""

import bz2
import lzma
import struct
import zlib
from collections.abc import Iterator
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
        self._file = file
        self._member = member
        self._zlib = zlib_module
        self._at = member.start
        self._end = member.start + member.compressed_size
        self._left = member.size
        self._crc = 0
        self._spare = memoryview(b"")
        self._pieces = self._stored() if member.method == STORED else self._inflated()

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
                self._spare = memoryview(next(self._pieces, b""))
                if not self._spare:
                    raise self._truncated()
            taken = min(len(self._spare), len(buffer) - filled)
            buffer[filled : filled + taken] = self._spare[:taken]
            self._crc = self._zlib.crc32(self._spare[:taken], self._crc)
            self._spare = self._spare[taken:]
            filled += taken
        self._left -= filled

    def finish(self) -> None:
        """Check that nothing is left, and the checksum of all that was read.

        Raises:
            ArchiveError: `too_large` where the member inflates to more than it declares,
                `truncated` where to less, `corrupt` where the data are not what was written.
        """
        if self._left > 0:
            raise self._truncated()
        if self._left < 0 or self._spare or next(self._pieces, b""):
            raise ArchiveError(
                "too_large",
                f"Member {self._member.name!r} inflates to more than it declares: write the "
                "archive again.",
            )
        if self._at != self._end:
            raise self._corrupt("more data follow its end")
        if self._crc != self._member.crc:
            raise self._corrupt("its checksum is wrong")

    def _stored(self) -> Iterator[bytes]:
        """Yield the member's bytes as they are in the file."""
        while self._at < self._end:
            self._file.seek(self._at)
            piece = self._file.read(min(CHUNK, self._end - self._at))
            if not piece:
                raise self._truncated()
            self._at += len(piece)
            yield piece

    def _inflated(self) -> Iterator[bytes]:
        """Yield non-empty pieces that hold, together, at most one byte more than declared."""
        allowance = self._member.size + 1
        decoder = self._decoder()
        for data in self._stored():
            while True:
                piece = self._decompress(decoder, data, min(CHUNK, allowance))
                allowance -= len(piece)
                if piece:
                    yield piece
                if decoder.eof or not allowance:
                    if decoder.unused_data:
                        raise self._corrupt("more data follow its end")
                    return
                data = getattr(decoder, "unconsumed_tail", b"")
                if not piece and not data:
                    break
        if self._member.method != LZMA:  # whose end mark is optional
            raise self._truncated()

    def _decompress(self, decoder: Any, data: bytes, length: int) -> bytes:
        try:
            return decoder.decompress(data, length)  # type: ignore[no-any-return]
        except (self._zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise self._corrupt("it cannot be inflated") from error

    def _decoder(self) -> Any:
        if self._member.method == DEFLATED:
            return self._zlib.decompressobj(-15)
        if self._member.method == BZIP2:
            return bz2.BZ2Decompressor()
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[self._lzma_filter()])

    def _lzma_filter(self) -> dict[str, int]:
        """Read the properties that precede LZMA data in a zip (APPNOTE 5.8.8)."""
        self._file.seek(self._at)
        head = self._file.read(9)
        if len(head) < 9 or self._at + 9 > self._end:
            raise self._truncated()
        self._at += 9
        length, packed, dictionary = struct.unpack("<2xHBI", head)
        lp_and_pb, lc = divmod(packed, 9)
        pb, lp = divmod(lp_and_pb, 5)
        if length != 5 or pb > 4 or lc + lp > 4:
            raise self._corrupt("its LZMA properties are invalid")
        if dictionary > MAX_LZMA_DICTIONARY:
            raise ArchiveError(
                "too_large",
                f"Member {self._member.name!r} needs too much memory to inflate: write the "
                "archive again with numpy.savez_compressed.",
            )
        return {"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": lc, "lp": lp, "pb": pb}

    def _truncated(self) -> ArchiveError:
        return ArchiveError(
            "truncated",
            f"Member {self._member.name!r} holds less than it declares: upload or copy the "
            "archive again.",
        )

    def _corrupt(self, fault: str) -> ArchiveError:
        return ArchiveError(
            "corrupt",
            f"Member {self._member.name!r} is damaged, {fault}: upload or copy the archive again.",
        )
