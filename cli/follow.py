"""Follow a submission until it is scored, failed or cancelled, and show what came of it."""

import time
from typing import TYPE_CHECKING

import click

from cli.tables import LABELS, interval, number, percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from cli.client import Client, StatisticScore, Submission

FINAL_STATES = ("scored", "failed", "cancelled")

_POLL_SECONDS = 0.5
_PATIENCE = 120.0
"""Seconds for which a board that does not answer is asked again."""


def follow(client: "Client", submission: "Submission") -> "Submission":
    """Wait until the submission has ended, with a progress bar on stderr.

    Raises:
        UnreachableError: The board has not answered for two minutes.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        while submission["state"] not in FINAL_STATES:
            progress = submission["progress"]
            waiting = submission["state"] != "running"
            bar.update(
                task,
                description=standing(submission),
                completed=progress["done"],
                total=None if waiting else progress["total"],
            )
            time.sleep(_POLL_SECONDS)
            submission = _asked_again(client, submission["id"])
    return submission


def _asked_again(client: "Client", submission_id: str) -> "Submission":
    """Return the submission, over restarts of the board."""
    from cli.client import ProblemError, UnreachableError

    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return client.submission(submission_id)
        except (UnreachableError, ProblemError) as error:
            passing = isinstance(error, UnreachableError) or error.status >= 500
            if not passing or time.monotonic() > deadline:
                raise
            time.sleep(1)


def standing(submission: "Submission") -> str:
    """Return where a submission stands, in a few words."""
    match submission["state"]:
        case "queued":
            return f"queued, number {submission['queue_position']}"
        case "running":
            progress = submission["progress"]
            return f"scoring, {progress['done']} of {progress['total']} fields"
        case "scored":
            return f"scored, overall {percent(submission['overall'])}"
        case state:
            return f"{state} ({submission['reason']})" if submission["reason"] else state


def show(submission: "Submission") -> None:
    """Print a submission and, where it is scored, its scores."""
    click.echo(f"{submission['id']}  {submission['method']} on {submission['track']}")
    click.echo(standing(submission))
    if submission["message"]:
        click.echo(submission["message"])
    if submission["scores"]:
        console().print(_score_table(submission))
    _show_copies(submission)


def _show_copies(submission: "Submission") -> None:
    """Say which fields look copied, if any do; the search comes a while after the score."""
    search = submission.get("copy_search")
    fields = sorted({copy["field"] for copy in search["copies"]}) if search else []
    if fields:
        click.echo(
            f"{len(fields)} fields look like copies of training fields or of each other: "
            f"{', '.join(map(str, fields))}. --json has the evidence."
        )


def console() -> "Console":
    """Return where results go; what is not a terminal gets its lines whole."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=200)


def s_star(score: "StatisticScore") -> str:
    """Return S*, infinite where the distance is zero."""
    return "∞" if score["score"] is None else f"{score['score']:.3g}"


def _score_table(submission: "Submission") -> "Table":
    from rich.table import Table

    table = Table()
    for column in ("", "S*", "d²", "95 %", "scatter"):
        table.add_column(column, justify="left" if not column else "right")
    for name, score in (submission["scores"] or {}).items():
        table.add_row(
            LABELS[name],
            s_star(score),
            f"{score['d2']:.4g}",
            interval(score["ci95"]),
            number(score["scatter_ratio"]),
        )
    return table
