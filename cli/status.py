"""`cosmoboard status`: where a submission stands."""

import json
from typing import TYPE_CHECKING

import click

from cli.service import REFUSED, epilog, json_option, on_service

if TYPE_CHECKING:
    from cli.client import Client


@click.command(epilog=epilog())
@click.argument("submission_id", metavar="ID", type=click.UUID)
@click.option("--wait", is_flag=True, help="Follow it until it is scored.")
@json_option
@on_service
def status(client: "Client", *, submission_id: object, wait: bool, as_json: bool) -> None:
    """Tell where the submission ID stands, why, and how it scored.

    Exits 1 where it has failed or was withdrawn.
    """
    from cli.follow import follow, show

    submission = client.submission(str(submission_id))
    if wait:
        submission = follow(client, submission)
    if as_json:
        click.echo(json.dumps(submission))
    else:
        show(submission)
    if submission["state"] in ("failed", "cancelled"):
        raise SystemExit(REFUSED)
