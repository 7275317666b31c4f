"""Celery, configured for one long task at a time that must never be lost."""

import logging
from typing import Any

from billiard.util import get_logger as pool_logger  # type: ignore[import-untyped]
from celery import Celery, Task
from celery.signals import celeryd_init, setup_logging, task_prerun, worker_process_init

from board.database import get_engine
from board.logs import log_about, log_json
from board.queue import REQUEST_HEADER, RESCORE_TASK, make_celery
from board.settings import Settings, get_settings
from cubes.tracks import TRACKS, Track

_log = logging.getLogger(__name__)

_A_DAY = 24 * 3600
_WARM_UP = 300  # seconds that a worker process may take to compile and plan


def deadline(track: Track, settings: Settings) -> float:
    """Return the seconds that a submission to the track may run."""
    megavoxels = track.count * track.voxels / 1e6
    return settings.deadline_seconds + settings.deadline_seconds_per_megavoxel * megavoxels


def make_worker(settings: Settings) -> Celery:
    """Return the application that `celery -A worker.app worker` runs.

    A message is acknowledged when its task has ended, and is sent again when a worker process
    dies. The broker must not send it again on its own while the task runs, hence the visibility
    timeout: what was lost with a whole worker is brought back by the sweeper.
    """
    app = make_celery(settings.broker_url)
    app.conf.update(
        imports=["worker.tasks"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=_WARM_UP,
        task_time_limit=max(deadline(track, settings) for track in TRACKS.values()) + 60,
        broker_connection_max_retries=None,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    app.conf.broker_transport_options = {
        **app.conf.broker_transport_options,
        "visibility_timeout": _A_DAY,
    }
    return app


@celeryd_init.connect  # type: ignore[untyped-decorator]
@setup_logging.connect  # type: ignore[untyped-decorator]
def _log_json(**_: Any) -> None:
    """Log lines of JSON alone: what the pool of processes says and Python's warnings, too."""
    log_json()
    logging.captureWarnings(capture=True)
    pool_logger().propagate = True


@task_prerun.connect  # type: ignore[untyped-decorator]
def _log_about_task(task: Task, args: list[str], **_: Any) -> None:
    """Tell in each line of a task what it works on, and which request has led to it."""
    (subject,) = args
    is_track = task.name == RESCORE_TASK
    log_about(
        request=(task.request.headers or {}).get(REQUEST_HEADER),
        submission=None if is_track else subject,
        track=subject if is_track else None,
    )


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _prepare_process(**_: Any) -> None:
    """Forget the parent's connections; compile and plan before the first submission."""
    from scoring import warm_up

    get_engine().dispose(close=False)
    for track in TRACKS.values():
        warm_up(track.shape)


app = make_worker(get_settings())
