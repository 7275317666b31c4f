"""`cosmoboard backup`: the whole board in a folder."""

import json
from pathlib import Path

import click

from cli.host import on_board


@click.command()
@click.argument("target", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@on_board
def backup(*, target: Path, as_json: bool) -> None:
    """Write the board's tables and archives into FOLDER; the board may be serving meanwhile.

    A second backup into the same folder copies only what is new. One that was cut off is continued
    by the same command; until it is complete, the folder still holds the one before. Exits 1 if an
    archive that is still to be scored is missing or damaged: all else is in the backup.
    """
    from board.backup import write_backup
    from board.settings import get_settings
    from board.storage import open_storage
    from cli.restore import backup_errors, shown_progress

    settings = get_settings()
    with backup_errors(), shown_progress() as progress:
        manifest = write_backup(settings.database_url, open_storage(settings), target, progress)
    if as_json:
        counts = {table.name: table.rows for table in manifest.tables}
        click.echo(
            json.dumps(
                {
                    "folder": str(target),
                    "created_at": manifest.created_at.isoformat(),
                    "revision": manifest.revision,
                    "rows": counts,
                    "archives": len(manifest.archives),
                    "bytes": sum(archive.size for archive in manifest.archives),
                    "lost": {str(archive): fault for archive, fault in manifest.lost.items()},
                }
            )
        )
    else:
        click.echo(f"{manifest.summary()} are in {target}.")
    for archive, fault in manifest.lost.items():
        click.echo(f"The archive of submission {archive} is {fault}.", err=True)
    if manifest.lost:
        raise SystemExit(1)
