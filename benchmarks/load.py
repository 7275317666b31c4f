"""How much the service holds: submissions an hour, requests a second, and recovery after kills.

    make bench-load

Starts a Postgres, a Valkey, an API and workers of its own. One set of submissions is scored with 1,
2 and 4 worker processes, while clients read the leaderboard all the time; then each process is
killed once, with the settings that a real board has, while a submission is being scored.
"""

import argparse
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import func, select, text

from board import database, queue, settings
from board.database import migrate, transaction
from board.models import Submission
from board.participants import create_participant, issue_token
from board.references import add_reference
from board.storage import DiskStorage
from board.submissions import StoredArchive, create_submission, describe_submission
from cli.build_reference import demo_reference
from cli.launch import endpoints, services
from cli.launch.supervisor import Supervisor, marked_processes
from cubes.archive import write_archive
from cubes.demo import demo_fields

FOLDER_SETTINGS = {"OMP_NUM_THREADS": "1", "COSMOBOARD_DAILY_LIMIT": "1000000"}


@dataclass(frozen=True)
class Place:
    """Where the service is, and with which token to ask it."""

    folder: Path
    url: str
    token: str


@contextmanager
def serving(processes: int, track: str) -> Iterator[Place]:
    """Serve from an empty folder with so many worker processes."""
    with tempfile.TemporaryDirectory() as name, Supervisor(Path(name), lambda _: None) as children:
        folder = Path(name)
        postgres = endpoints.recorded_endpoint(folder, "postgres")
        valkey = endpoints.recorded_endpoint(folder, "valkey")
        children.start(services.postgres(folder, postgres))
        children.start(services.valkey(folder, valkey))
        (folder / "data").mkdir()
        os.environ.update(
            FOLDER_SETTINGS,
            DATABASE_URL=endpoints.database_url(postgres),
            BROKER_URL=endpoints.broker_url(valkey),
            COSMOBOARD_DATA=str(folder / "data"),
        )
        for cached in (settings.get_settings, database.get_engine, queue._producer):
            cached.cache_clear()
        migrate(os.environ["DATABASE_URL"])
        with transaction() as session:
            add_reference(session, demo_reference(track))
            token = issue_token(session, create_participant(session, "load"))
        port = endpoints.free_port()
        worker = services.worker(dict(os.environ))
        children.start(replace(worker, argv=(*worker.argv, f"--concurrency={processes}")))
        children.start(services.api(dict(os.environ), port))
        while not queue.workers_at_work():
            time.sleep(0.1)
        wait_until_idle(folder)
        try:
            yield Place(folder, f"http://{endpoints.HOST}:{port}", token)
        finally:
            database.get_engine().dispose()


def wait_until_idle(folder: Path) -> None:
    """Wait until all worker processes have compiled and planned, which takes seconds of each."""

    def spent() -> float:
        times = [process.cpu_times() for process in marked_processes(folder, ("worker",))]
        return sum(taken.user + taken.system for taken in times)

    before, now = -1.0, 0.0
    while now - before > 0.1:
        time.sleep(2)
        before, now = now, spent()


def queue_set(place: Place, track: str, count: int) -> None:
    """Queue so many submissions of the training set at once."""
    storage = DiskStorage(place.folder / "data")
    ids = []
    with storage.stage() as archive:
        write_archive(archive, demo_fields(track, "train"), compression="stored")
        content = archive.read_bytes()
    for index in range(count):
        submission_id = uuid4()
        with storage.stage() as staged:
            staged.write_bytes(content)
            storage.publish(staged, submission_id)
        with transaction() as session:
            create_submission(
                session,
                create_participant(session, "load"),
                describe_submission({"track": track, "method": f"m{index}"}),
                StoredArchive(submission_id, uuid4().hex * 2, len(content)),
                10**6,
            )
        ids.append(submission_id)
    for submission_id in ids:
        queue.announce(submission_id)


