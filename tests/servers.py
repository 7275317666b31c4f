"""The real web application under a real uvicorn, in a process that can be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from cli.launch.endpoints import HOST, free_port


class Server:
    """One uvicorn that serves `api.app`; start it again after a kill, at the same address."""

    def __init__(
        self,
        environment: dict[str, str],
        log: Path,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Prepare to serve with these settings; `before` runs in the process first."""
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._environment = {**os.environ, **environment}
        self._log = log
        self._before = before
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "uvicorn", "api.app:create_app", "--factory"),
                    *("--host", HOST, "--port", str(self.port), "--log-level", "warning"),
                ],
                env=self._environment,
                stdout=log,
                stderr=log,
                preexec_fn=self._before,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self._log.read_text()
            try:
                if httpx.get(f"{self.url}/healthz", timeout=5).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        self.kill()
        raise AssertionError(f"It does not answer. {self._log.read_text()}")

    def stop(self) -> int:
        """Ask it to end, as a supervisor does, and return its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        return self._log.read_text()
