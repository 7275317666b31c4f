"""Participants who do not give up: they ask again until they know that they were heard."""

import base64
import io
import time
from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np

from cubes.demo import demo_fields
from tests.boards import bearer
from tests.faults.world import TRACK, World

PATIENCE = 120.0
"""Seconds after which a participant gives up: that is a loss, too."""

_AGAIN = {408, 409, 423, 500, 502, 503, 507}


def unique_archive(random: Random) -> bytes:
    """Return a valid archive of real fields that nobody else has."""
    fields = _real_fields().copy()
    fields[random.randrange(len(fields)), 0, 0, 0] = random.random() + 1
    content = io.BytesIO()
    np.savez(content, fields)
    return content.getvalue()


@cache
def _real_fields() -> np.ndarray[Any, Any]:
    return np.stack(list(demo_fields(TRACK.name, "train")))


def submit_form(world: World, archive: bytes) -> UUID:
    """Submit by a form, repeated with one key until it is answered."""
    key = uuid4().hex

    def post() -> httpx.Response:
        return httpx.post(
            f"{world.url}/api/v1/submissions",
            headers=bearer(world.token) | {"Idempotency-Key": key},
            data={"track": TRACK.name, "method": "form"},
            files={"archive": ("cubes.npz", archive)},
            timeout=20,
        )

    return UUID(_until_taken(post).json()["id"])


def submit_in_pieces(world: World, archive: bytes) -> UUID:
    """Submit by a resumable upload, which goes on from wherever the service stands."""
    headers = bearer(world.token) | {"Tus-Resumable": "1.0.0"}
    fields = {"track": TRACK.name, "method": "pieces"}
    begin = headers | {
        "Idempotency-Key": uuid4().hex,
        "Upload-Length": str(len(archive)),
        "Upload-Metadata": ",".join(
            f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in fields.items()
        ),
    }
    url = f"{world.url}/api/v1/uploads"
    begun = _until_taken(lambda: httpx.post(url, headers=begin, timeout=20))
    upload = world.url + begun.headers["Location"]
    piece = len(archive) // 3 + 1
    for _ in _tries():
        offset = _offset(upload, headers)
        if offset == len(archive):
            break
        if offset is not None:
            _ignoring_cuts(lambda at=offset: _patch(upload, headers, archive, at, piece))
    return UUID(upload.rpartition("/")[2])


def _patch(url: str, headers: dict[str, str], archive: bytes, offset: int, piece: int) -> None:
    media_type = {"Content-Type": "application/offset+octet-stream"}
    httpx.patch(
        url,
        headers=headers | media_type | {"Upload-Offset": str(offset)},
        content=archive[offset : offset + piece],
        timeout=20,
    )


def _offset(url: str, headers: dict[str, str]) -> int | None:
    answer = _ignoring_cuts(lambda: httpx.head(url, headers=headers, timeout=20))
    if answer is None or answer.status_code in _AGAIN:
        return None
    assert answer.status_code == 200, f"{answer.status_code} for an upload that was begun"
    return int(answer.headers["Upload-Offset"])


def _until_taken(ask: Callable[[], httpx.Response]) -> httpx.Response:
    answer = None
    for _ in _tries():
        answer = _ignoring_cuts(ask)
        if answer is None or answer.status_code in _AGAIN:
            continue
        assert answer.status_code == 201, answer.text
        return answer
    raise AssertionError(f"not accepted in {PATIENCE:g} s: {answer and answer.text}")


def _ignoring_cuts(ask: Callable[[], httpx.Response | None]) -> httpx.Response | None:
    try:
        return ask()
    except httpx.TransportError:
        return None


def _tries() -> Iterator[None]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        yield
        time.sleep(0.1)
    raise AssertionError(f"the service has not been there for {PATIENCE:g} s")