def wait_until_scored() -> None:
    """Wait until nothing is queued or running."""
    while True:
        with transaction() as session:
            left = session.scalar(
                select(func.count()).where(Submission.state.in_(("queued", "running")))
            )
        if not left:
            return
        time.sleep(0.05)


def submissions_per_hour() -> float:
    """Return the rate between the first claim and the last end."""
    with transaction() as session:
        count, seconds = session.execute(
            text(
                "SELECT count(*), extract(epoch FROM max(finished_at) - min(claimed_at))"
                " FROM submissions WHERE state = 'scored'"
            )
        ).one()
    return 3600 * count / float(seconds)


def read_until(place: Place, track: str, stopping: threading.Event, took: list[float]) -> None:
    """Ask for the leaderboard again and again; note how long each answer took."""
    with httpx.Client(base_url=place.url, timeout=30) as client:
        while not stopping.is_set():
            began = time.perf_counter()
            client.get("/api/v1/leaderboard", params={"track": track}).raise_for_status()
            took.append(time.perf_counter() - began)


def measure_load(processes: int, track: str, count: int, clients: int) -> str:
    """Score the set while clients read; return a row of the table."""
    with serving(processes, track) as place:
        queue_set(place, track, 2 * processes)  # warm
        wait_until_scored()
        with transaction() as session:
            session.execute(text("TRUNCATE submissions CASCADE"))
        stopping, took = threading.Event(), list[float]()
        readers = [
            threading.Thread(target=read_until, args=(place, track, stopping, took))
            for _ in range(clients)
        ]
        queue_set(place, track, count)
        began = time.monotonic()
        for reader in readers:
            reader.start()
        wait_until_scored()
        stopping.set()
        seconds = time.monotonic() - began
        for reader in readers:
            reader.join()
        p99 = quantiles(took, n=100, method="inclusive")[98]
        return (
            f"| {processes} | {submissions_per_hour():,.0f} | {len(took) / seconds:.0f} | "
            f"{1000 * p99:.0f} ms |"
        )


def measure_recovery(name: str, strike: Callable[[Place], None], track: str) -> str:
    """Kill while a submission is scored; return how long it takes until it is scored after all."""
    with serving(2, track) as place:
        queue_set(place, track, 1)
        wait_until_scored()
        queue_set(place, track, 4)
        while not _running():
            time.sleep(0.002)
        began = time.monotonic()
        strike(place)
        while True:
            try:
                wait_until_scored()
                break
            except Exception:  # the database itself may be away
                time.sleep(0.1)
        while not _answers(place):
            time.sleep(0.05)
        return f"| {name} | {time.monotonic() - began:.1f} s |"


def _running() -> bool:
    with transaction() as session:
        return bool(session.scalar(select(func.count()).where(Submission.state == "running")))


def _answers(place: Place) -> bool:
    try:
        return httpx.get(f"{place.url}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def _kill(*names: str) -> Callable[[Place], None]:
    def strike(place: Place) -> None:
        for process in list(marked_processes(place.folder, names)):
            process.send_signal(signal.SIGKILL)

    return strike


def main() -> None:
    """Print both tables, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--track", default="3d-64", choices=("3d-64", "3d-32"))
    parser.add_argument("--count", type=int, default=40, help="submissions in the set")
    parser.add_argument("--clients", type=int, default=4)
    arguments: Any = parser.parse_args()
    print(f"{arguments.count} submissions to {arguments.track}, {arguments.clients} readers\n")
    print("| worker processes | submissions an hour | requests a second | p99 |")
    print("|---|---|---|---|", flush=True)
    for processes in (1, 2, 4):
        row = measure_load(processes, arguments.track, arguments.count, arguments.clients)
        print(row, flush=True)
    print("\n| killed while scoring | all scored, and ready, after |\n|---|---|", flush=True)
    for names in (("worker",), ("api",), ("postgres",), ("valkey",)):
        print(measure_recovery(names[0], _kill(*names), arguments.track), flush=True)
    everything = ("worker", "api", "postgres", "valkey")
    print(measure_recovery("all four", _kill(*everything), arguments.track), flush=True)


if __name__ == "__main__":
    main()
