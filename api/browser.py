"""Signed-in browsers: their cookie, and the proof that a request comes from our own pages.

The cookie is HttpOnly and SameSite; a request that changes something must also carry a token made
from it, in the header `X-CSRF-Token` or in the form. Whoever cannot read our pages cannot know it.
"""

import hashlib
import hmac
import secrets
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.problems import RequestError
from board.database import transaction
from board.errors import InvalidTokenError
from board.models import Participant
from board.sessions import LIFETIME, signed_in

COOKIE = "cosmoboard_session"
"""Holds the secret of a browser that is signed in."""

FORM_COOKIE = "cosmoboard_form"
"""Holds what the sign-in form is tied to, before there is a session."""

CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

_MAX_FORM_BYTES = 2**16


def csrf_token(secret: str) -> str:
    """Return what our pages send along with this cookie."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def require_csrf(secret: str, given: str | None) -> None:
    """Refuse a change that does not come from one of our pages.

    Raises:
        RequestError: `csrf`.
    """
    if not hmac.compare_digest(csrf_token(secret), given or ""):
        raise RequestError(
            "csrf", "This form is out of date or came from another site: load the page again."
        )


def participant_of_cookie(request: Request) -> Participant | None:
    """Return who is signed in, None if nobody (any more).

    Raises:
        RequestError: `csrf`, if the request changes something without the proof in its header.
    """
    secret = request.cookies.get(COOKIE)
    if not secret:
        return None
    try:
        with transaction() as session:
            participant = signed_in(session, secret)
    except InvalidTokenError:
        return None
    if request.method not in SAFE_METHODS:
        require_csrf(secret, request.headers.get(CSRF_HEADER))
    return participant


def keep_session(request: Request, response: Response, secret: str) -> None:
    """Let the browser keep the secret of its session."""
    _set_cookie(request, response, COOKIE, secret, int(LIFETIME.total_seconds()))


def new_form_secret(request: Request, response: Response) -> str:
    """Tie the sign-in form to this browser, and return what its proof is made from."""
    secret = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(32)
    _set_cookie(request, response, FORM_COOKIE, secret, 3600)
    return secret


def forget_session(response: Response) -> None:
    """Let the browser forget its session."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")


def _set_cookie(request: Request, response: Response, name: str, value: str, age: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=age,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


async def _read_form(request: Request) -> dict[str, str]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type != "application/x-www-form-urlencoded":
        raise RequestError("unsupported_media_type", "Send the form as our page does.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            raise RequestError("body_too_large", "The form is too large.")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50)
    except (UnicodeDecodeError, ValueError):
        raise RequestError("malformed_form", "The form cannot be read.") from None
    return dict(fields)


Form = Annotated[dict[str, str], Depends(_read_form)]
"""The fields of a small form that one of our pages has sent."""


async def _form_participant(request: Request, form: Form) -> Participant:
    secret = request.cookies.get(COOKIE)
    if not secret:
        raise RequestError("unauthenticated", "You are signed out: sign in again.")
    require_csrf(secret, form.get("csrf"))

    def who() -> Participant:
        with transaction() as session:
            return signed_in(session, secret)

    return await run_in_threadpool(who)


FormParticipant = Annotated[Participant, Depends(_form_participant)]
"""Who has sent a form of one of our pages."""


def _form_host(participant: FormParticipant) -> Participant:
    if not participant.is_host:
        raise RequestError("forbidden", "Only a host of the challenge may do this.")
    return participant


FormHost = Annotated[Participant, Depends(_form_host)]
"""As `FormParticipant`, but a host."""
