"""`cosmoboard withdraw`: take a submission back."""

import json
from typing import TYPE_CHECKING

import click

from cli.service import epilog, json_option, on_service

if TYPE_CHECKING:
    from cli.client import Client


@click.command(epilog=epilog())
@click.argument("submission_id", metavar="ID", type=click.UUID)
@json_option
@on_service
def withdraw(client: "Client", *, submission_id: object, as_json: bool) -> None:
    """Withdraw the submission ID: it leaves the queue, the worker or the board, for good.

    One that no worker has taken up does not count against your daily limit.
    """
    from cli.follow import show

    submission = client.withdraw(str(submission_id))
    if as_json:
        click.echo(json.dumps(submission))
    else:
        show(submission)
