"""`cosmoboard up` as a process, and one board for all tests to begin with."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from baseline.shipped import SAMPLES
from cli.launch.endpoints import free_port
from tests.processes import eventually

COSMOBOARD = Path(sys.executable).with_name("cosmoboard")

NO_SEARCHES = {"COSMOBOARD_COPY_CHECK_SECONDS": "86400"}
"""Settings of a board that does not search for copies: that takes the worker a while."""


def environment(**variables: str) -> dict[str, str]:
    outer = ("DATABASE_URL", "BROKER_URL", "COSMOBOARD_DATA")
    return {key: value for key, value in os.environ.items() if key not in outer} | variables


class Up:
    """A running `cosmoboard up --port 0`."""

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        self.folder = folder
        self.output = folder.with_name(f"{folder.name}.output")
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [COSMOBOARD, "up", "--port", "0", "--data", str(folder), *words],
                env=environment(**variables),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.output.read_text()

    def serving(self) -> "Up":
        """Wait until the board is served."""
        assert eventually(lambda: "The board is at" in self.said() or self.ended(), 240)
        assert not self.ended(), self.said()
        return self

    def ended(self) -> bool:
        return self.process.poll() is not None

    def end(self) -> int:
        return self.process.wait(timeout=240)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.end()

    @property
    def url(self) -> str:
        found = re.search(r"The board is at (\S+)", self.said())
        assert found
        return found.group(1)

    def pid(self, service: str) -> int:
        return int((self.folder / "run" / f"{service}.pid").read_text())

    def log(self, service: str) -> str:
        return (self.folder / "logs" / f"{service}.log").read_text()

    def methods(self, track: str) -> list[str]:
        """Return the methods on a track's board, the best first."""
        rows = self.get("/leaderboard", track=track)["rows"]
        return [row["method"] for row in rows if row["submission"]]

    def get(self, path: str, token: str | None = None, **params: str) -> dict:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = httpx.get(f"{self.url}/api/v1{path}", params=params, headers=headers, timeout=30)
        return answer.raise_for_status().json()

    def token(self, name: str) -> str:
        words = ["participant", "create", name, "--data", str(self.folder), "--json"]
        done = subprocess.run(
            [COSMOBOARD, *words], env=environment(), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)["token"]

    def submit(self, token: str, file: str, track: str) -> str:
        answer = httpx.post(
            f"{self.url}/api/v1/submissions",
            data={"track": track, "method": "mine"},
            files={"archive": (SAMPLES / file).read_bytes()},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def state(self, submission: str, token: str) -> str:
        try:
            return self.get(f"/submissions/{submission}", token)["state"]
        except httpx.HTTPError:
            return "unknown"


@dataclass(frozen=True)
class FirstRun:
    """What `up --once` on an empty folder has left and said."""

    folder: Path
    output: Path

    def said(self) -> str:
        return self.output.read_text()


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """`up --once` on an empty folder, once for all test processes: take a copy of it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "up" / "data"
    folder.parent.mkdir(exist_ok=True)
    done = folder.with_name("done")
    with folder.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            up = Up(folder, "--once")
            try:
                assert up.end() == 0, up.said()
            finally:
                up.process.kill()
            done.touch()
    return FirstRun(folder, folder.with_name("data.output"))


def copied(first_run: FirstRun, target: Path) -> Path:
    """Copy the folder of the first run, with its owners, but with ports of its own.

    Copies have the same passwords, so that one could be served from the other's database.
    """
    subprocess.run(["cp", "-a", ".", target], cwd=first_run.folder, check=True)
    record = target / "services.json"
    services = json.loads(record.read_text())
    for service in services.values():
        service["port"] = free_port()
    record.write_text(json.dumps(services))
    return target


@contextmanager
def served_copy(first_run: FirstRun, target: Path) -> Iterator[Up]:
    """Serve a copy of the folder of the first run, without searches, until SIGINT."""
    up = Up(copied(first_run, target), **NO_SEARCHES)
    try:
        yield up.serving()
        up.stop()
    finally:
        up.process.kill()
