"""`cosmoboard submit`: upload an archive to a board."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.archives import archive_argument, refuse_bad_archive
from cli.service import INTERRUPTED, REFUSED, epilog, json_option, on_service, tell
from cubes.tracks import TRACKS

if TYPE_CHECKING:
    from cli.client import Client, Submission


@click.command(
    epilog=epilog(
        'cosmoboard submit cubes.npz --track 3d-64 --method "My model" --wait',
        'cosmoboard submit cubes.npz --track 3d-64 --method "My model" --json | jq -r .id',
    )
)
@archive_argument("file")
@click.option("--track", type=click.Choice(list(TRACKS)), required=True, help="Track to submit to.")
@click.option("--method", required=True, help="Name of the method, as the board shows it.")
@click.option("--description", help="What the method is.")
@click.option("--link", metavar="URL", help="Address of its code or paper.")
@click.option("--parameters", help="How many parameters the model has.")
@click.option("--training-compute", help="What it took to train.")
@click.option("--extra-data", help="What it was trained on beside the training set.")
@click.option("--wait", is_flag=True, help="Follow it until it is scored, and show the scores.")
@json_option
@on_service
def submit(
    client: "Client", *, file: Path, track: str, wait: bool, as_json: bool, **form: str | None
) -> None:
    """Submit the fields in FILE, an .npz archive, to a track.

    The archive's structure is checked before it is sent; its values are checked while it is
    scored (`cosmoboard validate` checks all of it here). An upload that was cut goes on where it
    ended when the same command is given again.
    """
    from cli.follow import follow, show
    from cubes.archive import inspect_archive

    with refuse_bad_archive():
        inspect_archive(file, TRACKS[track])
    fields = {"track": track, **{_field(name): text for name, text in form.items() if text}}
    submission = _upload(client, file, fields)
    if wait:
        submission = follow(client, submission)
    if as_json:
        click.echo(json.dumps(submission))
    else:
        show(submission)
        click.echo(f"{client.url}/submissions/{submission['id']}", err=True)
    if submission["state"] in ("failed", "cancelled"):
        raise SystemExit(REFUSED)


def _field(option: str) -> str:
    return "url" if option == "link" else option


def _upload(client: "Client", file: Path, fields: dict[str, str]) -> "Submission":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("uploading"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=file.stat().st_size)
            return client.submit(file, fields, lambda size: bar.update(task, completed=size))
    except KeyboardInterrupt:
        tell("Interrupted. The same command goes on where this one ended.", INTERRUPTED)
