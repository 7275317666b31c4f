"""What holds for every answer, whichever route it comes from."""

import asyncio
import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import count_request
from board.logs import log_about

_log = logging.getLogger("api.requests")

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

API_PATH = "/api/v1"
TUS_PATH = f"{API_PATH}/uploads"
TUS_VERSION = "1.0.0"

LINGER_BYTES = 64 * 2**20
LINGER_SECONDS = 5.0
"""How much of a refused body is still taken, and for how long."""


REQUEST_ID_HEADER = "X-Request-ID"
"""Names a request in the logs; a client or a proxy may choose the name."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """Gives each request an id, logs it once it is answered, and counts it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, its id in a header of the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        log_about(request=request_id)
        began = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - began
            count_request(scope["method"], _route(scope), status, seconds)
            _log.info(
                "%s %s %d",
                scope["method"],
                scope["path"],
                status,
                extra={"fields": {"seconds": round(seconds, 4), **_submission(scope)}},
            )


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _route(scope: Scope) -> str:
    """Return the path as the routes have it, so that there are few: `/submissions/{id}`."""
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return "none"
    return f"{API_PATH}{path}" if scope["path"].startswith(f"{API_PATH}/") else str(path)


def _submission(scope: Scope) -> dict[str, str]:
    ids = scope.get("path_params", {})
    found = ids.get("submission_id") or ids.get("upload_id")
    return {"submission": str(found)} if found else {}


class FixedHeaders:
    """Adds what every answer says: that browsers may neither run nor frame what is not ours.

    Answers about uploads say, too, which version of tus is spoken.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request with the headers added."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(TUS_PATH):
                    headers["Tus-Resumable"] = TUS_VERSION
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Lingering:
    """Reads on for a while when a request is answered before its body has ended.

    To close at once would reset the connection under a client that still sends, and the answer
    that says what is wrong would be lost with it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, its end held back until the body is drained or given up."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body_ended = False

        async def receive_watched() -> Message:
            nonlocal body_ended
            message = await receive()
            body_ended = body_ended or not message.get("more_body", False)
            return message

        async def send_lingering(message: Message) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if last and not body_ended:
                await send({**message, "more_body": True})
                await _drain(receive)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self._app(scope, receive_watched, send_lingering)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


async def _drain(receive: Receive) -> None:
    taken = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while taken < LINGER_BYTES:
                message = await receive()
                taken += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
