"""`cosmoboard restore`: a board from its backup."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click


@click.command()
@click.argument("backup", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Folder of the new board, to be given to `cosmoboard up`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def restore(*, backup: Path, folder: Path, as_json: bool) -> None:
    """Fill a new board with what `cosmoboard backup` has written into the folder BACKUP.

    With DATABASE_URL set, or in the folder of secrets, the new board is that one. Nothing of it is
    to be seen until all is there; after a failure, say it again. A board that holds anything is
    left as it is.
    """
    from board.backup import restore_backup
    from board.settings import SettingsError, get_settings
    from board.storage import open_storage

    given = "DATABASE_URL" in os.environ or "COSMOBOARD_SECRETS" in os.environ
    try:
        with (
            nullcontext() if given else _launched_stores(folder),
            backup_errors(),
            shown_progress() as progress,
        ):
            settings = get_settings()
            manifest = restore_backup(
                settings.database_url, open_storage(settings), backup, progress
            )
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        rows = {table.name: table.rows for table in manifest.tables}
        restored = {"rows": rows, "archives": len(manifest.archives)}
        click.echo(json.dumps({"created_at": manifest.created_at.isoformat(), **restored}))
        return
    click.echo(f"{manifest.summary()} are back, as of {manifest.created_at:%Y-%m-%d %H:%M} UTC.")


@contextmanager
def backup_errors() -> Iterator[None]:
    """Tell in one sentence what went wrong with a backup."""
    from sqlalchemy.exc import OperationalError

    from board.backup_manifest import BackupError

    try:
        yield
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    except OperationalError as error:
        raise click.ClickException(f"The board's database does not answer: {error.orig}") from error
    except OSError as error:
        raise click.ClickException(f"{error}. Say it again once that is mended.") from error


@contextmanager
def shown_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on stderr for each thing that is done to the items of a backup."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        known = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what)
            bars.update(known[what], completed=done, total=total)

        yield show


@contextmanager
def _launched_stores(folder: Path) -> Iterator[None]:
    """Run a database below the folder, as `cosmoboard up` does, and lead the settings to it."""
    from cli.launch.errors import LaunchError
    from cli.launch.folder import claimed_folder
    from cli.launch.signals import interruptible
    from cli.launch.stores import start_stores
    from cli.launch.supervisor import Supervisor

    def notify(sentence: str) -> None:
        click.echo(sentence, err=True)

    try:
        with (
            claimed_folder(folder, notify) as claimed,
            Supervisor(claimed, notify) as supervisor,
            interruptible(),
        ):
            os.environ.update(start_stores(supervisor, claimed), COSMOBOARD_DATA=str(claimed))
            yield
    except LaunchError as error:
        raise click.ClickException(str(error)) from error
