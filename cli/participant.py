"""`cosmoboard participant`: who may submit."""

import json

import click

from cli.host import on_board


@click.group()
def participant() -> None:
    """Let people submit (host)."""


@participant.command()
@click.argument("name")
@click.option("--host", is_flag=True, help="The token may do all that the host may.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@on_board
def create(*, name: str, host: bool, as_json: bool) -> None:
    """Make a participant, or a further token for one, and print the token: it is shown once."""
    from board.database import transaction
    from board.participants import create_participant, issue_token

    with transaction() as session:
        owner = create_participant(session, name, is_host=host)
        if owner.is_host != host:
            kind = "the host's" if owner.is_host else "a participant's"
            raise click.ClickException(f"{owner.name!r} is {kind} name already: choose another.")
        token = issue_token(session, owner)
        name = owner.name
    if as_json:
        click.echo(json.dumps({"participant": name, "token": token}))
        return
    click.echo(token)
    click.echo(
        f"This is the token of {name}. It cannot be shown again: keep it, and set it as "
        "COSMOBOARD_TOKEN or give it to `cosmoboard auth login`.",
        err=True,
    )
