"""Where the launched database and broker listen and their passwords, kept in the data folder."""

import json
import os
import random
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.launch.errors import LaunchError

HOST = "127.0.0.1"

PORTS = range(20000, 32768)
"""Where free ports are looked for: below those that systems give to outgoing connections.

One of these could otherwise take the port of a service between its death and its restart: a client
that tries again and again to reach a dead local port may even connect to itself.
"""


@dataclass(frozen=True)
class Endpoint:
    """A port of this machine and the password of the service behind it."""

    port: int
    password: str


def recorded_endpoint(folder: Path, name: str) -> Endpoint:
    """Return the endpoint of the service `name` of `folder`; make and record one the first time.

    The password stays for ever. The port stays unless someone else took it meanwhile.

    Raises:
        LaunchError: The service has data, but its password is lost; or no port is free.
    """
    path = _record(folder)
    record = _read(path)
    known = record.get(name)
    if known is None and (folder / name).exists():
        raise LaunchError(
            f"{path} does not hold the password of {folder / name}. "
            "Restore it, or choose another folder with --data."
        )
    endpoint = Endpoint(
        port=known.port if known and is_free(known.port) else free_port(),
        password=known.password if known else secrets.token_urlsafe(24),
    )
    if endpoint != known:
        _write(path, record | {name: endpoint})
    return endpoint


def known_endpoint(folder: Path, name: str) -> Endpoint | None:
    """Return the recorded endpoint of the service `name` of `folder`, if there is one."""
    return _read(_record(folder)).get(name)


def database_url(endpoint: Endpoint) -> str:
    """Return the address of the launched database."""
    return f"postgresql://cosmoboard:{endpoint.password}@{HOST}:{endpoint.port}/postgres"


def broker_url(endpoint: Endpoint) -> str:
    """Return the address of the launched broker."""
    return f"redis://:{endpoint.password}@{HOST}:{endpoint.port}/0"


def free_port() -> int:
    """Return a port at which nobody listens."""
    for port in random.sample(PORTS, 100):
        if is_free(port):
            return port
    raise LaunchError(f"No free port between {PORTS.start} and {PORTS.stop - 1} on {HOST}.")


def is_free(port: int) -> bool:
    """Tell whether a service could listen at `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _record(folder: Path) -> Path:
    return folder / "services.json"


def _read(path: Path) -> dict[str, Endpoint]:
    if not path.exists():
        return {}
    try:
        return {name: Endpoint(**fields) for name, fields in json.loads(path.read_text()).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise LaunchError(
            f"{path}, which holds the passwords of database and broker, is damaged ({error}). "
            "Restore it, or choose another folder with --data."
        ) from error


def _write(path: Path, record: dict[str, Endpoint]) -> None:
    """Replace the record as a whole, readable by its owner only."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({name: asdict(endpoint) for name, endpoint in record.items()}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
