"""`cosmoboard up`, all of it: from nothing to a scored board, and through every kill."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from baseline.shipped import read_manifest
from cli.launch import endpoints, services
from cli.launch.stores import start_stores
from cli.launch.supervisor import Supervisor
from cubes.demo import DEMO_TRACKS
from tests.launched import NO_SEARCHES, FirstRun, Up, copied, first_run
from tests.processes import eventually, running

__all__ = ["first_run"]

KEPT = len(read_manifest()) + 2 * len(DEMO_TRACKS)
"""Archives of a first run: those that are submitted, and both halves of each reference."""

LEASE = 15.0
"""Seconds after which a killed worker's submission is free again."""


@pytest.fixture
def copy(first_run: FirstRun, tmp_path: Path) -> Path:
    """A copy of the folder of the first run."""
    return copied(first_run, tmp_path / "data")


@pytest.fixture
def unscored_copy(copy: Path) -> Path:
    """A copy whose tracks are open, but to which nothing was submitted."""
    with Supervisor(copy, print) as supervisor:
        endpoint = endpoints.recorded_endpoint(copy, "postgres")
        supervisor.start(services.postgres(copy, endpoint))
        with psycopg.connect(endpoints.database_url(endpoint)) as connection:
            submitted = connection.execute("SELECT id FROM submissions").fetchall()
            connection.execute("TRUNCATE submissions CASCADE")
    for (submission_id,) in submitted:
        (copy / "archives" / f"{submission_id}.npz").unlink()
    return copy


@pytest.fixture
def start() -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(folder: Path, *words: str, **variables: str) -> Up:
        started.append(Up(folder, *words, **NO_SEARCHES, **variables))
        return started[-1]

    yield start
    for up in started:
        if not up.ended():
            up.stop()


