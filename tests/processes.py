"""What runs, and waiting for it to change."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from cli.launch.supervisor import MARKER


def running(folder: Path) -> list[psutil.Process]:
    """Find every process that has anything to do with the folder, but this one."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.environ().get(MARKER, "")]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(folder) in word for word in words):
            found.append(process)
    return found


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Tell whether the condition is true before the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
