"""Archives whose structure lies, hides, explodes or is cut short; and odd ones that are sound."""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from cubes.tracks import Track
from tests.archives import (
    Build,
    Hostile,
    changed_first,
    changed_first_content,
    density_fields,
    entries_of,
    honest,
)
from tests.zips import Entry, compress, npy_bytes, zip_bytes

FULL_16, FULL_32 = 0xFFFF, 0xFFFFFFFF


def _bytes(change: Callable[[bytes], bytes]) -> Build:
    return lambda track: change(honest(track))


def _inflates_to(surplus: int, method: int) -> Build:
    """Members honest about all but how far the first goes on."""

    def build(track: Track) -> bytes:
        first, *others = entries_of(density_fields(track))
        content = first.content
        longer = content + bytes(surplus) if surplus > 0 else content[:surplus]
        lying = replace(first, method=method, compressed=compress(longer, method))
        return zip_bytes([lying, *others])

    return build


def _declares_less(track: Track) -> bytes:
    """The first member holds its whole array but declares a byte less."""
    first, *others = entries_of(density_fields(track))
    whole = compress(first.content, first.method)
    return zip_bytes([replace(first, content=first.content[:-1], compressed=whole), *others])


def _flipped(method: int) -> Build:
    """One bit of the first member's data flipped."""

    def build(track: Track) -> bytes:
        first, *others = entries_of(density_fields(track))
        data = bytearray(compress(first.content, method))
        data[len(data) // 2] ^= 0x10
        return zip_bytes([replace(first, method=method, compressed=bytes(data)), *others])

    return build


def _lzma_dictionary(track: Track) -> bytes:
    """LZMA whose properties ask for a 4 GiB dictionary."""
    first, *others = entries_of(density_fields(track))
    data = bytearray(compress(first.content, zipfile.ZIP_LZMA))
    data[5:9] = b"\xff" * 4
    lying = replace(first, method=zipfile.ZIP_LZMA, flags=2, compressed=bytes(data))
    return zip_bytes([lying, *others])


def _same_bytes_twice(track: Track) -> bytes:
    """The second name points at the first member's bytes."""
    entries = entries_of(density_fields(track))
    second = replace(entries[1], central={"offset": 0})
    return zip_bytes([entries[0], second, *entries[2:]])


def _quoted_members(track: Track) -> bytes:
    """The first member's stored data hold the local header and data of the second (overlap)."""
    first, second, *others = entries_of(density_fields(track))
    alone = zip_bytes([second])
    inner = alone[: alone.index(b"PK\1\2")]
    outer = replace(first, content=first.content + inner, method=zipfile.ZIP_STORED)
    offset = 30 + len(first.name) + len(first.content)
    return zip_bytes([outer, *others, replace(second, central={"offset": offset})])


def _zip64(**values: int) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values.values())


def _zip64_repeated(lie: int = 0) -> Build:
    """Sizes said in zip64 form too, as NumPy has them written by Python before 3.11.4; or lies."""

    def build(track: Track) -> bytes:
        first, *others = entries_of(density_fields(track))
        size = len(first.content)
        compressed_size = len(compress(first.content, first.method))
        extra = _zip64(size=size + lie, compressed_size=compressed_size)
        return zip_bytes([replace(first, local={"extra": extra}), *others])

    return build


def _zip64_end(short: bool = False, **lies: int) -> Build:
    """End records in zip64 form, with lies in the long one; `short` says it all once more."""

    def build(track: Track) -> bytes:
        data = honest(track)
        truth = dict(
            zip(
                ("disk_entries", "entries", "size", "start"),
                struct.unpack("<2H2I", data[-14:-2]),
                strict=True,
            )
        )
        said = truth | {"record_size": 44, "locator": truth["size"] + truth["start"]} | lies
        return (
            data[:-22]
            + struct.pack("<4sQ2H2I", b"PK\6\6", said["record_size"], 45, 45, 0, 0)
            + struct.pack("<4Q", *(said[key] for key in truth))
            + struct.pack("<4sIQI", b"PK\6\7", 0, said["locator"], 1)
            + (data[-22:] if short else b"PK\5\6" + bytes(4) + b"\xff" * 12 + bytes(2))
        )

    return build


def _descriptor(form: str) -> Build:
    """The first member's sizes follow its data, as from a writer that cannot seek; or lie."""

    def build(track: Track) -> bytes:
        first, *others = entries_of(density_fields(track))
        data = compress(first.content, first.method)
        said = [zlib.crc32(first.content), len(data), len(first.content)]
        if form == "lie":
            said[2] += 1
        descriptor = struct.pack("<I2Q" if form == "long" else "<3I", *said)
        if form != "bare":
            descriptor = b"PK\7\10" + descriptor
        return zip_bytes([replace(first, flags=8, descriptor=descriptor), *others])

    return build


HONEST = {
    "plain": honest,
    "zip64 end": _zip64_end(),
    "zip64 end beside a short one": _zip64_end(short=True),  # as zipfile writes from 2 GiB on
    "zip64 sizes beside short ones": _zip64_repeated(),
    "bare descriptor": _descriptor("bare"),
    "signed descriptor": _descriptor("signed"),
    "long descriptor": _descriptor("long"),
}
"""Archives of unusual structure that are to be accepted."""


