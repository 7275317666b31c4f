"""A real Postgres and a real Valkey for each test process, as `cosmoboard up` starts them."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.launch import endpoints, services
from cli.launch.supervisor import Supervisor

FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings of a database that need not survive a power cut."""


def pytest_configure() -> None:
    """Let the processes that tests start heed Ctrl-C and hangups, even if this run need not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        # Handlers, unlike what is ignored, do not pass on to other programs.
        signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(scope="session")
def service_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data folder of this test process's database and broker."""
    folder = tmp_path_factory.mktemp("services")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def supervisor(service_folder: Path) -> Iterator[Supervisor]:
    """Keeps both running; they end with the test process, even with a killed one."""
    with Supervisor(service_folder, notify=print) as supervisor:
        yield supervisor


@pytest.fixture(scope="session")
def postgres_url(supervisor: Supervisor, service_folder: Path) -> str:
    """Address of an empty database, as a user who may make others."""
    endpoint = endpoints.recorded_endpoint(service_folder, "postgres")
    supervisor.start(services.postgres(service_folder, endpoint, FORGETFUL))
    return endpoints.database_url(endpoint)


@pytest.fixture(scope="session")
def database_url(postgres_url: str) -> str:
    """Address of a database of this test process's own, migrated to the newest schema."""
    import psycopg

    from board.database import migrate

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE board")
    url = postgres_url.removesuffix("/postgres") + "/board"
    migrate(url)
    return url


@pytest.fixture(scope="session")
def broker_url(supervisor: Supervisor, service_folder: Path) -> str:
    """Address of a broker of this test process's own."""
    endpoint = endpoints.recorded_endpoint(service_folder, "valkey")
    supervisor.start(services.valkey(service_folder, endpoint))
    return endpoints.broker_url(endpoint)
