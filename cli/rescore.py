"""`cosmoboard rescore`: score a track's submissions against its current reference."""

import json

import click

from cli.host import on_board
from cubes.tracks import TRACKS


@click.command()
@click.option("--track", type=click.Choice(list(TRACKS)), required=True, help="Track to re-score.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@on_board
def rescore(track: str, *, as_json: bool) -> None:
    """Score all submissions to a track against its current reference (host).

    Appends scores from the statistics that are kept, without reading archives again; earlier
    scores stay. What has a score already is left alone.
    """
    from worker.rescore import rescore_track

    appended = rescore_track(track)
    if as_json:
        click.echo(json.dumps({"track": track, "appended": appended}))
    else:
        click.echo(f"{track}: {appended} submissions re-scored.")
