"""`cosmoboard validate`: whether the board would take an archive."""

import json
from pathlib import Path

import click

from cli.archives import archive_argument
from cubes.tracks import TRACKS


@click.command()
@archive_argument("file")
@click.option("--track", type=click.Choice(list(TRACKS)), required=True, help="Track to submit to.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def validate(*, file: Path, track: str, as_json: bool) -> None:
    """Check FILE as the board will, every voxel of it; exit 0 if it is valid, else 1."""
    from rich.console import Console
    from rich.progress import track as progress

    from cubes.archive import ArchiveError, mean_warning, read_fields

    expected = TRACKS[track]
    total = 0.0
    try:
        for field in progress(
            read_fields(file, expected),
            total=expected.count,
            description="checking",
            console=Console(stderr=True),
            transient=True,
        ):
            total += float(field.mean(dtype="f8"))
    except ArchiveError as error:
        if as_json:
            click.echo(json.dumps({"valid": False, "reason": error.code, "message": str(error)}))
            raise SystemExit(1) from None
        raise click.ClickException(str(error)) from error
    mean = total / expected.count
    warning = mean_warning(mean, expected)
    if as_json:
        click.echo(json.dumps({"valid": True, "mean": mean, "warning": warning}))
        return
    click.echo(
        f"{file} is a valid submission to {track}: {expected.count} fields, mean {mean:.4g}."
    )
    if warning:
        click.echo(f"Warning: {warning}", err=True)
