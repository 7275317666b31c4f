"""Ctrl-C at a random moment, and the same command again: the same bytes come of it."""

import hashlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import psycopg
import pytest

from board.database import migrate
from cubes.content_hash import content_hash
from cubes.demo import demo_fields
from tests.databases import fresh_database
from tests.sites import CONTENT, MD5, Site, serve

STRIKES = 2
INTERRUPTED = (130, 1, -signal.SIGINT)
"""What it exits with: the last two, while Python itself still starts."""


def run(*words: object, before: str = "") -> list[str]:
    """Return a command line that runs `cosmoboard`, after some Python."""
    program = f"{before}\nfrom cli.main import main\nmain()"
    return [sys.executable, "-c", program, *map(str, words)]


def struck(command: list[str], seconds: float, environment: dict[str, str] | None = None) -> int:
    """Start a command, press Ctrl-C after so long, and return what it exits with."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    return process.returncode


def strike_again_and_again(
    command: list[str], seconds: float, environment: dict[str, str] | None = None
) -> None:
    """Interrupt a command that takes so long at random moments, then let it end."""
    for _ in range(STRIKES):
        moment = random.uniform(0.2, 1) * seconds
        assert struck(command, moment, environment) in (0, *INTERRUPTED), moment
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def timed(command: list[str], environment: dict[str, str] | None = None) -> float:
    began = time.monotonic()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.monotonic() - began


def slowly(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Serve a quarter of the file in small steps, then break the connection."""
    serve(handler, start, 0)
    step = len(CONTENT) // 40
    for at in range(start, min(start + 10 * step, len(CONTENT)), step):
        handler.wfile.write(CONTENT[at : at + step])
        time.sleep(0.02)


def test_download(tmp_path: Path) -> None:
    """The server breaks every connection, too."""
    before = (
        f"from cubes.zenodo import download_published_cubes as d\nd.__kwdefaults__['md5'] = {MD5!r}"
    )
    with Site() as site:
        site.faults = [slowly] * 40
        command = run(
            *("data", "download", "--out", tmp_path / "zip", "--from", site.url), before=before
        )
        strike_again_and_again(command, 4.0)
        assert len(site.requests) > 3
    assert (tmp_path / "zip" / "nbody-cubes.zip").read_bytes() == CONTENT
    assert len(list((tmp_path / "zip").iterdir())) == 1


def test_pack(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    fields = np.round(rng.lognormal(3, 1, (30, 32, 32, 32)), 2).astype(np.float32)
    np.save(tmp_path / "fields.npy", fields)
    words = ("pack", tmp_path / "fields.npy", "--track", "3d-32", "--compression", "bzip2", "--out")
    seconds = timed(run(*words, tmp_path / "whole.npz"))

    (tmp_path / "struck").mkdir()
    strike_again_and_again(run(*words, tmp_path / "struck" / "cubes.npz"), seconds)

    assert [path.name for path in (tmp_path / "struck").iterdir()] == ["cubes.npz"]
    struck_bytes = (tmp_path / "struck" / "cubes.npz").read_bytes()
    assert struck_bytes == (tmp_path / "whole.npz").read_bytes()


@pytest.fixture
def environment(postgres_url: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings of an empty board."""
    with fresh_database(postgres_url) as url:
        migrate(url)
        yield {
            **os.environ,
            "DATABASE_URL": url,
            "BROKER_URL": "redis://127.0.0.1:1/0",
            "COSMOBOARD_DATA": str(tmp_path / "board"),
        }


def test_reference_build(environment: dict[str, str], tmp_path: Path) -> None:
    """The fields that are kept are those of a build that nobody interrupted, and no others."""
    build = run("reference", "build", "--track", "3d-32", "--demo")
    strike_again_and_again(build, 6.0, environment)

    listed = subprocess.run(
        run("reference", "list", "--json"), env=environment, check=True, capture_output=True
    )
    [known] = json.loads(listed.stdout)
    for part, name in (("training", "train"), ("held_out", "held-out")):
        origin = known["provenance"][part]
        assert origin["sha256"] == content_hash(demo_fields("3d-32", name))
        assert len(origin["cubes"]) == 30
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        rows = connection.execute("SELECT archive_id, sha256 FROM real_fields").fetchall()
    assert len(rows) == 2
    for archive_id, sha256 in rows:
        archive = tmp_path / "board" / "archives" / f"{archive_id}.npz"
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == sha256
        assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert list((tmp_path / "board" / "staged").iterdir()) == []
