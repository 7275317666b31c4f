"""Announce submissions to the workers: the broker wakes them, Postgres knows what is queued."""

import logging
from functools import cache
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError

from board.settings import get_settings

SCORE_TASK = "cosmoboard.score_submission"
"""The task that the workers answer to; its one argument is a submission's id."""

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
    try:
        _producer().send_task(SCORE_TASK, args=[str(submission_id)])
    except (OperationalError, OSError) as error:
        _log.warning("submission %s is queued but not announced: %s", submission_id, error)
        return False
    return True