@pytest.fixture(scope="module")
def board(first_run: FirstRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A board that is served on a copy of the folder of the first run, until SIGTERM."""
    folder = copied(first_run, tmp_path_factory.mktemp("served") / "data")
    up = Up(folder, **NO_SEARCHES)
    try:
        yield up.serving()
        up.process.terminate()
        assert up.end() == 0
        assert up.said().endswith("Stopping all services.\nStopped.\n")
        assert not running(folder)
    finally:
        up.process.kill()


def test_once_goes_from_nothing_to_scored_rows(first_run: FirstRun) -> None:
    said = first_run.said()
    for sample in read_manifest():
        assert sample.method in said
        assert sample.track in said
    assert "Real cubes" in said
    assert not running(first_run.folder)
    assert len(list((first_run.folder / "archives").iterdir())) == KEPT


def test_a_second_start_submits_nothing_twice(first_run: FirstRun, board: Up) -> None:
    archives = {path.name for path in (first_run.folder / "archives").iterdir()}
    assert {path.name for path in (board.folder / "archives").iterdir()} == archives
    assert "scored: overall" not in board.log("worker")
    for track in {sample.track for sample in read_manifest()}:
        methods = {sample.method for sample in read_manifest() if sample.track == track}
        assert set(board.methods(track)) == methods


def test_the_page_shows_the_rows(board: Up) -> None:
    page = httpx.get(board.url, follow_redirects=True).raise_for_status().text
    for sample in read_manifest():
        if sample.track == "3d-64":
            assert sample.method in page


def test_a_killed_worker_comes_back_and_its_submission_is_scored_once(board: Up) -> None:
    ada = board.token("ada")
    submission = board.submit(ada, "lognormal-3d-64.npz", "3d-64")
    assert eventually(lambda: f"{submission} claimed, attempt 1" in board.log("worker"))

    os.kill(board.pid("worker"), signal.SIGKILL)

    assert eventually(lambda: f"{submission} claimed, attempt 2" in board.log("worker"), LEASE + 10)
    assert eventually(lambda: board.state(submission, ada) == "scored", 60)
    assert board.get(f"/submissions/{submission}", ada)["attempt"] == 2
    assert board.log("worker").count(f"{submission} scored") == 1
    assert board.methods("3d-64").count("mine") == 1


@pytest.mark.parametrize("victim", ["api", "valkey", "postgres"])
def test_a_killed_service_comes_back_and_nothing_accepted_is_lost(board: Up, victim: str) -> None:
    token = board.token(f"friend of {victim}")
    url, before = board.url, board.pid(victim)
    submission = board.submit(token, "lognormal-3d-32.npz", "3d-32")

    os.kill(before, signal.SIGKILL)

    assert eventually(lambda: board.pid(victim) != before)
    assert eventually(lambda: board.state(submission, token) == "scored", 60)
    assert board.url == url
    assert f"The {victim} stopped (killed by SIGKILL); it is started again" in board.said()


def test_a_second_up_on_the_folder_is_refused_and_the_first_goes_on(
    board: Up, start: Callable[..., Up], tmp_path: Path
) -> None:
    link = tmp_path / "other-name"
    link.symlink_to(board.folder)

    second = start(link)

    assert second.end() == 1
    assert f"Another cosmoboard (process {board.process.pid}) serves {board.folder}" in (
        second.said()
    )
    assert board.methods("3d-64")


def test_a_taken_port_is_said_before_anything_is_started(
    start: Callable[..., Up], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = start(tmp_path / "data", "--port", str(port))
        assert up.end() == 1
    assert f"Port {port} of 127.0.0.1 is taken. Choose another with --port" in up.said()
    assert not (up.folder / "postgres").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="death signals are Linux's")
def test_a_killed_up_leaves_nothing_and_the_next_goes_on_from_there(
    unscored_copy: Path, start: Callable[..., Up]
) -> None:
    up = start(unscored_copy)
    log = unscored_copy / "logs" / "worker.log"
    assert eventually(lambda: log.exists() and "claimed, attempt 1" in log.read_text(), 120)

    up.process.kill()
    up.end()

    assert eventually(lambda: not running(unscored_copy))
    again = start(unscored_copy, "--once")
    assert again.end() == 0, again.said()
    assert len(list((unscored_copy / "archives").iterdir())) == KEPT


def test_an_interrupted_run_says_so_and_one_whose_rows_fail_says_why(
    unscored_copy: Path, start: Callable[..., Up]
) -> None:
    too_short = {
        "COSMOBOARD_DEADLINE_SECONDS": "0.000001",
        "COSMOBOARD_DEADLINE_SECONDS_PER_MEGAVOXEL": "0",
    }
    archives = unscored_copy / "archives"
    of_references = len(list(archives.iterdir()))
    up = start(unscored_copy, **too_short)
    assert eventually(lambda: len(list(archives.iterdir())) > of_references or up.ended(), 120)

    up.process.send_signal(signal.SIGINT)

    assert up.end() == 130, up.said()
    assert up.said().endswith("Stopped before all rows were scored.\n")
    assert not running(unscored_copy)

    up = start(unscored_copy, "--once", **too_short)

    assert up.end() == 1, up.said()
    assert "Not every row is scored:" in up.said()
    assert "Lognormal on 3d-64: failed (too_slow). Scoring took longer than" in up.said()


def test_a_worker_that_cannot_live_ends_the_wait_with_its_last_words(
    unscored_copy: Path, start: Callable[..., Up], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "celery.py").write_text("raise ImportError('no celery today')\n")

    up = start(unscored_copy, "--once", PYTHONPATH=str(broken))

    assert up.end() == 1, up.said()
    assert "no celery today" in up.said()


def test_a_database_that_does_not_answer_is_named(start: Callable[..., Up], tmp_path: Path) -> None:
    up = start(
        tmp_path / "data",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
        BROKER_URL="redis://127.0.0.1:1/0",
    )
    assert up.end() == 1, up.said()
    assert "The database does not answer" in up.said()


def test_stores_that_the_environment_names_are_used_and_none_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"DATABASE_URL": "postgresql://a@b/c", "BROKER_URL": "redis://d/0"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with Supervisor(tmp_path, print) as supervisor:
        assert start_stores(supervisor, tmp_path) == given
        assert not running(tmp_path)
