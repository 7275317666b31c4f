"""Every refusal as RFC 9457 problem details: the only place that maps errors to HTTP.

`type` and `code` are stable; clients script against them. `detail` is a sentence for a person.
"""

import errno
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.schemas import Problem
from board.errors import BoardError, DuplicateArchiveError, QuotaExceededError
from cubes.errors import ArchiveError

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "unauthenticated": (401, "A token is needed"),
    "invalid_token": (401, "The token is not valid"),
    "forbidden": (403, "Not allowed"),
    "csrf": (403, "The form is out of date"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "upload_stalled": (408, "The upload stalled"),
    "duplicate_archive": (409, "Already submitted"),
    "wrong_state": (409, "The submission's state does not allow this"),
    "upload_offset_mismatch": (409, "The upload stands elsewhere"),
    "no_reference": (409, "The track is not open yet"),
    "not_comparable": (409, "The two cannot be compared"),
    "upload_gone": (410, "The upload is gone"),
    "tus_version": (412, "This version of tus is not spoken here"),
    "body_too_large": (413, "The body is too large"),
    "storage_limit": (413, "Your archives take too much space"),
    "unsupported_media_type": (415, "Unsupported media type"),
    "range_not_satisfiable": (416, "There is nothing at that place"),
    "invalid_request": (422, "The request is not valid"),
    "invalid_submission": (422, "The submission form is not valid"),
    "malformed_form": (422, "The form cannot be read"),
    "invalid_archive": (422, "The archive cannot be scored"),
    "idempotency_conflict": (422, "The Idempotency-Key was used before"),
    "upload_locked": (423, "The upload is being written"),
    "quota_exceeded": (429, "The daily limit is used up"),
    "rate_limited": (429, "Too many requests"),
    "internal_error": (500, "The service failed"),
    "unavailable": (503, "The service is not available"),
    "storage_full": (507, "The service has no space left"),
}
"""Status and title of each problem by its code.

`invalid_archive` stands for every code of an archive's faults (`cubes.errors.ArchiveError`).
"""

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_RETRY_AFTER = {"unavailable": "5", "storage_full": "600", "upload_locked": "1"}


class RequestError(Exception):
    """A request that the API itself refuses.

    Attributes:
        code: A key of `PROBLEMS`.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Refusal:
    """What a client is told: the problem, and the headers that go with it."""

    problem: Problem
    headers: Mapping[str, str]


def refusal(code: str, detail: str, **more: Any) -> Refusal:
    """Return the problem of this code; codes that `PROBLEMS` lacks are faults of an archive."""
    status, title = PROBLEMS.get(code, PROBLEMS["invalid_archive"])
    headers = {"Retry-After": _RETRY_AFTER[code]} if code in _RETRY_AFTER else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer" + (
            ' error="invalid_token"' if code == "invalid_token" else ""
        )
    problem = Problem(
        type=f"/problems/{code}", title=title, status=status, detail=detail, code=code, **more
    )
    return Refusal(problem, headers)


def refusal_of(error: Exception) -> Refusal:
    """Return what a client is told of an error."""
    match error:
        case QuotaExceededError():
            known = refusal(error.code, str(error))
            return Refusal(known.problem, {"Retry-After": str(error.retry_after)})
        case DuplicateArchiveError():
            url = f"/api/v1/submissions/{error.existing}"
            known = refusal(error.code, str(error), submission=error.existing, submission_url=url)
            return Refusal(known.problem, {"Link": f'<{url}>; rel="related"'})
        case BoardError() | RequestError():
            return refusal(error.code, str(error))
        case ArchiveError():
            return refusal(error.code, str(error))
        case RequestValidationError():
            faults = [
                {"field": ".".join(map(str, fault["loc"])), "message": fault["msg"]}
                for fault in error.errors()
            ]
            named = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
            return refusal("invalid_request", f"The request is not valid: {named}.", errors=faults)
        case HTTPException():
            return _refusal_of_status(error)
        case OperationalError() | PoolTimeoutError():
            return refusal(
                "unavailable", "The database does not answer. Nothing was changed: try again soon."
            )
        case OSError() if error.errno in _DISK_FULL:
            return refusal(
                "storage_full", "The service has no space left for archives: try again later."
            )
    return refusal("internal_error", "The service failed. The fault is ours: try again later.")


def _refusal_of_status(error: HTTPException) -> Refusal:
    """Translate what the framework itself refuses: no such path, no such method."""
    match error.status_code:
        case 404:
            known = refusal("not_found", "There is nothing at this address.")
        case 405:
            known = refusal("method_not_allowed", "This address does not take that method.")
        case _:
            known = refusal("invalid_request", str(error.detail))
            known.problem.status = error.status_code
    return Refusal(known.problem, {**known.headers, **(error.headers or {})})


def _is_page(request: Request) -> bool:
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get(
        "accept", ""
    )


def problem_response(found: Refusal) -> Response:
    """Return the refusal as `application/problem+json`."""
    return JSONResponse(
        found.problem.model_dump(mode="json", exclude_none=True),
        status_code=found.problem.status,
        headers=dict(found.headers),
        media_type=MEDIA_TYPE,
    )


def problem_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the problems that a route may answer with."""
    titles: dict[int, list[str]] = {}
    for code in codes:
        status, title = PROBLEMS[code]
        titles.setdefault(status, []).append(f"{title} (`{code}`)")
    return {
        status: {"model": Problem, "description": "; ".join(named)}
        for status, named in sorted(titles.items())
    }


def answer_with_problems(app: FastAPI, error_page: Callable[[Request, Problem], Response]) -> None:
    """Make every error of the API an RFC 9457 answer, and every error of a page a page."""

    async def answer(request: Request, error: Exception) -> Response:
        found = refusal_of(error)
        if found.problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("%s %s: %r", request.method, request.url.path, error)
        if _is_page(request):
            return await run_in_threadpool(error_page, request, found.problem)
        return problem_response(found)

    async def nobody_listens(request: Request, error: Exception) -> Response:
        return Response(status_code=HTTPStatus.BAD_REQUEST)

    for kind in (
        BoardError,
        RequestError,
        ArchiveError,
        RequestValidationError,
        HTTPException,
        OperationalError,
        PoolTimeoutError,
        OSError,
        Exception,
    ):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(ClientDisconnect, nobody_listens)