def _named(name: bytes, flags: int = 0) -> Build:
    return changed_first(name=name, flags=flags)


def _unlisted(entries: list[Entry]) -> bytes:
    """A member that the directory does not list, before those that it does."""
    hidden = zip_bytes(entries[:1])
    hidden = hidden[: hidden.index(b"PK\1\2")]
    listed = zip_bytes(entries)
    directory = listed.index(b"PK\1\2")
    start = directory + len(hidden)
    shifted = bytearray(hidden + listed)
    at = start
    for entry in entries:
        (offset,) = struct.unpack_from("<I", shifted, at + 42)
        struct.pack_into("<I", shifted, at + 42, offset + len(hidden))
        at += 46 + len(entry.name)
    struct.pack_into("<I", shifted, len(shifted) - 6, start)
    return bytes(shifted)


def _hostile_zips() -> Iterator[tuple[str, Hostile]]:
    yield "empty file", Hostile(lambda track: b"", "not_a_zip")
    yield "text", Hostile(lambda track: b"density\n" * 1000, "not_a_zip")
    yield "bare npy", Hostile(lambda track: npy_bytes(np.array(density_fields(track))), "not_a_zip")
    yield "zeros", Hostile(lambda track: bytes(100_000), "not_a_zip")
    yield "first half", Hostile(_bytes(lambda data: data[: len(data) // 2]), "truncated")
    yield "last byte missing", Hostile(_bytes(lambda data: data[:-1]), "corrupt")
    yield (
        "directory missing",
        Hostile(_bytes(lambda data: data[: data.index(b"PK\1\2")]), "truncated"),
    )
    yield "middle missing", Hostile(_bytes(lambda data: data[:2000] + data[2100:]), "inconsistent")
    yield "bytes before", Hostile(_bytes(lambda data: b"#!/bin/sh\n" + data), "inconsistent")
    yield "bytes after", Hostile(_bytes(lambda data: data + bytes(7)), "corrupt")
    yield "no members", Hostile(lambda track: zip_bytes([]), "wrong_count")

    yield (
        "declares 4 GiB",
        Hostile(
            changed_first(central={"size": FULL_32 - 1}, local={"size": FULL_32 - 1}), "too_large"
        ),
    )
    yield (
        "declares 8 EiB",
        Hostile(
            changed_first(
                central={"size": FULL_32, "extra": _zip64(size=2**63)},
                local={
                    "size": FULL_32,
                    "extra": _zip64(size=2**63),
                },
            ),
            "too_large",
        ),
    )
    yield "declares less than its array", Hostile(_declares_less, "truncated")
    yield (
        "holds more than its array",
        Hostile(changed_first_content(lambda c, t: c + bytes(1000)), "too_large"),
    )
    yield (
        "compressed to more than it holds",
        Hostile(changed_first(compressed=b"\0\0\0\xff\xff" * 1_000_000), "too_large"),
    )
    yield "deflate bomb", Hostile(_inflates_to(2**21, 8), "too_large", "read")
    yield "bzip2 bomb", Hostile(_inflates_to(2**23, 12), "too_large", "read")
    yield "LZMA bomb", Hostile(_inflates_to(2**21, 14), "too_large", "read")
    yield "one byte more", Hostile(_inflates_to(1, 8), "too_large", "read")
    yield "one byte less", Hostile(_inflates_to(-1, 8), "truncated", "read")
    yield "one byte less of bzip2", Hostile(_inflates_to(-1, 12), "truncated", "read")
    yield "LZMA dictionary of 4 GiB", Hostile(_lzma_dictionary, "too_large")
    yield "bit flipped in stored data", Hostile(_flipped(0), "corrupt", "read")
    yield "bit flipped in bzip2", Hostile(_flipped(12), "corrupt")
    yield (
        "wrong checksum",
        Hostile(changed_first(central={"crc": 1}, local={"crc": 1}), "corrupt", "read"),
    )
    yield "garbage for deflate", Hostile(changed_first(compressed=b"\xff" * 500), "corrupt")
    yield (
        "garbage for bzip2",
        Hostile(changed_first(compressed=b"\xff" * 500, method=12), "corrupt"),
    )
    yield "garbage for LZMA", Hostile(changed_first(compressed=b"\xff" * 500, method=14), "corrupt")
    yield "nothing for LZMA", Hostile(changed_first(compressed=b"", method=14), "truncated")

    yield "encrypted", Hostile(changed_first(flags=1), "encrypted")
    yield "strongly encrypted", Hostile(changed_first(flags=1 << 6), "encrypted")
    yield "headers masked", Hostile(changed_first(flags=1 << 13), "encrypted")
    yield "patched data", Hostile(changed_first(flags=1 << 5), "corrupt")
    for method in (1, 6, 9, 93, 95, 98, 99):
        yield f"method {method}", Hostile(changed_first(method=method), "unsupported_compression")
    yield "duplicate names", Hostile(changed_first(name=b"field_00001.npy"), "duplicate_member")

    for name in (
        b"../field.npy", b"/field.npy", b"a/../../field.npy", b"a//b.npy", b"./field.npy",
        b"C:field.npy", b"..\\field.npy", b"a\0.npy", b"a\r\nSet-Cookie: x.npy",
        b"\x1b[2J.npy", b"x" * 300 + b".npy",
    ):  # fmt: skip
        yield f"name {name[:20]!r}", Hostile(_named(name), "unsafe_name")
    yield "no name", Hostile(_named(b""), "unsafe_name")
    yield "name not UTF-8", Hostile(_named(b"\xff.npy", flags=1 << 11), "unsafe_name")
    yield (
        "name turned around",
        Hostile(_named("\u202eypn.npy".encode(), flags=1 << 11), "unsafe_name"),
    )
    yield "symbolic link", Hostile(changed_first(central={"attributes": 0o120777 << 16}), "symlink")

    yield (
        "name differs in local header",
        Hostile(changed_first(local={"name": b"field_9999x.npy"}), "inconsistent"),
    )
    yield (
        "shorter name in local header",
        Hostile(changed_first(local={"name": b"f.npy"}), "inconsistent"),
    )
    yield "size differs in local header", Hostile(changed_first(local={"size": 10}), "inconsistent")
    yield (
        "checksum differs in local header",
        Hostile(changed_first(local={"crc": 10}), "inconsistent"),
    )
    yield (
        "method differs in local header",
        Hostile(changed_first(local={"method": 0}), "inconsistent"),
    )
    yield (
        "encrypted in local header only",
        Hostile(changed_first(local={"flags": 1}), "inconsistent"),
    )
    yield (
        "descriptor in local header only",
        Hostile(changed_first(local={"flags": 8}), "inconsistent"),
    )
    yield "descriptor lies", Hostile(_descriptor("lie"), "inconsistent")
    yield "descriptor missing", Hostile(changed_first(flags=8), "inconsistent")
    yield "gap between members", Hostile(changed_first(descriptor=b"hidden"), "inconsistent")
    yield "one member under two names", Hostile(_same_bytes_twice, "overlapping_members")
    yield "member within a member", Hostile(_quoted_members, "overlapping_members")
    yield (
        "compressed size reaches into the next",
        Hostile(
            changed_first(central={"compressed_size": 10**6}, local={"compressed_size": 10**6}),
            "overlapping_members",
        ),
    )
    yield "offset beyond the end", Hostile(changed_first(central={"offset": 2**31}), "corrupt")
    yield (
        "first member unlisted",
        Hostile(lambda t: _unlisted(entries_of(density_fields(t))), "corrupt"),
    )

    yield (
        "zip64 size without extra",
        Hostile(changed_first(central={"size": FULL_32}), "inconsistent"),
    )
    yield (
        "zip64 extra without need",
        Hostile(changed_first(central={"extra": _zip64(size=1)}), "inconsistent"),
    )
    yield "zip64 size against short one", Hostile(_zip64_repeated(lie=1), "inconsistent")
    yield (
        "zip64 extra twice",
        Hostile(
            changed_first(central={"size": FULL_32, "extra": _zip64(size=1) * 2}), "inconsistent"
        ),
    )
    yield (
        "zip64 extra too short",
        Hostile(changed_first(central={"size": FULL_32, "extra": b"\1\0\4\0abcd"}), "inconsistent"),
    )
    yield (
        "extra beyond its end",
        Hostile(changed_first(central={"extra": b"\xfe\xca\xff\x00"}), "inconsistent"),
    )
    yield (
        "zip64 local size lies",
        Hostile(
            changed_first(
                local={
                    "compressed_size": FULL_32,
                    "size": FULL_32,
                    "extra": _zip64(size=1, compressed_size=1),
                }
            ),
            "inconsistent",
        ),
    )
    for lie, value in {
        "record_size": 45,
        "disk_entries": 1,
        "entries": 2**40,
        "size": 2**63,
        "start": 7,
        "locator": 0,
    }.items():
        yield (
            f"zip64 end lies about {lie}",
            Hostile(_zip64_end(False, **{lie: value}), "inconsistent"),
        )
    yield (
        "zip64 end missing",
        Hostile(
            lambda t: zip_bytes(entries_of(density_fields(t)), entries=FULL_16), "inconsistent"
        ),
    )
    yield (
        "directory counts more",
        Hostile(
            lambda t: zip_bytes(
                entries_of(density_fields(t)), disk_entries=t.count + 1, entries=t.count + 1
            ),
            "inconsistent",
        ),
    )
    yield (
        "directory counts less",
        Hostile(
            lambda t: zip_bytes(
                entries_of(density_fields(t)), disk_entries=t.count - 1, entries=t.count - 1
            ),
            "inconsistent",
        ),
    )
    yield (
        "directory on another disk",
        Hostile(lambda t: zip_bytes(entries_of(density_fields(t)), disk_entries=1), "inconsistent"),
    )
    yield (
        "directory elsewhere",
        Hostile(lambda t: zip_bytes(entries_of(density_fields(t)), start=0), "inconsistent"),
    )


HOSTILE_ZIPS = dict(_hostile_zips())
