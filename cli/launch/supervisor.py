"""Child processes that come back when they die and stop when they are told to.

Every child runs in a session of its own, so that a terminal's Ctrl-C reaches only the supervisor,
and carries a marker in its environment, by which it and its descendants are recognised even after
the supervisor was killed: process ids are recycled, so an id alone proves nothing.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from cli.launch.errors import LaunchError
from cli.launch.privileges import command_prefix

MARKER = "COSMOBOARD_SERVICE"
"""Environment variable of every child: its data folder and its name."""

READY_TIMEOUT = 60.0
"""Seconds that a service may take until it answers for the first time."""

STEADY = 10.0
"""Seconds after which a service counts as healthy: the next death is a first one again."""

FIRST_DELAY, LAST_DELAY = 0.1, 5.0
"""Seconds before the first and before every later restart; doubled in between."""

CRASH_LOOP = 5
"""Deaths in a row, each within `STEADY` seconds, that make a service hopeless."""


@dataclass(frozen=True)
class Service:
    """One process to keep running.

    Attributes:
        name: Names the process, its pid file and its log.
        argv: The command, its program as an absolute path. SIGINT must make it stop cleanly.
        env: The whole environment of the process.
        ready: Tells whether the service answers. Called often, must not raise.
        grace: Seconds between SIGINT and SIGKILL when it is stopped.
        death_signal: What the process gets from the kernel when the supervisor is killed.
        unprivileged: Whether it must not run as root.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ready: Callable[[], bool]
    grace: float = 10.0
    death_signal: signal.Signals = signal.SIGKILL
    unprivileged: bool = False


def marked_processes(folder: Path, names: Collection[str]) -> Iterator[psutil.Process]:
    """Find what runs, descendants included, of the services `names` of `folder`."""
    markers = {_marker(folder, name) for name in names}
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) in markers:
                yield process
        except psutil.Error:
            continue  # gone meanwhile, or someone else's


def kill_marked(folder: Path, names: Collection[str]) -> None:
    """Kill what still runs of the services `names` of `folder` and wait until it is gone."""
    for process in marked_processes(folder, names):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until_gone(folder, names, seconds=5)


def wait_until_gone(folder: Path, names: Collection[str], seconds: float) -> None:
    """Wait until none of the services `names` of `folder` runs, or the time is over."""
    deadline = time.monotonic() + seconds
    while any(marked_processes(folder, names)) and time.monotonic() < deadline:
        time.sleep(0.02)


def log_path(folder: Path, name: str) -> Path:
    """Return where the service `name` of `folder` writes its output."""
    return folder / "logs" / f"{name}.log"


def pid_path(folder: Path, name: str) -> Path:
    """Return the file that holds the process id of the service `name` of `folder`."""
    return folder / "run" / f"{name}.pid"


def _replace_text(path: Path, text: str) -> None:
    """Write a file that is never seen half written."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def _marker(folder: Path, name: str) -> str:
    return f"{folder}{os.sep}{name}"


class Supervisor:
    """Starts services, restarts those that die, and stops all of them, the last one first.

    Use as a context manager, from a thread that lives as long as the process does: Linux ties a
    child's death signal to the thread that forked it. Therefore restarts and stops both happen in
    one thread of the supervisor's own.
    """

    def __init__(self, folder: Path, notify: Callable[[str], None]) -> None:
        """Supervise services whose logs and pid files are kept below `folder`, an absolute path.

        `notify` gets a sentence whenever a service dies.
        """
        self._folder = folder
        self._notify = notify
        self._children: list[_Child] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def __enter__(self) -> "Supervisor":
        for path in (log_path(self._folder, ""), pid_path(self._folder, "")):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        kill_marked(self._folder, [child.service.name for child in self._children])

    def start(self, service: Service) -> None:
        """Start `service`, wait until it is ready, and keep it running from then on.

        Raises:
            LaunchError: It stopped, or was not ready in time; with the end of its log.
        """
        child = _Child(service, self._folder)
        self._children.append(child)
        child.spawn()
        deadline = time.monotonic() + READY_TIMEOUT
        while not service.ready():
            if child.exit_status() is not None:
                raise LaunchError(f"{child.last_words()} while it started. {child.log_tail()}")
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"The {service.name} does not answer, {READY_TIMEOUT:.0f} s after its start. "
                    f"{child.log_tail()}"
                )
            time.sleep(0.02)
        child.supervised = True

    def check(self) -> None:
        """Raise a LaunchError when a service dies again and again."""
        for child in self._children:
            if child.deaths >= CRASH_LOOP:
                raise LaunchError(f"{child.last_words()}, again and again. {child.log_tail()}")

    def _run(self) -> None:
        while not self._stopping.wait(0.05):
            for child in self._children:
                if child.supervised:
                    self._revive(child)
        for child in reversed(self._children):
            child.stop()

    def _revive(self, child: "_Child") -> None:
        now = time.monotonic()
        if child.exit_status() is None:
            if now - child.spawned_at > STEADY:
                child.deaths = 0
        elif child.restart_at is None:
            child.deaths += 1
            delay = min(FIRST_DELAY * 2 ** (child.deaths - 1), LAST_DELAY)
            child.restart_at = now + delay
            self._notify(f"{child.last_words()}; it is started again. Log: {child.log}")
        elif now >= child.restart_at:
            kill_marked(self._folder, [child.service.name])
            try:
                child.spawn()
            except OSError as error:
                child.restart_at = now + LAST_DELAY
                self._notify(f"The {child.service.name} cannot be started: {error}")


class _Child:
    """The current process of one service, and how often it died of late."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.log = log_path(folder, service.name)
        self._folder = folder
        self.supervised = False
        self.deaths = 0
        self.spawned_at = 0.0
        self.restart_at: float | None = None
        self._pid_file = pid_path(folder, service.name)
        self._env = dict(service.env) | {MARKER: _marker(folder, service.name)}
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        prefix = command_prefix(
            unprivileged=self.service.unprivileged, death_signal=self.service.death_signal
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                prefix + self.service.argv,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                start_new_session=True,
            )
        _replace_text(self._pid_file, f"{self._process.pid}\n")
        self.spawned_at = time.monotonic()
        self.restart_at = None

    def exit_status(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(self.service.grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """Say how the process ended, as the beginning of a sentence."""
        status = self.exit_status() or 0
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        return f"The {self.service.name} stopped ({how})"

    def log_tail(self) -> str:
        """Quote the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-8:]
        return "\n".join([f"The end of {self.log}:", *(f"  {line}" for line in lines)])
