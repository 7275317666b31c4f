"""A strict reader of the structure of a zip file that nobody vouches for.

`zipfile` repairs, guesses and takes what the central directory says. Here every byte of the file
must be accounted for: members follow one another from the first byte, each local header agrees with
the central directory, which is followed by the end records and then by nothing. So members cannot
overlap or hide, and no two readers can disagree on what the archive holds.

Field names and section numbers follow PKWARE's APPNOTE.TXT 6.3.10.
"""

import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from cubes.errors import ArchiveError

STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14
METHODS = frozenset({STORED, DEFLATED, BZIP2, LZMA})

MAX_MEMBERS = 65_535
MAX_DIRECTORY_BYTES = 32 * 2**20
MAX_NAME_BYTES = 255

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")  # 4.3.7
_CENTRAL_HEADER = struct.Struct("<4s6H3I5H2I")  # 4.3.12
_END = struct.Struct("<4s4H2IH")  # 4.3.16
_END_64 = struct.Struct("<4sQ2H2I4Q")  # 4.3.14
_END_64_LOCATOR = struct.Struct("<4sIQI")  # 4.3.15
_ZIP64_EXTRA = 0x0001
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF

_ENCRYPTED_BITS = 1 << 0 | 1 << 6 | 1 << 13
_DESCRIPTOR_BIT = 1 << 3
_UTF8_BIT = 1 << 11
_KNOWN_BITS = _ENCRYPTED_BITS | 1 << 1 | 1 << 2 | _DESCRIPTOR_BIT | _UTF8_BIT

_REWRITE = "write it again with numpy.savez_compressed"


@dataclass(frozen=True)
class Member:
    """One file inside the archive.

    `start` is the offset of its local header until the headers have been read, then that of its
    first compressed byte. Sizes are in bytes; `size` is what it declares to inflate to.
    """

    name: str
    raw_name: bytes
    method: int
    flags: int
    crc: int
    compressed_size: int
    size: int
    start: int


def zip_members(file: BinaryIO) -> list[Member]:
    """Return the members of a zip file in the order of their bytes, every header checked.

    Reads the central directory and the local headers, nothing that is compressed.

    Args:
        file: A seekable binary file.

    Raises:
        ArchiveError: The file is not a zip, or one that hides, repeats or contradicts something.
    """
    file_size = file.seek(0, os.SEEK_END)
    entries, directory_start, directory_size = _end_of_central_directory(file, file_size)
    members = _central_directory(_read(file, directory_start, directory_size), entries)
    _refuse_duplicates(members)
    members.sort(key=lambda member: member.start)
    starts = [*(member.start for member in members), directory_start]
    if starts[0] != 0:
        raise ArchiveError("corrupt", f"The archive has bytes before its first member: {_REWRITE}.")
    return [_locate(file, member, end) for member, end in zip(members, starts[1:], strict=True)]


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    data = file.read(length)
    if len(data) != length:
        raise ArchiveError("truncated", "The archive ends too early: upload or copy it again.")
    return data


def _end_of_central_directory(file: BinaryIO, file_size: int) -> tuple[int, int, int]:
    """Return the number of entries, the start and the size of the central directory."""
    end_start = file_size - _END.size
    if end_start < 0 or not (end := _read(file, end_start, _END.size)).startswith(b"PK\5\6"):
        raise _no_end_record(file, file_size)
    _, disk, directory_disk, disk_entries, entries, size, start, comment = _END.unpack(end)
    directory_end = end_start
    zip64_end = end_start - _END_64.size - _END_64_LOCATOR.size
    # zipfile writes zip64 records from 2 GiB on, where the short record still holds the offset.
    unsaid = _FULL_16 in (disk_entries, entries) or _FULL_32 in (size, start)
    if unsaid or start + size == zip64_end:
        directory_end = zip64_end
        disk_entries, entries, size, start = _zip64_end(
            file, directory_end, (disk_entries, entries, size, start)
        )
    if disk or directory_disk or comment or disk_entries != entries:
        raise ArchiveError("inconsistent", f"The archive's end record is wrong: {_REWRITE}.")
    if start + size != directory_end:
        raise ArchiveError(
            "inconsistent", f"The archive's directory is not where it says it is: {_REWRITE}."
        )
    if entries > MAX_MEMBERS or size > MAX_DIRECTORY_BYTES:
        raise ArchiveError(
            "too_large", f"The archive's directory is too large: store one array, or {_REWRITE}."
        )
    return entries, start, size


