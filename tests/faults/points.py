"""Points of the service's own code at which one of its processes can be struck.

The worker and the API run under `struck_worker` and `struck_api`, which call `expose`. A point is
armed by a file of its name in the folder `FAULT_POINTS`; whoever gets there first takes the file
and does what it says: `die`, `die together` with the whole service, or `freeze`.
"""

import os
import signal
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

FOLDER = "FAULT_POINTS"

DIE, DIE_TOGETHER, FREEZE = "die", "die together", "freeze"

WORKER_POINTS = (
    "claimed",
    *(f"field {index}" for index in range(30)),
    "evaluated",
    "result not committed",
    "result committed",
)
"""In the order of a submission's life; the message is acknowledged after the last one."""

FORM_POINTS = (
    "bytes arriving",
    "archive staged",
    "archive kept",
    "row not committed",
    "row committed",
    "announced",
    "answer",
)
"""Where the API is while it takes a form."""

UPLOAD_POINTS = (
    "upload not committed",
    "upload begun",
    "piece written",
    "archive staged",
    "archive kept",
    "upload not queued",
    "upload queued",
    "upload announced",
    "upload file removed",
)
"""Where the API is while it takes a resumable upload."""


def arm(folder: Path, point: str, what: str) -> None:
    """Let the next process that reaches the point be struck."""
    new = folder / f".{point}"
    new.write_text(what)
    new.rename(folder / point)


def disarm(folder: Path) -> list[str]:
    """Disarm every point, and return those that nobody has reached."""
    left = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    for name in left:
        (folder / name).unlink(missing_ok=True)
    return left


def reach(point: str) -> None:
    """Be struck, if the point is armed and no other process was first."""
    armed = Path(os.environ[FOLDER]) / point
    taken = armed.with_name(f".{point} {os.getpid()}")
    try:
        armed.rename(taken)
    except FileNotFoundError:
        return
    match taken.read_text():
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die together":
            os.killpg(os.getpgrp(), signal.SIGKILL)
        case "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)


def before(owner: Any, name: str, point: str) -> None:
    """Make the point come before each call of a function."""
    _replace(owner, name, lambda call: (reach(point), call())[1])


def after(owner: Any, name: str, point: str) -> None:
    """Make the point come after each call of a function."""
    _replace(owner, name, lambda call: (call(), reach(point))[0])


def _replace(owner: Any, name: str, around: Callable[[Callable[[], Any]], Any]) -> None:
    function = getattr(owner, name)

    @wraps(function)
    def with_point(*args: Any, **options: Any) -> Any:
        return around(lambda: function(*args, **options))

    setattr(owner, name, with_point)
