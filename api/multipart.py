"""Read a submission form as it arrives: fields into memory, the archive straight into a file.

The framework's own form parsing would first spool the whole body, whoever sends it.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from api.intake import ReceivedArchive, require_size
from api.problems import RequestError
from board.errors import InvalidSubmissionError
from cubes.tracks import TRACKS

FIELDS = (
    "track",
    "method",
    "description",
    "url",
    "parameters",
    "training_compute",
    "extra_data",
)
"""The text fields of the form, beside the file `archive`."""

BLOCK_BYTES = 2**18
"""Bytes that are taken from the connection before they are parsed and written."""

MAX_FIELD_BYTES = 32 * 2**10
MAX_HEADERS = 8
MAX_HEADER_BYTES = 4096
MAX_FORM_BYTES = len(FIELDS) * MAX_FIELD_BYTES + (len(FIELDS) + 2) * MAX_HEADERS * MAX_HEADER_BYTES
"""Most bytes of a form beside its archive."""


def form_boundary(content_type: str) -> bytes:
    """Return the boundary of a multipart form.

    Raises:
        RequestError: `unsupported_media_type`, if the body is anything else.
    """
    media_type, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if media_type != b"multipart/form-data" or not 0 < len(boundary) <= 70:
        raise RequestError(
            "unsupported_media_type",
            "Send a form as multipart/form-data: curl -F track=... -F method=... -F archive=@FILE.",
        )
    return boundary


async def body_blocks(request: Request, stall_seconds: float) -> AsyncIterator[bytes]:
    """Yield the body in blocks of 256 KiB or more, each of which must arrive in time.

    What has arrived is yielded before an error is raised.

    Raises:
        RequestError: `upload_stalled`.
        ClientDisconnect: The client is gone.
    """
    stream = request.stream()
    fault: Exception | None = None
    ended = False
    while not (ended or fault):
        block = bytearray()
        try:
            async with asyncio.timeout(stall_seconds):
                while len(block) < BLOCK_BYTES and not ended:
                    try:
                        block += await anext(stream)
                    except StopAsyncIteration:
                        ended = True
        except TimeoutError:
            fault = RequestError(
                "upload_stalled",
                f"Less than 256 KiB arrived in {stall_seconds:g} s, so the upload was given up: "
                "upload resumably, with cosmoboard submit.",
            )
        except ClientDisconnect as error:
            fault = error
        if block:
            yield bytes(block)
    if fault:
        raise fault


class FormReader:
    """Takes a multipart body block by block; use as a context manager around the file.

    Attributes:
        fields: The text fields that are complete, in any order.
    """

    def __init__(self, boundary: bytes, path: Path) -> None:
        """Read a form with this boundary; its archive is written to `path`."""
        self.fields: dict[str, str] = {}
        self._path = path
        self._file = path.open("xb")
        self._hash = hashlib.sha256()
        self._size = 0
        self._archive_seen = False
        self._ended = False
        self._name = ""
        self._value = bytearray()
        self._header = bytearray()
        self._header_value = bytearray()
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )

    def __enter__(self) -> "FormReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def feed(self, block: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            RequestError: `malformed_form` or `body_too_large`.
            InvalidSubmissionError: If a field is unknown, repeated, too long or not text.
            OSError: The file cannot be written.
        """
        try:
            self._parser.write(block)
        except MultipartParseError as error:
            raise _malformed(str(error)) from error

    def finish(self) -> ReceivedArchive:
        """Return the archive, once the whole body was fed.

        Raises:
            RequestError: `malformed_form`, if the form has no end.
            InvalidSubmissionError: If there is no archive.
        """
        if not self._ended:
            raise _malformed("it has no end")
        if not self._archive_seen:
            raise InvalidSubmissionError(
                "The field 'archive' is missing: send the .npz with -F archive=@FILE."
            )
        self._require_size()
        self._file.flush()
        return ReceivedArchive(self._path, self._hash.hexdigest(), self._size)

    def _require_size(self) -> None:
        require_size(self._size, TRACKS.get(self.fields.get("track", "")))

    def _on_part_begin(self) -> None:
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header.clear()
        self._header_value.clear()

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in options:
            raise _malformed("a part has no name")
        self._name = options[b"name"].decode(errors="replace")
        self._value.clear()
        if self._name == "archive":
            self._begin_archive(is_file=b"filename" in options)
        elif self._name not in FIELDS:
            raise InvalidSubmissionError(
                f"The form has no field {self._name[:50]!r}; it has {', '.join(FIELDS)}, archive."
            )
        elif self._name in self.fields:
            raise InvalidSubmissionError(f"The form has the field {self._name!r} twice.")

    def _begin_archive(self, *, is_file: bool) -> None:
        if not is_file:
            raise InvalidSubmissionError(
                "The field 'archive' is not a file: send it with -F archive=@FILE, with the @."
            )
        if self._archive_seen:
            raise InvalidSubmissionError("The form has the field 'archive' twice.")
        self._archive_seen = True

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name != "archive":
            self._value += data[start:end]
            if len(self._value) > MAX_FIELD_BYTES:
                raise InvalidSubmissionError(f"The field {self._name!r} is too long.")
            return
        piece = memoryview(data)[start:end]
        self._size += len(piece)
        self._require_size()
        self._file.write(piece)
        self._hash.update(piece)

    def _on_part_end(self) -> None:
        if self._name == "archive":
            return
        try:
            text = self._value.decode()
        except UnicodeDecodeError:
            raise InvalidSubmissionError(
                f"The field {self._name!r} is not text in UTF-8."
            ) from None
        if self._name == "track" and text not in TRACKS:
            raise InvalidSubmissionError(
                f"There is no track {text[:50]!r}; there are {', '.join(TRACKS)}."
            )
        self.fields[self._name] = text

    def _on_end(self) -> None:
        self._ended = True


def _malformed(why: str) -> RequestError:
    return RequestError("malformed_form", f"The form is not valid multipart/form-data: {why}.")
