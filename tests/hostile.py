"""Archives that must be refused, each with the reason code it deserves.

`HOSTILE` maps a name to a `Hostile`; `hostile.write(path, track)` writes the archive, made so that
everything but the one fault fits the track.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cubes.tracks import Track
from tests.zips import Entry, compress, npy_bytes, raw_npy, zip_bytes

FULL_16, FULL_32 = 0xFFFF, 0xFFFFFFFF


def density_fields(track: Track, seed: int = 1) -> list[np.ndarray[Any, Any]]:
    """Fields that the track accepts: independent, float32, at its mean."""
    rng = np.random.default_rng(seed)
    return [rng.gamma(1.0, track.mean, track.shape).astype(np.float32) for _ in range(track.count)]


def entries_of(fields: list[np.ndarray[Any, Any]]) -> list[Entry]:
    return [Entry(b"field_%05d.npy" % i, npy_bytes(field)) for i, field in enumerate(fields)]


Build = Callable[[Track], bytes]


@dataclass(frozen=True)
class Hostile:
    """One hostile archive.

    Attributes:
        build: Makes the bytes, for a track.
        code: The reason code with which it is refused.
        seen: `inspect` if the directory and headers already tell, `read` if only the data do.
    """

    build: Build
    code: str
    seen: str = "inspect"

    def write(self, path: Path, track: Track) -> Path:
        path.write_bytes(self.build(track))
        return path


def honest(track: Track) -> bytes:
    """The archive that all the others distort."""
    return zip_bytes(entries_of(density_fields(track)))


def _savez(make: Callable[[Track], Any]) -> Build:
    """An archive of one stacked array, written by NumPy."""

    def build(track: Track) -> bytes:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, cubes=make(track))
        return buffer.getvalue()

    return build


def _stack(track: Track) -> np.ndarray[Any, Any]:
    return np.array(density_fields(track))


def _first(**changes: Any) -> Build:
    """The honest archive but for its first entry."""

    def build(track: Track) -> bytes:
        first, *others = entries_of(density_fields(track))
        return zip_bytes([replace(first, **changes), *others])

    return build


def _first_content(change: Callable[[bytes, Track], bytes]) -> Build:
    def build(track: Track) -> bytes:
        first, *others = entries_of(density_fields(track))
        return zip_bytes([replace(first, content=change(first.content, track)), *others])

    return build


def _first_field(change: Callable[[np.ndarray[Any, Any]], Any]) -> Build:
    """The honest archive but for the values of its first field."""

    def build(track: Track) -> bytes:
        fields = density_fields(track)
        fields[0] = change(fields[0])
        return zip_bytes(entries_of(fields))

    return build


def _first_voxel(value: float) -> Build:
    def change(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        values[(1,) * values.ndim] = value
        return values

    return _first_field(change)


def _header(text: str, version: int = 1) -> Build:
    """The honest archive but for its first array's header; {shape} stands for the right one."""
    return _first_content(
        lambda content, track: raw_npy(
            text.replace("{shape}", repr(track.shape)), content[128:], version
        )
    )


def _descr(descr: str) -> Build:
    return _header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {{shape}}, }}")


def _shape(shape: str) -> Build:
    return _header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}")


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
    "bare descriptor": _descriptor("bare"),
    "signed descriptor": _descriptor("signed"),
    "long descriptor": _descriptor("long"),
}
"""Archives of unusual structure that are to be accepted."""


def _named(name: bytes, flags: int = 0) -> Build:
    return _first(name=name, flags=flags)


def _deep_bomb(track: Track) -> bytes:
    """An archive within an archive within an archive."""
    data = honest(track)
    for _ in range(2):
        data = zip_bytes([Entry(b"cubes.npz", data)])
    return data


