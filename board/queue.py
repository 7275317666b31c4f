"""Announce submissions to the workers: the broker wakes them, Postgres knows what is queued."""

import logging
from functools import cache
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError

from board.logs import current_context
from board.settings import get_settings

SCORE_TASK = "cosmoboard.score_submission"
"""The task that the workers answer to; its one argument is a submission's id."""

RESCORE_TASK = "cosmoboard.rescore_track"
"""The task that scores a track's submissions against its current reference; takes its name."""

COPIES_TASK = "cosmoboard.check_copies"
"""The task that searches a scored submission for copies; its one argument is its id."""

REQUEST_HEADER = "cosmoboard_request"
"""Tells a worker's logs which HTTP request has led to the task."""

_FIRST, _LAST = 0, 9  # of the priorities that a worker takes messages in

_log = logging.getLogger(__name__)


def make_celery(broker_url: str) -> Celery:
    """Return the Celery application as producers and workers share it."""
    app = Celery("cosmoboard", broker=broker_url)
    app.conf.update(
        task_ignore_result=True,
        task_default_queue="cosmoboard",
        task_serializer="json",
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "socket_connect_timeout": 5,
            "socket_timeout": 30,
            "retry_on_timeout": False,
            # Announcing must not hold up a request: the sweeper announces what is left.
            "max_retries": 1,
            "interval_start": 0,
        },
        task_publish_retry=False,
    )
    return app


@cache
def _producer() -> Celery:
    return make_celery(get_settings().broker_url)


def announce(submission_id: UUID) -> bool:
    """Wake a worker for the submission; call it after the commit that queued it.

    Returns False where the broker cannot be reached: the sweeper announces it again.
    """
    return _send(SCORE_TASK, str(submission_id))


def announce_copy_check(submission_id: UUID) -> bool:
    """Ask a worker to search for copies; False where the broker cannot be reached."""
    return _send(COPIES_TASK, str(submission_id), priority=_LAST)


def announce_rescore(track: str) -> bool:
    """Ask a worker to re-score a track; False where the broker cannot be reached."""
    return _send(RESCORE_TASK, track)


def workers_at_work(timeout: float = 0.5) -> dict[str, int] | None:
    """Return the workers that answer in time, and how many submissions each is scoring.

    None where the broker cannot be reached.
    """
    try:
        answers = _producer().control.inspect(timeout=timeout).active() or {}
    except (OperationalError, OSError):
        return None
    return {name: len(tasks) for name, tasks in sorted(answers.items())}


def _send(task: str, argument: str, priority: int = _FIRST) -> bool:
    request = current_context().get("request")
    try:
        _producer().send_task(
            task, args=[argument], headers={REQUEST_HEADER: request}, priority=priority
        )
    except (OperationalError, OSError) as error:
        _log.warning("%s of %s is not announced: %s", task, argument, error)
        return False
    return True
