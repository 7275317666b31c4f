"""How fast a board of many submissions answers: pages and JSON, by clients that ask all the time.

A Postgres, a Valkey and an API of its own are started as `cosmoboard up` starts them; the clients
share the machine with them. The first row, an answer without any work, is the floor.
"""

import argparse
import asyncio
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from cli.launch import services
from cli.launch.endpoints import HOST, free_port
from cli.launch.stores import start_stores
from cli.launch.supervisor import Supervisor
from cubes.tracks import TRACKS
from scoring import ScoreReport, SetStatistics, compare
from scoring.report import Floor, Level

TRACK = "3d-64"
PARTICIPANTS = 200
REPORTS = 40
"""So many different reports; each is used again with another overall."""

COUNT = 30
BINS = (43, 20, 20)
LEASE = timedelta(minutes=5)


@dataclass(frozen=True)
class Question:
    """What is asked, and the headers that go with it."""

    name: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Measured:
    """What the clients have seen."""

    seconds: list[float]
    elapsed: float
    size: int

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which this share was answered."""
        return 1000 * sorted(self.seconds)[math.ceil(share * len(self.seconds)) - 1]


def main() -> int:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8.0, help="that each question is asked")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Supervisor(folder, lambda text: print(text, file=sys.stderr)) as supervisor:
            environment = start_stores(supervisor, folder) | {"COSMOBOARD_DATA": str(folder)}
            os.environ.update(environment)
            filler = Filler()
            filler.fill(options.submissions)
            port = free_port()
            supervisor.start(services.api({**os.environ}, port))
            asyncio.run(_measure(port, filler, options))
    return 0


async def _measure(port: int, filler: "Filler", options: argparse.Namespace) -> None:
    page, json = f"/?track={TRACK}", f"/api/v1/leaderboard?track={TRACK}"
    tag = (await _ask(port, Question("", json, {})))[1]["etag"]
    packed = {"Accept-Encoding": "gzip"}
    questions = [
        Question("nothing (`/healthz`)", "/healthz", {}),
        Question("page, first 100 rows", page, {}),
        Question("page, gzipped", page, packed),
        Question("page, all rows", f"{page}&rows=all", {}),
        Question("page of a submission", f"/submissions/{filler.first}", {}),
        Question("JSON", json, {}),
        Question("JSON, gzipped", json, packed),
        Question("JSON, unchanged (304)", json, {"If-None-Match": tag}),
        Question("JSON, one by one", f"/api/v1/submissions/{filler.first}", {}),
    ]
    print(
        f"{options.submissions} submissions, {options.clients} clients, "
        f"{os.cpu_count()} cores shared with the clients:\n"
    )
    print("| asked | kB | p50 | p95 | requests/s | one client alone, p50 |")
    print("|---|---|---|---|---|---|")
    for question in questions:
        alone = await _load(port, question, 1, options.seconds / 4)
        _print(question.name, await _load(port, question, options.clients, options.seconds), alone)
    changing = asyncio.create_task(_score_every_second(filler))
    for question in (questions[1], questions[5]):
        _print(
            f"{question.name}, a score a second",
            await _load(port, question, options.clients, options.seconds),
        )
    changing.cancel()


def _print(name: str, many: Measured, alone: Measured | None = None) -> None:
    cells = [
        name,
        f"{many.size / 1000:.1f}",
        f"{many.percentile(0.5):.0f} ms",
        f"{many.percentile(0.95):.0f} ms",
        f"{len(many.seconds) / many.elapsed:.0f}",
        f"{alone.percentile(0.5):.1f} ms" if alone else "",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


async def _load(port: int, question: Question, clients: int, seconds: float) -> Measured:
    """Let clients ask the same, each again as soon as it is answered."""
    body, _ = await _ask(port, question)
    began = time.perf_counter()
    taken: list[float] = []

    async def client() -> None:
        connection = await asyncio.open_connection(HOST, port)
        while time.perf_counter() < began + seconds:
            asked = time.perf_counter()
            await _answer(connection, question)
            taken.append(time.perf_counter() - asked)
        connection[1].close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return Measured(taken, time.perf_counter() - began, len(body))


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _ask(port: int, question: Question) -> tuple[bytes, dict[str, str]]:
    connection = await asyncio.open_connection(HOST, port)
    try:
        return await _answer(connection, question)
    finally:
        connection[1].close()


async def _answer(connection: Connection, question: Question) -> tuple[bytes, dict[str, str]]:
    """Ask on an open connection (httpx would cost the clients more than the answer the server)."""
    reader, writer = connection
    headers = {"Host": HOST, **question.headers}
    lines = [
        f"GET {question.path} HTTP/1.1",
        *(f"{name}: {text}" for name, text in headers.items()),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    status, *told = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[:-1]
    if status.split()[1] not in ("200", "304"):
        raise RuntimeError(f"{question.path}: {status}")
    found = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in told)}
    return await reader.readexactly(int(found.get("content-length", 0))), found


async def _score_every_second(filler: "Filler") -> None:
    while True:
        await asyncio.to_thread(filler.add, 1)
        await asyncio.sleep(1)


class Filler:
    """Makes scored submissions, as participants and workers would, but without archives."""

    def __init__(self) -> None:
        """Open the track, in the database that the environment names."""
        from board.database import get_engine, migrate
        from board.references import NewReference, add_reference
        from board.settings import get_settings

        migrate(get_settings().database_url)
        self._engine = get_engine()
        self._reports = [_report(seed) for seed in range(REPORTS)]
        self._statistics = _statistics(1, 0.1).to_bytes()
        self._made = 0
        self.first = uuid4()
        level = Level(0.1, 0.01)
        with Session(self._engine) as session, session.begin():
            self._reference = add_reference(
                session,
                NewReference(
                    track=TRACK,
                    content_hash="0" * 64,
                    label="made for a benchmark",
                    provenance={},
                    held_out=self._statistics,
                    training=_statistics(0, 0.0).to_bytes(),
                    floor=Floor(level, level, level),
                    real_cubes=self._reports[0],
                ),
            ).id

    def fill(self, count: int) -> None:
        """Score so many submissions, and compare each with the best."""
        from board.models import Reference
        from board.ties import compare_with_leader

        self.add(count)
        with Session(self._engine) as session, session.begin():
            reference = session.get_one(Reference, self._reference)
            compare_with_leader(session, reference, limit=count)
        with self._engine.connect() as connection:  # as Postgres does by itself within a minute
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                text("VACUUM ANALYZE")
            )

    def add(self, count: int) -> None:
        """Score so many more submissions."""
        from board.lifecycle import claim_submission, finish_submission
        from board.participants import create_participant
        from board.submissions import StoredArchive, create_submission, describe_submission

        with Session(self._engine) as session, session.begin():
            for i in range(self._made, self._made + count):
                name = f"participant {i % PARTICIPANTS}"
                form = {"track": TRACK, "method": f"method {i}", "parameters": str(1000 * i)}
                archive = StoredArchive(uuid4() if i else self.first, uuid4().hex * 2, 10**7)
                submission = create_submission(
                    session,
                    create_participant(session, name),
                    describe_submission(form | {"training_compute": "40 GPU hours"}),
                    archive,
                    daily_limit=10**6,
                )
                claim = claim_submission(session, submission.id, LEASE)
                assert claim
                known = self._reports[i % REPORTS]
                report = replace(known, overall=(known.overall or 0) / (1 + i / 1000))
                finish_submission(session, claim, self._reference, report, self._statistics)
        self._made += count


def _statistics(seed: int, shift: float) -> SetStatistics:
    rng = np.random.default_rng(seed)
    psd, mass, peak = (
        10 ** (np.linspace(3, 0, size) + shift + 0.1 * rng.standard_normal((COUNT, size)))
        for size in BINS
    )
    return SetStatistics(psd=psd, mass=mass, peak=peak, shape=TRACKS[TRACK].shape)


def _report(seed: int) -> ScoreReport:
    return compare(_statistics(0, 0.0), _statistics(seed + 1, 0.002 * seed))


if __name__ == "__main__":
    sys.exit(main())
