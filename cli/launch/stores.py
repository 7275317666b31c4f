"""The database and the broker of a board: given from outside, or started here."""

import os
from pathlib import Path

from cli.launch import services
from cli.launch.endpoints import broker_url, database_url, recorded_endpoint
from cli.launch.supervisor import Supervisor


def start_stores(supervisor: Supervisor, folder: Path) -> dict[str, str]:
    """Return DATABASE_URL and BROKER_URL; start what the environment does not name.

    Raises:
        LaunchError: One of the two cannot be started.
    """
    given = ("DATABASE_URL", "BROKER_URL")
    addresses = {name: os.environ[name] for name in given if os.environ.get(name)}
    if "DATABASE_URL" not in addresses:
        endpoint = recorded_endpoint(folder, "postgres")
        supervisor.start(services.postgres(folder, endpoint))
        addresses["DATABASE_URL"] = database_url(endpoint)
    if "BROKER_URL" not in addresses:
        endpoint = recorded_endpoint(folder, "valkey")
        supervisor.start(services.valkey(folder, endpoint))
        addresses["BROKER_URL"] = broker_url(endpoint)
    return addresses
