"""`cosmoboard auth`: who you are to a board."""

import json
import sys
from typing import TYPE_CHECKING

import click

from cli.service import (
    NOT_SIGNED_IN,
    UNREACHABLE,
    epilog,
    json_option,
    on_service,
    tell,
    url_option,
)
from cli.tokens import TokenFileError, keep_token, token_file

if TYPE_CHECKING:
    from cli.client import Client


@click.group()
def auth() -> None:
    """Sign in to a board, and tell who you are."""


@auth.command(
    epilog=epilog(
        "cosmoboard auth login --url https://board.example.org",
        "cosmoboard auth login --with-token < token.txt",
    )
)
@click.option(
    "--with-token", is_flag=True, help="Read the token from standard input instead of asking."
)
@json_option
@url_option
def login(*, url: str, with_token: bool, as_json: bool) -> None:
    """Keep the token that the host gave you, in a file that only you can read."""
    from cli.client import Client, ProblemError, UnreachableError

    if with_token:
        token = sys.stdin.readline().strip()
    else:
        token = str(click.prompt(f"Token for {url}", hide_input=True, err=True)).strip()
    if not token.isascii() or not token.isprintable() or not token:
        tell("This is not a token: paste the line that the host gave you.", NOT_SIGNED_IN)
    try:
        with Client(url, token) as client:
            participant = client.whoami()
        path = keep_token(url, token)
    except (ProblemError, TokenFileError) as error:
        tell(str(error), NOT_SIGNED_IN)
    except UnreachableError as error:
        tell(str(error), UNREACHABLE)
    if as_json:
        click.echo(json.dumps({**participant, "url": url, "kept_in": str(path)}))
    else:
        click.echo(f"Signed in to {url} as {participant['name']}. The token is kept in {path}.")


@auth.command(epilog=epilog())
@json_option
@url_option
def logout(*, url: str, as_json: bool) -> None:
    """Forget the token of a board."""
    try:
        keep_token(url, None)
    except TokenFileError as error:
        tell(str(error), NOT_SIGNED_IN)
    if as_json:
        click.echo(json.dumps({"url": url, "kept_in": None}))
    else:
        click.echo(f"The token for {url} is no longer in {token_file()}.")


@auth.command(epilog=epilog())
@json_option
@on_service
def whoami(client: "Client", *, as_json: bool) -> None:
    """Tell who you are to the board, and so whether your token works."""
    participant = client.whoami()
    if as_json:
        click.echo(json.dumps(participant))
    else:
        role = " (host)" if participant["is_host"] else ""
        click.echo(f"{participant['name']}{role} at {client.url}")
