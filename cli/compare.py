"""`cosmoboard compare`: whether one submission is better than another."""

import json
import math
from typing import TYPE_CHECKING

import click

from cli.service import epilog, json_option, on_service

if TYPE_CHECKING:
    from cli.client import Client, Difference


@click.command(epilog=epilog())
@click.argument("a", metavar="A", type=click.UUID)
@click.argument("b", metavar="B", type=click.UUID)
@json_option
@on_service
def compare(client: "Client", *, a: object, b: object, as_json: bool) -> None:
    """Tell whether submission A is better than submission B, or cannot be told apart from it.

    Both must have been scored against the same held-out fields: their chance is common to the two,
    so that the difference is known better than either score.
    """
    differences = client.comparison(str(a), str(b))
    if as_json:
        click.echo(json.dumps(differences))
        return
    from rich.console import Console
    from rich.table import Table

    from cli.tables import LABELS, interval

    table = Table("", "A less B", "95 %", "p", caption=verdict(differences["log_overall"]))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, label in LABELS.items():
        found = differences[name]
        table.add_row(
            f"d², {label.lower()}",
            f"{found['value']:+.3g}",
            interval(found["ci95"]),
            f"{found['p']:.2g}",
        )
    Console().print(table)


def verdict(log_overall: "Difference") -> str:
    """Return what the test of overall says, as a sentence."""
    low, high = (math.exp(bound) for bound in log_overall["ci95"])
    ratio = (
        f"overall of A is {math.exp(log_overall['value']):.3g} times that of B "
        f"(95 %: {low:.3g} to {high:.3g}, p = {log_overall['p']:.2g})"
    )
    if log_overall["p"] > 0.05:
        return f"A and B cannot be told apart: {ratio}."
    return f"{'A' if log_overall['value'] > 0 else 'B'} is better: {ratio}."
