"""`cosmoboard up`: the whole service on this machine, by one command."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--once",
    is_flag=True,
    help="Stop as soon as all submitted rows are scored; fail if one is not.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port of the page and the API on 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Folder that holds everything the service keeps.",
)
def up(*, once: bool, port: int, folder: Path) -> None:
    """Serve a board with scored submissions, until Ctrl-C.

    Starts a Postgres, a Valkey, a worker and the API; builds the demo reference, submits the
    baseline's archives over HTTP, and shows how they rank. A second start on the same folder goes
    on from there. With DATABASE_URL or BROKER_URL set, that one is used and none is started.
    """
    from cli.launch.errors import LaunchError
    from cli.launch.serve import serve

    try:
        serve(folder, port=port, once=once)
    except LaunchError as error:
        raise click.ClickException(str(error)) from error
