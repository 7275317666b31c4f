"""Zip files built byte by byte, so that their headers can lie."""

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Entry:
    """One member, and what its headers are to say instead of the truth.

    `local`, `central` override any of name, flags, method, crc, compressed_size, size, extra and
    (central only) offset, attributes.
    """

    name: bytes
    content: bytes
    method: int = zipfile.ZIP_DEFLATED
    flags: int = 0
    compressed: bytes | None = None
    descriptor: bytes = b""
    local: dict[str, Any] = field(default_factory=dict)
    central: dict[str, Any] = field(default_factory=dict)


def compress(content: bytes, method: int) -> bytes:
    if method == zipfile.ZIP_DEFLATED:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflate.compress(content) + deflate.flush()
    if method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(buffer := io.BytesIO(), "w", method) as archive:
            archive.writestr("x", content)
        info = archive.getinfo("x")
        return buffer.getvalue()[31 : 31 + info.compress_size]
    return content


def zip_bytes(members: list[Entry], **end: int) -> bytes:
    """Build a zip; `end` overrides disk_entries, entries, size, start of the end record."""
    out = bytearray()
    directory = bytearray()
    for entry in members:
        offset = len(out)
        data = entry.compressed
        if data is None:
            data = compress(entry.content, entry.method)
        truth = {
            "name": entry.name,
            "flags": entry.flags,
            "method": entry.method,
            "crc": zlib.crc32(entry.content),
            "compressed_size": len(data),
            "size": len(entry.content),
            "extra": b"",
            "offset": offset,
            "attributes": 0o100600 << 16,
        }
        for_local = truth | ({"crc": 0, "compressed_size": 0, "size": 0} if entry.flags & 8 else {})
        out += _local_header(for_local | entry.local) + data + entry.descriptor
        directory += _central_header(truth | entry.central)
    start = len(out)
    counts = {
        "disk_entries": len(members),
        "entries": len(members),
        "size": len(directory),
        "start": start,
    } | end
    return bytes(out + directory) + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *counts.values(), 0)


def _local_header(said: dict[str, Any]) -> bytes:
    values = [said[key] for key in ("flags", "method", "crc", "compressed_size", "size")]
    name, extra = bytes(said["name"]), bytes(said["extra"])
    fixed = struct.pack("<4s3H4x3I2H", b"PK\3\4", 45, *values, len(name), len(extra))
    return fixed + name + extra


def _central_header(said: dict[str, Any]) -> bytes:
    values = [said[key] for key in ("flags", "method", "crc", "compressed_size", "size")]
    name, extra = bytes(said["name"]), bytes(said["extra"])
    return (
        struct.pack("<4s4H4x3I2H", b"PK\1\2", 3 << 8 | 45, 45, *values, len(name), len(extra))
        + struct.pack("<6x2I", said["attributes"], said["offset"])
        + name
        + extra
    )


def npy_bytes(array: np.ndarray[Any, Any], allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def raw_npy(header: str, content: bytes = b"", version: int = 1) -> bytes:
    """An array whose header is this very text."""
    text = header.encode("latin-1")
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + content
