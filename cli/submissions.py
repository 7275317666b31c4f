"""`cosmoboard submissions`: what you have submitted."""

import json
from itertools import islice
from typing import TYPE_CHECKING

import click

from cli.service import epilog, json_option, on_service

if TYPE_CHECKING:
    from cli.client import Client


@click.command(epilog=epilog())
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, at most."
)
@json_option
@on_service
def submissions(client: "Client", *, limit: int, as_json: bool) -> None:
    """List your submissions, latest first."""
    found = list(islice(client.submissions(), limit))
    if as_json:
        click.echo(json.dumps(found))
        return
    from rich.table import Table
    from rich.text import Text

    from cli.follow import console, standing

    table = Table()
    for column in ("Submission", "Track", "Method", "Date", "Standing"):
        table.add_column(column)
    for submission in found:
        table.add_row(
            submission["id"],
            submission["track"],
            Text(submission["method"]),
            submission["created_at"][:10],
            standing(submission),
        )
    if found:
        console().print(table)
    else:
        click.echo("You have not submitted anything yet: cosmoboard submit --help", err=True)
