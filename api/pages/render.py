"""Templates, and how pages write numbers."""

import gzip
import math
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from markupsafe import Markup, escape
from sqlalchemy.exc import SQLAlchemyError

from api import schemas
from api.browser import COOKIE, SAFE_METHODS, csrf_token, participant_of_cookie
from api.kept import kept
from api.negotiation import weights
from api.pages.bars import score_interval, share_bar
from board.models import Participant

HERE = Path(__file__).parent

STATISTICS = {"psd": "Power spectrum", "mass": "Mass histogram", "peak": "Peak histogram"}
"""Names of the statistics, as people read them."""

_templates = Jinja2Templates(HERE / "templates")
_templates.env.trim_blocks = True
_templates.env.lstrip_blocks = True


def render(
    request: Request,
    template: str,
    asker: Participant | None = None,
    *,
    status: int = 200,
    **context: Any,
) -> Response:
    """Return a page; it knows who asks, and what proves that a form comes from it."""
    secret = request.cookies.get(COOKIE)
    known = {"asker": asker, "csrf": csrf_token(secret) if asker and secret else ""}
    answer = _templates.TemplateResponse(
        request, template, {**known, **context}, status_code=status
    )
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = "Cookie, Accept-Encoding"
    # A page with a secret in it is not compressed: its size would tell of the secret.
    is_same_for_all = asker is None and "form_csrf" not in context
    if is_same_for_all and weights(request.headers.get("accept-encoding", "")).get("gzip"):
        answer.body = _packed(bytes(answer.body))
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Content-Length"] = str(len(answer.body))
    return answer


@kept(16)
def _packed(content: bytes) -> bytes:
    """Return a page gzipped; most visitors get the same."""
    return gzip.compress(content, compresslevel=6)


def render_part(template: str, **context: Any) -> Markup:
    """Return a part of a page that is the same for whoever asks."""
    return Markup(_templates.get_template(template).render(context))  # noqa: S704


def error_page(request: Request, problem: schemas.Problem) -> Response:
    """Show a problem to a person."""
    path = request.url.path
    return render(
        request,
        "error.html",
        _asker_if_known(request),
        status=problem.status,
        problem=problem,
        may_be_private=problem.status == 404 and path.startswith("/submissions/"),
        following=quote(path, safe=""),
    )


def _asker_if_known(request: Request) -> Participant | None:
    """Return who is signed in; nobody, where the database cannot tell."""
    if request.method not in SAFE_METHODS:
        return None
    try:
        return participant_of_cookie(request)
    except SQLAlchemyError:
        return None


def significant(value: float | None, digits: int = 3) -> str:
    """Write a number with so many significant digits; None is an infinite score."""
    if value is None:
        return "∞"
    if value == 0:
        return "0"
    text = f"{value:#.{digits}g}"
    return (f"{value:.0f}" if "e+" in text else text).rstrip(".")


def score_range(score: schemas.StatisticScore) -> str:
    """Write the 95 % error bar of S*."""
    interval = score_interval(score)
    if interval is None:
        return ""
    best = "∞" if math.isinf(interval[1]) else significant(interval[1])
    return f"{significant(interval[0])} to {best}"


def grouped(text: str) -> str:
    """Write a bare number with its thousands apart."""
    return f"{int(text):,}".replace(",", "\u2009") if text.isascii() and text.isdigit() else text


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share as a percentage."""
    return "–" if value is None else f"{round(100 * value, digits):g} %"


def percents(interval: tuple[float, float]) -> str:
    """Write an interval of shares."""
    return f"{round(100 * interval[0], 1):g} to {round(100 * interval[1], 1):g} %"


def day(moment: datetime) -> str:
    """Write a date, UTC."""
    return f"{moment:%Y-%m-%d}"


def minute(moment: datetime) -> str:
    """Write a time, UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def duration(seconds: float) -> str:
    """Write about how long something takes."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def size(count: int) -> str:
    """Write a number of bytes."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def markdown(text: str) -> str:
    """Write a text of the API's reference as a cell of a Markdown table."""
    cell = text.replace("|", "\\|").replace("\n", " ")
    return _OBJECT.sub(lambda name: f"[{name[1]}](#{name[1].lower()})", cell)


def html(text: str) -> Markup:
    """Write a text of the API's reference in HTML: `code`, and [Objects] as links."""
    linked = _OBJECT.sub(r'<a href="#\1">\1</a>', str(escape(text)))
    return Markup(_CODE.sub(r"<code>\1</code>", linked))  # noqa: S704


_OBJECT = re.compile(r"\[([A-Z]\w+)\]")
_CODE = re.compile(r"`([^`]+)`")


_templates.env.filters.update(
    significant=significant,
    score_range=score_range,
    grouped=grouped,
    percent=percent,
    percents=percents,
    day=day,
    minute=minute,
    duration=duration,
    size=size,
    markdown=markdown,
    html=html,
)
_templates.env.globals.update(
    statistics=STATISTICS, sort_keys={"overall": "Overall", **STATISTICS}, share_bar=share_bar
)
