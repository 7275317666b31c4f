"""The service as its clients meet it: uvicorn over a real Postgres and a real Valkey."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import numpy as np
import psycopg
import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from board.database import make_engine, migrate
from board.lifecycle import claim_submission, fail_submission, finish_submission, renew_lease
from board.models import Submission
from board.participants import create_participant, issue_token
from board.references import NewReference, add_reference, current_reference
from board.submissions import StoredArchive, create_submission, describe_submission
from board.sweeper import SWEEP_LOCK
from cubes.archive import write_archive
from cubes.tracks import TRACKS
from scoring.report import Floor, Level, ScoreReport, StatisticScore
from tests.servers import Server

TRACK = TRACKS["3d-32"]
LEASE = timedelta(minutes=5)


@pytest.fixture(scope="session")
def served_database(postgres_url: str) -> str:
    """Address of a database of the service's own: it sweeps all the time."""
    name = f"served_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = postgres_url.removesuffix("/postgres") + f"/{name}"
    migrate(url)
    return url


@pytest.fixture(scope="session")
def environment(
    served_database: str, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Settings of the service."""
    return {
        "DATABASE_URL": served_database,
        "BROKER_URL": broker_url.removesuffix("/0") + "/1",
        "COSMOBOARD_DATA": str(tmp_path_factory.mktemp("data")),
        "COSMOBOARD_SWEEP_SECONDS": "0.2",
        "COSMOBOARD_DAILY_LIMIT": "5",
        "COSMOBOARD_STALL_SECONDS": "2",
    }


@pytest.fixture(scope="session")
def server(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The service, one for all tests of this process."""
    with Server(environment, tmp_path_factory.mktemp("logs") / "api.log") as server:
        yield server
    assert server.process.returncode == 0
    assert "Traceback" not in server.log(), server.log()


@pytest.fixture
def client(server: Server, board: "Board") -> Iterator[httpx.Client]:
    """A client of the service without a token."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def engine(served_database: str) -> Iterator[Engine]:
    engine = make_engine(served_database)
    yield engine
    engine.dispose()


@pytest.fixture
def board(engine: Engine, environment: dict[str, str]) -> Iterator["Board"]:
    """The state behind the service; empty before and after each test, but for one reference."""
    board = Board(engine, Path(environment["COSMOBOARD_DATA"]))
    board.empty()
    board.open_track("3d-32")
    yield board
    board.empty()


@pytest.fixture(scope="session")
def make_archive(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], bytes]:
    """Returns a valid archive of the track 3d-32, another one each time."""
    folder = tmp_path_factory.mktemp("archives")
    seeds = count()

    def make() -> bytes:
        rng = np.random.default_rng(next(seeds))
        fields = (rng.integers(1, 60, TRACK.shape, np.uint8) for _ in range(TRACK.count))
        write_archive(folder / "cubes.npz", fields, compression="stored")
        return (folder / "cubes.npz").read_bytes()

    return make


@pytest.fixture(scope="session")
def archive(make_archive: Callable[[], bytes]) -> bytes:
    """One valid archive of the track 3d-32."""
    return make_archive()


def report(overall: float, d2: float = 0.5) -> ScoreReport:
    """A report of the given overall, all three distances alike."""
    score = StatisticScore(
        d2=d2,
        score=1 / d2 if d2 else None,
        d2_jackknife=d2 - 0.1,
        ci95=(d2 / 2, d2 * 2),
        floor=0.1,
        floor_spread=0.01,
        scatter_ratio=0.8,
    )
    return ScoreReport(score, score, score, overall, (overall / 2, min(1, overall * 2)))


class Board:
    """Changes the state behind the service as the host and the workers would."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self.folder = folder

    @contextmanager
    def session(self) -> Iterator[Session]:
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    def empty(self) -> None:
        """Delete everything, between two sweeps of the service."""
        with self.session() as session:
            session.execute(text(f"SELECT pg_advisory_xact_lock({SWEEP_LOCK})"))
            for table in (
                "comparisons",
                "scores",
                "submission_statistics",
                "copy_checks",
                "submissions",
                "tokens",
                "participants",
                "real_fields",
                '"references"',
                "snapshots",
            ):
                session.execute(text(f"DELETE FROM {table}"))
        for path in self.files():
            path.unlink(missing_ok=True)

    def open_track(self, track: str, content: str = "a") -> None:
        level = Level(0.1, 0.01)
        with self.session() as session:
            add_reference(
                session,
                NewReference(
                    track=track,
                    content_hash=content * 64,
                    label="made for a test",
                    provenance={},
                    held_out=b"",
                    training=b"",
                    floor=Floor(level, level, level),
                    real_cubes=report(0.9, 0.11),
                ),
            )

    def token(self, name: str = "ada", **flags: bool) -> str:
        """Return a new token of the participant of that name."""
        with self.session() as session:
            return issue_token(session, create_participant(session, name, **flags))

    def queued(self, name: str = "ada", track: str = "3d-32", **form: str) -> UUID:
        """Queue a submission without an archive."""
        with self.session() as session:
            return create_submission(
                session,
                create_participant(session, name),
                describe_submission({"track": track, "method": "mine", **form}),
                StoredArchive(uuid4(), uuid4().hex * 2, 1000),
                1000,
            ).id

    def running(self, done: int, submission_id: UUID) -> None:
        with self.session() as session:
            claim = claim_submission(session, submission_id, LEASE)
            renew_lease(session, claim, done, LEASE)

    def failed(self, submission_id: UUID, reason: str, message: str) -> None:
        with self.session() as session:
            claim = claim_submission(session, submission_id, LEASE)
            fail_submission(session, claim, reason, message)

    def scored(self, overall: float, name: str = "ada", d2: float = 0.5, **form: str) -> UUID:
        """Make a scored submission."""
        submission_id = self.queued(name, **form)
        self.finished(submission_id, overall, d2)
        return submission_id

    def finished(self, submission_id: UUID, overall: float, d2: float = 0.5) -> None:
        self.reported(submission_id, report(overall, d2))

    def reported(self, submission_id: UUID, found: ScoreReport) -> UUID:
        """Finish a submission with this report."""
        with self.session() as session:
            claim = claim_submission(session, submission_id, LEASE)
            reference = current_reference(session, claim.track)
            finish_submission(session, claim, reference.id, found, b"")
        return submission_id

    def ids(self) -> list[UUID]:
        """Return the id of every submission."""
        with self.session() as session:
            return list(session.scalars(select(Submission.id)))

    def states(self) -> list[str]:
        """Return the state of every submission, oldest first."""
        with self.session() as session:
            return list(session.scalars(select(Submission.state).order_by(Submission.created_at)))

    def wait_for(self, submission_id: UUID | str, state: str) -> None:
        """Wait until the submission is in that state."""
        deadline = time.monotonic() + 10
        while True:
            with self.session() as session:
                found = session.get(Submission, UUID(str(submission_id))).state
            if found == state:
                return
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    def files(self) -> list[Path]:
        """Return every archive that is kept, whole or not."""
        return [path for path in self.folder.rglob("*") if path.is_file()]


def bearer(token: str) -> dict[str, str]:
    """Headers of a request by the token's owner."""
    return {"Authorization": f"Bearer {token}"}


def form(archive: bytes, **fields: str) -> dict[str, object]:
    """Arguments of a request that submits the archive."""
    return {
        "data": {"track": "3d-32", "method": "mine"} | fields,
        "files": {"archive": ("cubes.npz", archive, "application/zip")},
    }
