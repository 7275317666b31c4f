"""What the host's commands share: which board they work on, and how its refusals are told."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click


def on_board(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--data DIR`, and the board there for as long as it runs.

    With `DATABASE_URL` set, or in the folder of secrets, the board is that one. Without, it is the
    one that `cosmoboard up` keeps in the folder.
    """

    @click.option(
        "--data",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("data"),
        show_default=True,
        help="Folder of the board, as given to `cosmoboard up`.",
    )
    @wraps(command)
    def with_board(*, folder: Path, **options: Any) -> None:
        from sqlalchemy.exc import OperationalError

        from board.errors import BoardError
        from board.settings import SettingsError

        _find_board(folder)
        try:
            command(**options)
        except (BoardError, SettingsError) as error:
            raise click.ClickException(str(error)) from error
        except OperationalError as error:
            raise click.ClickException(
                f"The board's database does not answer; is `cosmoboard up` running? ({error.orig})"
            ) from error

    return with_board


def _find_board(folder: Path) -> None:
    """Put the addresses of the board in `folder` into the environment, where they are not set."""
    from cli.launch.endpoints import broker_url, database_url, known_endpoint

    os.environ.setdefault("COSMOBOARD_DATA", str(folder))
    if "COSMOBOARD_SECRETS" in os.environ:
        return
    for variable, name, address in (
        ("DATABASE_URL", "postgres", database_url),
        ("BROKER_URL", "valkey", broker_url),
    ):
        if variable in os.environ:
            continue
        endpoint = known_endpoint(folder, name)
        if endpoint is None:
            raise click.ClickException(
                f"There is no board in {folder}: start one with `cosmoboard up --data {folder}`, "
                "name its folder with --data, or set DATABASE_URL and BROKER_URL."
            )
        os.environ[variable] = address(endpoint)
