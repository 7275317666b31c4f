"""The worker, with points at which it can be struck: `celery -A tests.faults.struck_worker`."""

from collections.abc import Callable
from typing import Any

from tests.faults.points import after, before, reach
from worker import tasks
from worker.app import app

__all__ = ["app"]

make_progress = tasks._progress


def _progress_with_points(*args: Any) -> Callable[[int], None]:
    progress = make_progress(*args)

    def with_points(done: int) -> None:
        reach(f"field {done}")
        progress(done)

    return with_points


tasks._progress = _progress_with_points
before(tasks, "_score", "claimed")
after(tasks, "_score", "result committed")
after(tasks, "evaluate_archive", "evaluated")
after(tasks, "finish_submission", "result not committed")