def _no_end_record(file: BinaryIO, file_size: int) -> ArchiveError:
    start = _read(file, 0, min(file_size, 8))
    tail = _read(file, max(0, file_size - 65_557), min(file_size, 65_557))
    if start.startswith(b"\x93NUMPY"):
        return ArchiveError(
            "not_a_zip", "This is a single .npy array: save it with numpy.savez_compressed as .npz."
        )
    if b"PK\5\6" in tail:
        return ArchiveError(
            "corrupt", f"The archive has a comment or other bytes after its end: {_REWRITE}."
        )
    if start.startswith(b"PK\3\4"):
        return ArchiveError(
            "truncated", "The archive has no end, it was cut short: upload or copy it again."
        )
    return ArchiveError("not_a_zip", f"This is not an .npz archive (a zip of arrays): {_REWRITE}.")


def _zip64_end(
    file: BinaryIO, record_start: int, short: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """Return what the zip64 end record says, where the short record says the same or nothing."""
    fault = ArchiveError(
        "inconsistent", f"The archive's zip64 end records contradict each other: {_REWRITE}."
    )
    if record_start < 0:
        raise fault
    record = _END_64.unpack(_read(file, record_start, _END_64.size))
    locator = _END_64_LOCATOR.unpack(_read(file, record_start + _END_64.size, _END_64_LOCATOR.size))
    signature, record_size, _, _, disk, directory_disk, *counts = record
    if (signature, record_size, disk, directory_disk) != (b"PK\6\6", _END_64.size - 12, 0, 0):
        raise fault
    if locator != (b"PK\6\7", 0, record_start, 1):
        raise fault
    unknown = (_FULL_16, _FULL_16, _FULL_32, _FULL_32)
    for value, long_value, full in zip(short, counts, unknown, strict=True):
        if value not in (full, long_value):
            raise fault
    disk_entries, entries, size, start = counts
    return disk_entries, entries, size, start


def _central_directory(directory: bytes, entries: int) -> list[Member]:
    members = []
    at = 0
    for _ in range(entries):
        if at + _CENTRAL_HEADER.size > len(directory):
            raise ArchiveError("inconsistent", f"The archive's directory is too short: {_REWRITE}.")
        fields = _CENTRAL_HEADER.unpack_from(directory, at)
        signature, made_by, _, flags, method, _, _, crc, compressed_size, size = fields[:10]
        name_length, extra_length, comment_length, disk, _, attributes, start = fields[10:]
        name_at = at + _CENTRAL_HEADER.size
        extra_at = name_at + name_length
        at = extra_at + extra_length + comment_length
        if signature != b"PK\1\2" or at > len(directory) or disk:
            raise ArchiveError("inconsistent", f"The archive's directory is broken: {_REWRITE}.")
        raw_name = directory[name_at:extra_at]
        name = _member_name(raw_name, flags)
        size, compressed_size, start = _with_zip64(
            name, directory[extra_at : extra_at + extra_length], (size, compressed_size, start)
        )
        _refuse_unreadable(name, flags, method, attributes, made_by >> 8)
        members.append(Member(name, raw_name, method, flags, crc, compressed_size, size, start))
    if at != len(directory):
        raise ArchiveError(
            "inconsistent", f"The archive's directory lists more than it counts: {_REWRITE}."
        )
    return members


def _member_name(raw: bytes, flags: int) -> str:
    if not 0 < len(raw) <= MAX_NAME_BYTES:
        raise ArchiveError(
            "unsafe_name", f"A member's name must have 1 to {MAX_NAME_BYTES} bytes: {_REWRITE}."
        )
    try:
        name = raw.decode("utf-8" if flags & _UTF8_BIT else "cp437")
    except UnicodeDecodeError:
        raise ArchiveError("unsafe_name", f"A member's name is not UTF-8: {_REWRITE}.") from None
    climbs = name.startswith("/") or any(part in ("", ".", "..") for part in name[:-1].split("/"))
    if climbs or "\\" in name or ":" in name or not name.isprintable():
        raise ArchiveError(
            "unsafe_name", f"The member name {name!r} is not a plain name: rename it."
        )
    return name


def _refuse_unreadable(name: str, flags: int, method: int, attributes: int, system: int) -> None:
    if flags & _ENCRYPTED_BITS:
        raise ArchiveError("encrypted", f"Member {name!r} is encrypted: save it without password.")
    if flags & ~_KNOWN_BITS:
        raise ArchiveError(
            "corrupt", f"Member {name!r} uses zip features that arrays do not need: {_REWRITE}."
        )
    if method not in METHODS:
        raise ArchiveError(
            "unsupported_compression",
            f"Member {name!r} is compressed by method {method}: use stored, deflate or bzip2.",
        )
    if system == 3 and stat.S_ISLNK(attributes >> 16):
        raise ArchiveError("symlink", f"Member {name!r} is a symbolic link: store the array.")


def _with_zip64(name: str, extra: bytes, values: Sequence[int]) -> list[int]:
    """Replace each value that is all ones by its 64-bit value in the extra field (4.5.3).

    Python before 3.11.4 repeats there the sizes that are not all ones too.
    """
    fault = ArchiveError("inconsistent", f"The zip64 sizes of {name!r} are wrong: {_REWRITE}.")
    blocks = []
    at = 0
    while at < len(extra):
        if at + 4 > len(extra):
            raise fault
        kind, length = struct.unpack_from("<2H", extra, at)
        at += 4 + length
        if at > len(extra):
            raise fault
        if kind == _ZIP64_EXTRA:
            blocks.append(extra[at - length : at])
    missing = [index for index, value in enumerate(values) if value == _FULL_32]
    if not (missing or blocks):
        return list(values)
    stated = {8 * len(values): range(len(values)), 8 * len(missing): missing}
    if len(blocks) != 1 or not (which := stated.get(len(blocks[0]))):
        raise fault
    long_values = struct.unpack(f"<{len(which)}Q", blocks[0])
    found = dict(enumerate(values)) | dict(zip(which, long_values, strict=True))
    if any(value not in (_FULL_32, found[index]) for index, value in enumerate(values)):
        raise fault
    return list(found.values())


def _refuse_duplicates(members: list[Member]) -> None:
    seen: set[str] = set()
    for member in members:
        if member.name in seen:
            raise ArchiveError(
                "duplicate_member", f"The archive holds {member.name!r} twice: {_REWRITE}."
            )
        seen.add(member.name)


def _locate(file: BinaryIO, member: Member, end: int) -> Member:
    """Return the member with `start` at its data, its local header and extent checked.

    `end` is where the next member or the directory starts.
    """
    if member.start + _LOCAL_HEADER.size > end:
        raise _overlap(member)
    header = _LOCAL_HEADER.unpack(_read(file, member.start, _LOCAL_HEADER.size))
    signature, _, flags, method, _, _, crc, compressed_size, size, name_length, extra_length = (
        header
    )
    name_at = member.start + _LOCAL_HEADER.size
    start = name_at + name_length + extra_length
    if start + member.compressed_size > end:
        raise _overlap(member)
    tail = _read(file, name_at, name_length + extra_length)
    size, compressed_size = _with_zip64(member.name, tail[name_length:], (size, compressed_size))
    said = (crc, compressed_size, size)
    true = (member.crc, member.compressed_size, member.size)
    # A writer that could not seek back leaves zeros here and repeats the values behind the data.
    later = bool(flags & _DESCRIPTOR_BIT) and said == (0, 0, 0)
    if (
        (signature, flags, method) != (b"PK\3\4", member.flags, member.method)
        or tail[:name_length] != member.raw_name
        or not (said == true or later)
    ):
        raise ArchiveError(
            "inconsistent",
            f"The archive contradicts itself about member {member.name!r}: {_REWRITE}.",
        )
    data_end = start + member.compressed_size
    rest = _read(file, data_end, min(end - data_end, 25))
    if rest not in (_descriptors(true) if flags & _DESCRIPTOR_BIT else (b"",)):
        raise ArchiveError(
            "inconsistent", f"Unexpected bytes follow member {member.name!r}: {_REWRITE}."
        )
    return replace(member, start=start)


def _descriptors(values: tuple[int, int, int]) -> list[bytes]:
    """Return the forms in which a data descriptor may say these values (4.3.9)."""
    forms = [struct.pack("<I2Q", *values)]
    if max(values) <= _FULL_32:
        forms.append(struct.pack("<3I", *values))
    return forms + [b"PK\7\10" + form for form in forms]


def _overlap(member: Member) -> ArchiveError:
    return ArchiveError(
        "overlapping_members", f"Member {member.name!r} reaches into what follows it: {_REWRITE}."
    )
