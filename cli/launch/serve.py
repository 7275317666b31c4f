"""All of `cosmoboard up`, from an empty folder to a board with scored rows."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from cli.launch import services
from cli.launch.endpoints import HOST, free_port
from cli.launch.errors import LaunchError
from cli.launch.folder import claimed_folder
from cli.launch.signals import interruptible, wait_for_interrupt
from cli.launch.stores import start_stores
from cli.launch.supervisor import Supervisor

INTERRUPTED = 130
"""Exit status of a run that was stopped before it had done what it was for."""


def serve(folder: Path, *, port: int, once: bool) -> None:
    """Run the service on `folder` until it is interrupted; with `once`, until all rows are scored.

    Raises:
        LaunchError: Something cannot be started, or with `once`, a row cannot be scored.
        SystemExit: It was interrupted before that.
    """
    serving = False
    try:
        with (
            claimed_folder(folder, _notify) as folder,
            Supervisor(folder, _notify) as supervisor,
            interruptible(),
        ):
            try:
                url = _start(supervisor, folder, port)
                _show_scored_rows(url, supervisor.check, strict=once)
                if not once:
                    _notify(f"The board is at {url} until Ctrl-C.")
                    serving = True
                    wait_for_interrupt()
            finally:
                _notify("Stopping all services.")
    except KeyboardInterrupt:
        _notify("Stopped." if serving else "Stopped before all rows were scored.")
        if not serving:
            raise SystemExit(INTERRUPTED) from None


def _start(supervisor: Supervisor, folder: Path, port: int) -> str:
    """Start everything, and return the address of the page."""
    from board.database import migrate
    from board.settings import get_settings
    from cli.launch.demo import open_tracks

    port = _usable_port(port)
    began = time.monotonic()
    _notify(f"Starting the services; their logs are in {folder / 'logs'}.")
    os.environ.update(start_stores(supervisor, folder))
    os.environ.update(_settings(folder))
    with _told_in_a_sentence():
        migrate(get_settings().database_url)
        # The worker compiles and plans while references are built.
        supervisor.start(services.worker(dict(os.environ)))
        open_tracks(_notify)
    supervisor.start(services.api(dict(os.environ), port))
    _notify(f"All services run after {time.monotonic() - began:.1f} s.")
    return f"http://{HOST}:{port}"


@contextmanager
def _told_in_a_sentence() -> Iterator[None]:
    """Turn what is wrong with the settings or the database into a LaunchError."""
    from sqlalchemy.exc import OperationalError

    from board.settings import SettingsError

    try:
        yield
    except SettingsError as error:
        raise LaunchError(str(error)) from error
    except OperationalError as error:
        raise LaunchError(f"The database does not answer: {error.orig}") from error


def _show_scored_rows(url: str, check: Callable[[], None], *, strict: bool) -> None:
    """Submit what ships with the project, wait until it is scored, and print the leaderboards."""
    from baseline.shipped import read_manifest
    from cli import follow
    from cli.client import Client
    from cli.launch import demo
    from cli.leaderboard import board_table

    with Client(url, demo.baseline_token()) as client:
        submissions = demo.submit_samples(client, read_manifest(), check)
        submissions = demo.wait_until_ended(client, submissions, check)
        for track in sorted({submission["track"] for submission in submissions}, reverse=True):
            follow.console().print(board_table(client.leaderboard(track, "overall")))
    try:
        demo.require_scored(submissions)
    except LaunchError as error:
        if strict:
            raise
        _notify(str(error))


def _settings(folder: Path) -> dict[str, str]:
    """Return what this process and its children find in the environment."""
    direct = [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), HOST]
    return {
        "COSMOBOARD_DATA": str(folder),
        # Nobody's proxy leads to this machine's own address.
        "no_proxy": ",".join(filter(None, direct)),
    }


def _notify(text: str) -> None:
    click.echo(text, err=True)


def _usable_port(port: int) -> int:
    """Return the port to serve at: the one asked for, or a free one for 0."""
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError as error:
            raise LaunchError(
                f"Port {port} is reserved for root. Choose another with --port."
            ) from error
        except OSError as error:
            raise LaunchError(
                f"Port {port} of {HOST} is taken. Choose another with --port, "
                "or --port 0 for any free one."
            ) from error
    return port
