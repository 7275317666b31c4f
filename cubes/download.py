"""Download one large file: resumed where it broke, checked before it counts."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from cubes.errors import CubeSourceError

ATTEMPTS = 8
"""Connections in a row that bring nothing new before it is given up."""

FIRST_PAUSE = 0.5
"""Seconds before the second attempt; each further pause is twice as long."""

DISK_MARGIN = 64 * 2**20
"""Bytes to leave free on the disk."""

_TIMEOUT = httpx.Timeout(30.0)
_MAY_PASS = {408, 425, 429, 500, 502, 503, 504}

Progress = Callable[[int, int], None]


class _BrokenError(Exception):
    """The transfer broke off and may be resumed."""


def download(
    url: str,
    path: Path,
    md5: str,
    *,
    progress: Progress | None = None,
    first_pause: float = FIRST_PAUSE,
) -> Path:
    """Fetch a file, unless it is there, and return its path.

    What has arrived lies in `<path>.partial` until all of it has and its checksum is right. A
    transfer that breaks is resumed, by this call while it makes progress, or by the next one.

    Args:
        url: Where from; redirects are followed.
        path: Where to. A file of the right checksum is left as it is.
        md5: Checksum in hexadecimal.
        progress: Called with the bytes that are here and the bytes in all.
        first_pause: Seconds before a broken transfer is resumed; doubled while nothing arrives.

    Raises:
        CubeSourceError: The file cannot be had, does not fit on the disk, or is another one.
    """
    if path.exists():
        require_md5(path, md5)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    fruitless = 0
    while True:
        before = _size(partial)
        try:
            _continue(url, partial, progress)
            break
        except (_BrokenError, httpx.TransportError) as fault:
            fruitless = 0 if _size(partial) > before else fruitless + 1
            if fruitless == ATTEMPTS:
                raise CubeSourceError(
                    f"{url} cannot be reached ({fault}); {_size(partial)} bytes are kept: run the "
                    "same command again to go on from there."
                ) from fault
            time.sleep(first_pause * 2**fruitless)
    try:
        require_md5(partial, md5)
    except CubeSourceError:
        partial.unlink()
        raise
    os.replace(partial, path)
    return path


def require_md5(path: Path, md5: str) -> None:
    """Refuse a file that has another checksum.

    Raises:
        CubeSourceError: With both checksums.
    """
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        raise CubeSourceError(
            f"{path} has the MD5 checksum {found} instead of {md5}: it is damaged or another file; "
            "remove it and download it again."
        )


def _continue(url: str, partial: Path, progress: Progress | None) -> None:
    """Fetch what is missing, or as much as one connection brings."""
    have = _size(partial)
    headers = {"Range": f"bytes={have}-"} if have else {}
    headers["Accept-Encoding"] = "identity"
    with httpx.stream(
        "GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT
    ) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if have == _total(response.headers.get("Content-Range", "")):
                return
            partial.unlink()
            raise _BrokenError("what was here is longer than the file")
        if response.status_code in _MAY_PASS:
            raise _BrokenError(f"status {response.status_code}")
        if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise CubeSourceError(f"{url} answers {response.status_code}: check the address.")
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        if resumed:
            content_range = response.headers.get("Content-Range", "")
            total = _total(content_range) or 0
            if not have or not content_range.startswith(f"bytes {have}-"):
                raise _BrokenError("another part came than was asked for")
        else:
            have = 0
            total = int(response.headers.get("Content-Length", 0))
        _require_space(partial, total - have)
        with open(partial, "ab" if resumed else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have, max(total, have))
        if have < total:
            raise _BrokenError("the connection closed early")


def _require_space(partial: Path, missing: int) -> None:
    free = shutil.disk_usage(partial.parent).free
    if free < missing + DISK_MARGIN:
        raise CubeSourceError(
            f"{partial.parent} has {free / 1e9:.1f} GB free and {missing / 1e9:.1f} GB are still "
            "to come: make room, or choose another folder."
        )


def _total(content_range: str) -> int | None:
    total = content_range.rpartition("/")[2]
    return int(total) if total.isdecimal() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
