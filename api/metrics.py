"""Numbers for Prometheus: what the board holds, and how requests are answered.

A host's token reads them; a read-only one does.
"""

import logging
from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.deps import Host
from board.census import STAGE_BUCKETS, Ended, StageTimes, UnderWay, ended, stage_times, under_way
from board.database import transaction

_log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)

_REGISTRY = CollectorRegistry()

_METHODS = {"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"}

_requests = Counter(
    "cosmoboard_requests",
    "Requests that were answered; status 0 where the client was gone.",
    ("method", "route", "status"),
    registry=_REGISTRY,
)
_request_seconds = Histogram(
    "cosmoboard_request_seconds",
    "Seconds from a request's head to the end of its answer.",
    ("method", "route"),
    registry=_REGISTRY,
)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request that was answered."""
    method = method if method in _METHODS else "other"
    _requests.labels(method, route, str(status)).inc()
    _request_seconds.labels(method, route).observe(seconds)


class _Board(Collector):
    """Reads the board whenever the numbers are asked for."""

    def collect(self) -> Iterator[Metric]:
        """Yield what the database tells; without one, only that it does not answer."""
        up = GaugeMetricFamily("cosmoboard_database_up", "Whether the database answers.")
        try:
            with transaction() as session:
                yield from _families(session)
        except SQLAlchemyError as error:
            _log.warning("no numbers of the board: %s", error.__class__.__name__)
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
        yield up


def _families(session: Session) -> list[Metric]:
    tracks = under_way(session)
    return [
        _states(tracks),
        _oldest(tracks),
        _endings(ended(session)),
        _stages(stage_times(session)),
    ]


def _states(tracks: Iterable[UnderWay]) -> Metric:
    family = GaugeMetricFamily(
        "cosmoboard_submissions_under_way",
        "Submissions that have not ended; `queued` is the length of the queue.",
        labels=("track", "state"),
    )
    for track in tracks:
        for state in ("uploading", "queued", "running"):
            family.add_metric([track.track, state], getattr(track, state))
    return family


def _oldest(tracks: Iterable[UnderWay]) -> Metric:
    family = GaugeMetricFamily(
        "cosmoboard_oldest_queued_seconds",
        "Age of the oldest submission that waits for a worker.",
        labels=("track",),
    )
    for track in tracks:
        family.add_metric([track.track], track.oldest_seconds)
    return family


def _endings(endings: Iterable[Ended]) -> Metric:
    family = GaugeMetricFamily(  # no counter: what is withdrawn after all changes its end
        "cosmoboard_submissions_ended",
        "Submissions that have ended, by how; those that were not scored with the reason's code.",
        labels=("track", "state", "reason"),
    )
    for ending in endings:
        family.add_metric([ending.track, ending.state, ending.reason], ending.count)
    return family


def _stages(stages: Iterable[StageTimes]) -> Metric:
    family = HistogramMetricFamily(
        "cosmoboard_stage_seconds",
        "Seconds that scored submissions spent uploading, waiting for a worker, being scored.",
        labels=("track", "stage"),
    )
    for times in stages:
        buckets = [
            *zip((str(bucket) for bucket in STAGE_BUCKETS), times.at_most, strict=True),
            ("+Inf", times.count),
        ]
        family.add_metric([times.track, times.stage], buckets, times.seconds)
    return family


_REGISTRY.register(_Board())


@router.get("/metrics")
def metrics(host: Host) -> Response:
    """Tell a host's monitor the numbers."""
    return Response(generate_latest(_REGISTRY), media_type=CONTENT_TYPE_LATEST)
