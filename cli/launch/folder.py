"""The data folder of a service: one `up` at a time, nothing left over from the one before."""

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import psutil

from cli.launch.errors import LaunchError
from cli.launch.supervisor import kill_marked, log_path, marked_processes, wait_until_gone

SERVICES = ("postgres", "valkey", "worker", "api")
"""Every service by name, in the order in which they start. They stop in the opposite one."""

KEPT_LOGS = 5
"""How many older logs of each service are kept."""

ORPHAN_GRACE = 20.0
"""Seconds that an orphan has to stop cleanly."""


@contextmanager
def claimed_folder(folder: Path, notify: Callable[[str], None]) -> Iterator[Path]:
    """Own the data folder: make it where it is missing, stop orphans on it, begin new logs.

    Yields:
        The folder as an absolute path.

    Raises:
        LaunchError: The folder cannot be made or written, or another process owns it.
    """
    folder = folder.resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+")
    except OSError as error:
        raise LaunchError(
            f"The data folder {folder} cannot be used ({error.strerror}). "
            "Choose another with --data."
        ) from error
    with lock:
        _lock(lock.fileno(), folder)
        stop_orphans(folder, notify)
        for name in SERVICES:
            rotate_log(log_path(folder, name))
        yield folder


def stop_orphans(folder: Path, notify: Callable[[str], None]) -> None:
    """Stop what a killed supervisor left running on `folder`, in the order of a clean stop."""
    for name in reversed(SERVICES):
        orphans = list(marked_processes(folder, [name]))
        if orphans:
            notify(f"A {name} of an earlier run is still there; it is stopped first.")
            _interrupt_leaders(orphans)
            wait_until_gone(folder, [name], ORPHAN_GRACE)
            kill_marked(folder, [name])


def rotate_log(log: Path) -> None:
    """Make room for a new log: the last one becomes `.1`, that one `.2`, and so on."""
    if not log.exists():
        return
    older = [log, *(log.with_name(f"{log.name}.{age}") for age in range(1, KEPT_LOGS + 1))]
    for newer, path in reversed(list(pairwise(older))):
        if newer.exists():
            newer.replace(path)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        raise LaunchError(
            f"Another cosmoboard (process {owner or 'unknown'}) serves {folder} already. "
            "Stop it first, or choose another folder with --data."
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())


def _interrupt_leaders(processes: list[psutil.Process]) -> None:
    """Send SIGINT to those whose parent is not among them; they stop their children themselves."""
    ids = {process.pid for process in processes}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.ppid() not in ids:
                process.send_signal(signal.SIGINT)
