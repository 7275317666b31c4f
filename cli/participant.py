"""`cosmoboard participant`: who may submit."""

import json
from datetime import UTC, datetime, timedelta

import click

from cli.host import on_board


@click.group()
def participant() -> None:
    """Let people submit (host)."""


@participant.command()
@click.argument("name")
@click.option("--host", is_flag=True, help="The token may do all that the host may.")
@click.option("--days", type=click.IntRange(1), help="Let the token expire after so many days.")
@click.option("--read-only", is_flag=True, help="The token changes nothing: for monitors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@on_board
def create(*, name: str, host: bool, days: int | None, read_only: bool, as_json: bool) -> None:
    """Make a participant, or a further token for one, and print the token: it is shown once."""
    from board.database import transaction
    from board.participants import create_participant, issue_token

    with transaction() as session:
        owner = create_participant(session, name, is_host=host)
        if owner.is_host != host:
            kind = "the host's" if owner.is_host else "a participant's"
            raise click.ClickException(f"{owner.name!r} is {kind} name already: choose another.")
        expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
        token = issue_token(session, owner, expires_at, read_only=read_only)
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


@participant.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@on_board
def revoke(*, name: str, as_json: bool) -> None:
    """Revoke every token of a participant, and sign out whoever has signed in with one."""
    from board.database import transaction
    from board.hosting import list_participants, revoke_tokens

    with transaction() as session:
        ids = [known.id for known in list_participants(session) if known.name == name]
        if not ids:
            raise click.ClickException(f"There is no participant {name!r}.")
        revoked = revoke_tokens(session, ids[0])
    if as_json:
        click.echo(json.dumps({"participant": name, "revoked": revoked}))
    else:
        click.echo(f"{name}: {revoked} tokens revoked.")
