"""An S3 bucket on this machine, by moto's server."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest

from cli.launch.endpoints import HOST, free_port


@contextmanager
def local_bucket() -> Iterator[str]:
    """Serve an empty bucket and yield its address; the environment leads to it meanwhile."""
    bucket = f"test-{uuid4().hex}"
    endpoint = f"http://{HOST}:{free_port()}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", HOST, "-p", endpoint.rpartition(":")[2]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=endpoint) as client, pytest.MonkeyPatch.context() as patch:
            _wait_until_up(client, server)
            client.put(f"/{bucket}").raise_for_status()
            patch.setenv("AWS_ENDPOINT_URL", endpoint)
            patch.setenv("AWS_ALLOW_HTTP", "true")
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            yield f"s3://{bucket}"
    finally:
        server.kill()
        server.wait()


def _wait_until_up(client: httpx.Client, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "moto's server ended"
        try:
            client.get("/moto-api/")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("moto's server does not answer")
