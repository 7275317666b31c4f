"""The whole service, each part a real process that is supervised, and ways to do it harm."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import redis
from sqlalchemy import text

from board import database, queue, settings
from board.database import migrate, transaction
from board.participants import create_participant, issue_token
from board.references import add_reference
from cli.launch import endpoints, services, supervisor
from cli.launch.supervisor import Service, Supervisor, marked_processes, pid_path
from cubes.tracks import TRACKS
from tests.faults.points import FOLDER

TRACK = TRACKS["3d-32"]

WORKERS = ("worker-1", "worker-2")
"""Two of them, so that one may take what the other holds."""

LEASE = 1.0
"""Seconds of a lease here: everything that waits is shortened in proportion."""

SETTINGS = {
    "COSMOBOARD_LEASE_SECONDS": str(LEASE),
    "COSMOBOARD_SWEEP_SECONDS": "0.4",
    "COSMOBOARD_RESEND_SECONDS": "1",
    "COSMOBOARD_STALL_SECONDS": "5",
    "COSMOBOARD_DAILY_LIMIT": "1000000",
    "OMP_NUM_THREADS": "1",
}

DURABLE = {"fsync": "off", "full_page_writes": "off"}
"""A killed Postgres loses nothing that it has committed; only a power cut would tell."""


class World:
    """The service on a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], port: int, token: str) -> None:
        self.folder = folder
        self.data = Path(environment["COSMOBOARD_DATA"])
        self.points = Path(environment[FOLDER])
        self.url = f"http://{endpoints.HOST}:{port}"
        self.token = token
        self.broker_url = environment["BROKER_URL"]

    def processes(self, name: str) -> list[psutil.Process]:
        """Return every process of a service, the first one first."""
        found = marked_processes(self.folder, [name])
        return sorted(found, key=lambda process: process.create_time())

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to every process of a service."""
        for process in self.processes(name):
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    def kill(self, name: str) -> None:
        """Kill a service with all of its processes at once."""
        self.signal(name, signal.SIGKILL)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Let every process of a service stand still."""
        self.signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(name, signal.SIGCONT)

    @contextmanager
    def full_disk(self, name: str, left: int) -> Iterator[None]:
        """Let a service write no file beyond `left` bytes: the kernel refuses, as a full disk."""
        pid = int(pid_path(self.folder, name).read_text())
        limit = psutil.RLIMIT_FSIZE
        psutil.Process(pid).rlimit(limit, (left, psutil.RLIM_INFINITY))
        try:
            yield
        finally:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).rlimit(limit, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))

    @contextmanager
    def locked_table(self) -> Iterator[None]:
        """Let every query for a submission wait."""
        with transaction() as session:
            session.execute(text("LOCK TABLE submissions IN ACCESS EXCLUSIVE MODE"))
            yield

    def broker(self) -> redis.Redis:
        return redis.Redis.from_url(self.broker_url, socket_timeout=5)

    def log(self, name: str) -> str:
        return supervisor.log_path(self.folder, name).read_text(errors="replace")


@contextmanager
def running_world(folder: Path, notify: Callable[[str], None] = print) -> Iterator[World]:
    """Start the service on an empty folder; the smallest track has the demo's reference."""
    from cli.build_reference import demo_reference

    with pytest.MonkeyPatch.context() as patch, Supervisor(folder, notify) as children:
        # Here one death follows another sooner than in life: the first restart is always quick.
        patch.setattr(supervisor, "STEADY", 0.5)
        postgres = endpoints.recorded_endpoint(folder, "postgres")
        valkey = endpoints.recorded_endpoint(folder, "valkey")
        children.start(services.postgres(folder, postgres, DURABLE))
        children.start(services.valkey(folder, valkey))
        (folder / "data").mkdir()
        (folder / "points").mkdir()
        environment = SETTINGS | {
            "DATABASE_URL": endpoints.database_url(postgres),
            "BROKER_URL": endpoints.broker_url(valkey),
            "COSMOBOARD_DATA": str(folder / "data"),
            FOLDER: str(folder / "points"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        _forget_connections()
        migrate(environment["DATABASE_URL"])
        with transaction() as session:
            add_reference(session, demo_reference(TRACK.name))
            token = issue_token(session, create_participant(session, "ada"))
        port = endpoints.free_port()
        world = World(folder, environment, port, token)
        for name in WORKERS:
            children.start(_struck_worker(dict(os.environ), name))
        children.start(_struck_api(dict(os.environ), port))
        _wait_for_workers()
        try:
            yield world
        finally:
            database.get_engine().dispose()
    _forget_connections()


def _struck_worker(environment: dict[str, str], name: str) -> Service:
    plain = services.worker(environment)
    words = [word.replace("worker.app", "tests.faults.struck_worker") for word in plain.argv]
    options = ("-n", f"{name}@%h", "--concurrency=1")
    return replace(plain, name=name, argv=(*words, *options))


def _struck_api(environment: dict[str, str], port: int) -> Service:
    plain = services.api(environment, port)
    words = [word.replace("api.app", "tests.faults.struck_api") for word in plain.argv]
    return replace(plain, argv=tuple(words))


def _wait_for_workers() -> None:
    deadline = time.monotonic() + 120
    while len(queue.workers_at_work() or {}) < len(WORKERS):
        if time.monotonic() > deadline:
            sys.exit("The workers do not answer.")


def _forget_connections() -> None:
    settings.get_settings.cache_clear()
    database.get_engine.cache_clear()
    queue._producer.cache_clear()
