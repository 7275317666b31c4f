"""Signing in on the pages, by the token that the host gave."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.browser import (
    COOKIE,
    FORM_COOKIE,
    Form,
    FormParticipant,
    csrf_token,
    forget_session,
    keep_session,
    new_form_secret,
    require_csrf,
)
from api.deps import Asker
from api.pages.render import render
from api.problems import RequestError
from board.database import transaction
from board.errors import ForbiddenError, InvalidTokenError
from board.sessions import end_session, start_session

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/sign-in")
def sign_in_page(
    request: Request, asker: Asker, next_: Annotated[str, Query(alias="next")] = "/me"
) -> Response:
    """Ask for the token."""
    if asker is not None:
        return RedirectResponse(own_path(next_), status_code=303)
    return _ask(request, own_path(next_))


@router.post("/sign-in")
def sign_in(request: Request, form: Form) -> Response:
    """Sign in, and go on to where one wanted to be."""
    secret = request.cookies.get(FORM_COOKIE)
    if not secret:
        raise RequestError("csrf", "Your browser must accept cookies to sign in: try again.")
    require_csrf(secret, form.get("csrf"))
    following = own_path(form.get("next", "/me"))
    try:
        with transaction() as session:
            if COOKIE in request.cookies:
                end_session(session, request.cookies[COOKIE])
            new = start_session(session, form.get("token", "").strip())
    except (ForbiddenError, InvalidTokenError) as error:
        return _ask(request, following, str(error))
    answer = RedirectResponse(following, status_code=303)
    keep_session(request, answer, new)
    answer.delete_cookie(FORM_COOKIE, path="/", httponly=True, samesite="lax")
    return answer


@router.post("/sign-out")
def sign_out(request: Request, participant: FormParticipant) -> Response:
    """Sign out, here and on the server."""
    with transaction() as session:
        end_session(session, request.cookies[COOKIE])
    answer = RedirectResponse("/", status_code=303)
    forget_session(answer)
    return answer


def own_path(path: str) -> str:
    """Return a path of this site to go to; anything else becomes the page of one's own."""
    is_own = path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable()
    return path if is_own and "\\" not in path else "/me"


def _ask(request: Request, following: str, fault: str | None = None) -> Response:
    placeholder = Response()
    secret = new_form_secret(request, placeholder)
    answer = render(
        request,
        "sign_in.html",
        status=401 if fault else 200,
        following=following,
        fault=fault,
        form_csrf=csrf_token(secret),
    )
    answer.headers.append("Set-Cookie", placeholder.headers["Set-Cookie"])
    return answer
