"""Logs as one JSON object a line: when, what, in which request, of which submission.

JSON escapes what would end a line, so that nobody can forge one.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_context: ContextVar[dict[str, Any] | None] = ContextVar("log_context", default=None)


class JsonLines(logging.Formatter):
    """Formats a record, what it is about, and the attributes that `extra={"fields": …}` adds."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **current_context(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def current_context() -> dict[str, Any]:
    """Return what the log is about just now."""
    return _context.get() or {}


def log_about(**about: str | None) -> None:
    """Say in every line from here on what it is about: `request`, `submission`; None to end that.

    It holds for the current request, task or thread.
    """
    known = current_context() | about
    _context.set({name: value for name, value in known.items() if value is not None})


def log_json() -> None:
    """Send what this process logs to stderr as JSON; the servers' own loggers, too."""
    root = logging.getLogger()
    if any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "httpx"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # The application itself logs each request, with what the server does not know of it.
    logging.getLogger("uvicorn.access").propagate = False
    logging.getLogger("httpx").setLevel(logging.WARNING)