def _hostile() -> Iterator[tuple[str, Hostile]]:
    yield "empty file", Hostile(lambda track: b"", "not_a_zip")
    yield "text", Hostile(lambda track: b"density\n" * 1000, "not_a_zip")
    yield "bare npy", Hostile(lambda track: npy_bytes(_stack(track)), "not_a_zip")
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
        "object array",
        Hostile(
            lambda track: zip_bytes([Entry(b"x.npy", npy_bytes(np.array([{}, set()]), True))]),
            "pickled",
        ),
    )
    yield "object header", Hostile(_descr("'|O'"), "pickled")
    yield "structured dtype", Hostile(_descr("[('x', '<f4')]"), "wrong_dtype")
    yield "structured object dtype", Hostile(_descr("[('x', '|O')]"), "wrong_dtype")
    yield "void dtype", Hostile(_descr("'|V4'"), "wrong_dtype")
    yield "huge void dtype", Hostile(_descr("'|V999999999999'"), "wrong_dtype")
    yield "dtype with control characters", Hostile(_descr("'<f4\x1b[2J\n'"), "wrong_dtype")
    yield "unknown float", Hostile(_descr("'<f3'"), "wrong_dtype")
    yield "complex", Hostile(_savez(lambda t: _stack(t).astype(np.complex64)), "wrong_dtype")
    yield "bool", Hostile(_savez(lambda t: _stack(t) > 1), "wrong_dtype")
    yield "text array", Hostile(_savez(lambda t: _stack(t).astype("S4")), "wrong_dtype")
    yield "dates", Hostile(_savez(lambda t: _stack(t).astype("datetime64[s]")), "wrong_dtype")

    yield (
        "header runs code",
        Hostile(
            _header(
                "{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os').abort(), }"
            ),
            "bad_header",
        ),
    )
    yield "header computes", Hostile(_shape("(9**9**9,)"), "bad_header")
    yield "header nests", Hostile(_shape("(" * 4000 + ")" * 4000), "bad_header")
    yield "header signs", Hostile(_shape("-" * 4000 + "1"), "bad_header")
    yield "header with long integer", Hostile(_shape("(" + "9" * 5000 + ",)"), "bad_header")
    yield "header with many axes", Hostile(_shape("(" + "1, " * 3000 + ")"), "bad_header")
    yield "header with negative axis", Hostile(_shape("(-1, 8, 8)"), "bad_header")
    yield "header with huge axes", Hostile(_shape(f"({2**40}, {2**40}, {2**40})"), "wrong_shape")
    yield "header overflows to nothing", Hostile(_shape(f"({2**32}, {2**32})"), "wrong_shape")
    yield "header with zero axis", Hostile(_shape("(0, 8, 8)"), "wrong_shape")
    yield (
        "header repeats a key",
        Hostile(_header("{'descr': '<f4', 'descr': '<f4', 'shape': {shape}, }"), "bad_header"),
    )
    yield "header lacks a key", Hostile(_header("{'descr': '<f4', 'shape': {shape}}"), "bad_header")
    yield (
        "header with new line",
        Hostile(
            _header("{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }\nX: y\n"),
            "bad_header",
        ),
    )
    yield "header too long", Hostile(_header(" " * 60_000), "bad_header")
    yield (
        "header of 4 GB",
        Hostile(_first_content(lambda c, t: b"\x93NUMPY\2\0" + b"\xff" * 4 + c), "bad_header"),
    )
    yield "header of version 9", Hostile(_header("", version=9), "bad_header")
    yield (
        "header beyond the end",
        Hostile(_first_content(lambda c, t: b"\x93NUMPY\1\0\x80\0{'descr'"), "truncated"),
    )
    yield "member not an array", Hostile(_first(content=b"a,b\n1,2\n"), "bad_header")
    yield "empty member", Hostile(_first(content=b""), "truncated")
    yield "other file", Hostile(_first(name=b"README.txt"), "unexpected_member")
    yield "directory", Hostile(_first(name=b"cubes/", content=b""), "unexpected_member")
    yield "archive in archive", Hostile(_deep_bomb, "unexpected_member")

    yield "wrong side", Hostile(_savez(lambda t: _stack(t)[..., :-1]), "wrong_shape")
    yield (
        "transposed stack",
        Hostile(_savez(lambda t: np.moveaxis(_stack(t), 0, -1)), "wrong_shape"),
    )
    yield (
        "one field of another shape",
        Hostile(_first_field(lambda f: np.concatenate([f, f])), "wrong_shape"),
    )
    yield "stacks of one", Hostile(_first_field(lambda f: f[None]), "wrong_shape")
    yield (
        "scalar",
        Hostile(
            lambda t: zip_bytes(
                [
                    Entry(
                        b"x.npy",
                        raw_npy(
                            "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", bytes(4)
                        ),
                    )
                ]
            ),
            "wrong_shape",
        ),
    )
    yield "one field", Hostile(_savez(lambda t: _stack(t)[0]), "wrong_count")
    yield "no field", Hostile(_savez(lambda t: _stack(t)[:0]), "wrong_count")
    yield "a field short", Hostile(_savez(lambda t: _stack(t)[1:]), "wrong_count")
    yield (
        "a member short",
        Hostile(lambda t: zip_bytes(entries_of(density_fields(t)[1:])), "wrong_count"),
    )
    yield (
        "a field too many",
        Hostile(_savez(lambda t: np.concatenate([_stack(t), _stack(t)[:1]])), "wrong_count"),
    )
    yield (
        "stack in Fortran order",
        Hostile(_savez(lambda t: np.asfortranarray(_stack(t))), "wrong_order"),
    )

    yield "NaN", Hostile(_first_voxel(np.nan), "not_finite", "read")
    yield "infinity", Hostile(_first_voxel(np.inf), "not_finite", "read")
    yield "minus infinity", Hostile(_first_voxel(-np.inf), "not_finite", "read")
    yield "astronomical", Hostile(_first_voxel(3e38), "not_finite", "read")
    yield "negative", Hostile(_first_voxel(-1e-6), "negative", "read")
    yield "negative subnormal", Hostile(_first_voxel(-1e-45), "negative", "read")
    yield (
        "negative integer",
        Hostile(_first_field(lambda f: f.astype(np.int16) - 30_000), "negative", "read"),
    )
    yield "all zero", Hostile(_first_field(lambda f: 0 * f), "empty_field", "read")
    yield "all minus zero", Hostile(_first_field(lambda f: -0.0 * f), "empty_field", "read")
    yield (
        "all subnormal",
        Hostile(_first_field(lambda f: np.full_like(f, 1e-45)), "empty_field", "read"),
    )
    yield (
        "half precision overflows",
        Hostile(
            _savez(lambda t: np.where(_stack(t) > 1, np.inf, 1).astype(np.float16)),
            "not_finite",
            "read",
        ),
    )

    yield (
        "declares 4 GiB",
        Hostile(_first(central={"size": FULL_32 - 1}, local={"size": FULL_32 - 1}), "too_large"),
    )
    yield (
        "declares 8 EiB",
        Hostile(
            _first(
                central={"size": FULL_32, "extra": _zip64(size=2**63)},
                local={
                    "size": FULL_32,
                    "extra": _zip64(size=2**63),
                },
            ),
            "too_large",
        ),
    )
    yield (
        "declares less than its array",
        Hostile(_first(central={"size": 1000}, local={"size": 1000}), "truncated"),
    )
    yield (
        "holds more than its array",
        Hostile(_first_content(lambda c, t: c + bytes(1000)), "too_large"),
    )
    yield (
        "compressed to more than it holds",
        Hostile(_first(compressed=b"\0\0\0\xff\xff" * 1_000_000), "too_large"),
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
    yield "wrong checksum", Hostile(_first(central={"crc": 1}, local={"crc": 1}), "corrupt", "read")
    yield "garbage for deflate", Hostile(_first(compressed=b"\xff" * 500), "corrupt")
    yield "garbage for bzip2", Hostile(_first(compressed=b"\xff" * 500, method=12), "corrupt")
    yield "garbage for LZMA", Hostile(_first(compressed=b"\xff" * 500, method=14), "corrupt")
    yield "nothing for LZMA", Hostile(_first(compressed=b"", method=14), "truncated")

    yield "encrypted", Hostile(_first(flags=1), "encrypted")
    yield "strongly encrypted", Hostile(_first(flags=1 << 6), "encrypted")
    yield "headers masked", Hostile(_first(flags=1 << 13), "encrypted")
    yield "patched data", Hostile(_first(flags=1 << 5), "corrupt")
    for method in (1, 6, 9, 93, 95, 98, 99):
        yield f"method {method}", Hostile(_first(method=method), "unsupported_compression")
    yield "duplicate names", Hostile(_first(name=b"field_00001.npy"), "duplicate_member")

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
    yield "symbolic link", Hostile(_first(central={"attributes": 0o120777 << 16}), "symlink")

    yield (
        "name differs in local header",
        Hostile(_first(local={"name": b"field_9999x.npy"}), "inconsistent"),
    )
    yield "shorter name in local header", Hostile(_first(local={"name": b"f.npy"}), "inconsistent")
    yield "size differs in local header", Hostile(_first(local={"size": 10}), "inconsistent")
    yield "checksum differs in local header", Hostile(_first(local={"crc": 10}), "inconsistent")
    yield "method differs in local header", Hostile(_first(local={"method": 0}), "inconsistent")
    yield "encrypted in local header only", Hostile(_first(local={"flags": 1}), "inconsistent")
    yield "descriptor in local header only", Hostile(_first(local={"flags": 8}), "inconsistent")
    yield "descriptor lies", Hostile(_descriptor("lie"), "inconsistent")
    yield "descriptor missing", Hostile(_first(flags=8), "inconsistent")
    yield "gap between members", Hostile(_first(descriptor=b"hidden"), "inconsistent")
    yield "one member under two names", Hostile(_same_bytes_twice, "overlapping_members")
    yield "member within a member", Hostile(_quoted_members, "overlapping_members")
    yield (
        "compressed size reaches into the next",
        Hostile(
            _first(central={"compressed_size": 10**6}, local={"compressed_size": 10**6}),
            "overlapping_members",
        ),
    )
    yield "offset beyond the end", Hostile(_first(central={"offset": 2**31}), "corrupt")
    yield (
        "first member unlisted",
        Hostile(lambda t: _unlisted(entries_of(density_fields(t))), "corrupt"),
    )

    yield "zip64 size without extra", Hostile(_first(central={"size": FULL_32}), "inconsistent")
    yield (
        "zip64 extra without need",
        Hostile(_first(central={"extra": _zip64(size=1)}), "inconsistent"),
    )
    yield (
        "zip64 extra twice",
        Hostile(_first(central={"size": FULL_32, "extra": _zip64(size=1) * 2}), "inconsistent"),
    )
    yield (
        "zip64 extra too short",
        Hostile(_first(central={"size": FULL_32, "extra": b"\1\0\4\0abcd"}), "inconsistent"),
    )
    yield (
        "extra beyond its end",
        Hostile(_first(central={"extra": b"\xfe\xca\xff\x00"}), "inconsistent"),
    )
    yield (
        "zip64 local size lies",
        Hostile(
            _first(
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


HOSTILE = dict(_hostile())
