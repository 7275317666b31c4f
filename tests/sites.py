"""A web server of one file that breaks as it is told."""

import hashlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

CONTENT = np.random.default_rng(0).bytes(3_000_000)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class Site:
    """A web server for one file, which breaks as told.

    `faults` holds one function a request, each given the handler and the first byte asked for; once
    they are used up the file is served properly. `requests` lists the ranges asked for.
    """

    def __init__(self) -> None:
        self.faults: list[Callable[[BaseHTTPRequestHandler, int], None]] = []
        self.requests: list[str | None] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                site.requests.append(asked)
                self.close_connection = True
                start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
                if site.faults:
                    site.faults.pop(0)(self, start)
                else:
                    serve(self, start)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/cubes.zip"
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> "Site":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


def serve(handler: BaseHTTPRequestHandler, start: int, size: int | None = None) -> None:
    """Answer as a good server does, or break off after `size` bytes."""
    if start >= len(CONTENT):
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(CONTENT)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
    handler.send_header("Content-Length", str(len(CONTENT) - start))
    handler.end_headers()
    handler.wfile.write(CONTENT[start : start + size if size is not None else None])


def breaking(size: int) -> Callable[[BaseHTTPRequestHandler, int], None]:
    return lambda handler, start: serve(handler, start, size)


def status(code: int) -> Callable[[BaseHTTPRequestHandler, int], None]:
    def answer(handler: BaseHTTPRequestHandler, start: int) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer
