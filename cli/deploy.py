"""`cosmoboard deploy`: the first boot of a board in containers, and every one after it."""

import os
import secrets as random
import time
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from cli.host import on_board

DATABASE_HOST, BROKER_HOST = "postgres", "valkey"
"""What docker-compose.yml calls the two; the database's user and name are `cosmoboard`."""

HOST_NAME = "host"
"""The participant who may do everything, until others are made hosts."""

PATIENCE = 300.0
"""Seconds for which the database is waited for."""


@click.group()
def deploy() -> None:
    """Make a board in containers ready (docker-compose.yml runs these)."""


@deploy.command(name="secrets")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def secrets_(folder: Path) -> None:
    """Make the passwords of database and broker in FOLDER, unless they are there."""
    try:
        made = make_secrets(folder)
    except OSError as error:
        raise click.ClickException(
            f"The secrets cannot be kept in {folder} ({error.strerror}): it must be a folder that "
            "this user may write."
        ) from error
    click.echo("Secrets made." if made else "The secrets are there already.", err=True)


@deploy.command()
@on_board
def prepare() -> None:
    """Wait for the database, migrate it, give the demo's tracks a reference, and make the host.

    Prints the host's token: the first time only, since it cannot be shown again.
    """
    from board.database import migrate
    from board.settings import get_settings
    from cli.launch.demo import open_tracks

    database_url = get_settings().database_url
    wait_for_database(database_url, PATIENCE)
    migrate(database_url)
    open_tracks(partial(click.echo, err=True))
    token = first_host_token()
    if token is None:
        click.echo("The board is ready.", err=True)
        return
    click.echo(f"The host's token, shown this once: {token}")
    click.echo(
        "Keep it safe. If it is lost: docker compose exec worker cosmoboard participant create "
        f"{HOST_NAME} --host",
        err=True,
    )


def make_secrets(folder: Path) -> bool:
    """Make what is missing of a board's secrets; tell whether a password had to be made.

    Files: `postgres_password` for Postgres, `valkey.conf` for Valkey, `database_url` and
    `broker_url` for the board; owner and group may read them.
    """
    known = {path.name for path in folder.iterdir()}
    for service in (DATABASE_HOST, BROKER_HOST):
        if f"{service}_password" not in known:
            _write(folder / f"{service}_password", random.token_urlsafe(32))
    database = (folder / f"{DATABASE_HOST}_password").read_text()
    broker = (folder / f"{BROKER_HOST}_password").read_text()
    _write(
        folder / "database_url",
        f"postgresql://cosmoboard:{database}@{DATABASE_HOST}:5432/cosmoboard",
    )
    _write(folder / "broker_url", f"redis://:{broker}@{BROKER_HOST}:6379/0")
    _write(folder / "valkey.conf", f'requirepass "{broker}"\nappendonly yes\nsave ""\ndir /data\n')
    return not {f"{DATABASE_HOST}_password", f"{BROKER_HOST}_password"} <= known


def wait_for_database(database_url: str, patience: float) -> None:
    """Wait until the database takes connections.

    Raises:
        ClickException: It refuses the password, or does not answer in time.
    """
    import psycopg

    from board.database import psycopg_url

    address = psycopg_url(database_url).set(drivername="postgresql")
    deadline = time.monotonic() + patience
    while True:
        try:
            psycopg.connect(
                address.render_as_string(hide_password=False), connect_timeout=5
            ).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise click.ClickException(
                    "The database has another password than the secrets say: they belong to "
                    "another board. Bring back the volume of secrets, or restore a backup into a "
                    "new board."
                ) from None
            if time.monotonic() > deadline:
                raise click.ClickException(
                    f"The database has not answered for {patience:g} s: {error}"
                ) from None
            time.sleep(0.5)
        else:
            return


def first_host_token() -> str | None:
    """Make the host and return its token; None where the board has a host already.

    Raises:
        ClickException: A participant who is no host has its name.
    """
    from board.database import transaction
    from board.models import Participant
    from board.participants import create_participant, issue_token

    with transaction() as session:
        if session.query(Participant).filter_by(is_host=True).first() is not None:
            return None
        host = create_participant(session, HOST_NAME, is_host=True)
        if not host.is_host:
            raise click.ClickException(
                f"The participant {HOST_NAME!r} is no host, and there is no other: make one with "
                "cosmoboard participant create NAME --host."
            )
        return issue_token(session, host)


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole, readable by its owner and group only."""
    with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        os.fchmod(file.fileno(), 0o440)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)
