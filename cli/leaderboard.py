"""`cosmoboard leaderboard`: how the submissions to a track rank."""

import json
from typing import TYPE_CHECKING

import click

from cli.service import epilog, json_option, on_service
from cubes.tracks import TRACKS

if TYPE_CHECKING:
    from rich.table import Table

    from cli.client import Client, Leaderboard


@click.command(epilog=epilog())
@click.option("--track", type=click.Choice(list(TRACKS)), required=True, help="Track to show.")
@click.option(
    "--sort",
    type=click.Choice(["overall", "psd", "mass", "peak"]),
    default="overall",
    show_default=True,
    help="What to rank by.",
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@on_service
def leaderboard(client: "Client", *, track: str, sort: str, as_json: bool, as_csv: bool) -> None:
    """Show a track's leaderboard: the best submission of each participant and method."""
    if as_json and as_csv:
        raise click.UsageError("Choose --json or --csv, not both.")
    if as_csv:
        click.echo(client.leaderboard_csv(track, sort), nl=False)
        return
    board = client.leaderboard(track, sort)
    if as_json:
        click.echo(json.dumps(board))
        return
    from cli.follow import console

    console().print(board_table(board))


def board_table(board: "Leaderboard") -> "Table":
    """Return the rows of a leaderboard as a table."""
    from rich.table import Table
    from rich.text import Text

    from cli.follow import s_star
    from cli.tables import LABELS, percent

    table = Table(title=f"{board['track']}, S* is 1 / d²: higher is better")
    for column in ("Rank", "Method", "Participant", "Overall", *LABELS.values()):
        text = column in ("Method", "Participant")
        table.add_column(column, justify="left" if text else "right")
    for row in board["rows"]:
        table.add_row(
            "–" if row["rank"] is None else str(row["rank"]),
            Text(row["method"]),
            Text(row["participant"] or "") + Text(" (baseline)" if row["baseline"] else ""),
            percent(row["overall"]),
            *(s_star(row["scores"][name]) for name in LABELS),
        )
    return table
