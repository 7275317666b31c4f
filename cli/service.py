"""What the participant's commands share: which board they ask, as whom, and how refusals are told.

Exit codes: 0 done; 1 refused, or the submission failed; 2 wrong usage; 3 not signed in; 4 the
board cannot be reached.
"""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import click

from cli.tokens import TokenFileError, read_token

DEFAULT_URL = "http://127.0.0.1:8000"

REFUSED, NOT_SIGNED_IN, UNREACHABLE, INTERRUPTED = 1, 3, 4, 130

_EXIT_CODES = """\b
Exit codes: 0 done; 1 refused, or the submission failed;
2 wrong usage; 3 not signed in; 4 the board cannot be reached."""

url_option = click.option(
    "--url",
    envvar="COSMOBOARD_URL",
    default=DEFAULT_URL,
    show_default=True,
    show_envvar=True,
    help="Address of the board.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def on_service(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--url`, and a client of the board there as its first argument.

    The token is that of COSMOBOARD_TOKEN, or the one that `cosmoboard auth login` has kept.
    """

    @url_option
    @wraps(command)
    def with_client(*, url: str, **options: Any) -> None:
        from cli.client import Client, ProblemError, UnreachableError

        try:
            token = os.environ.get("COSMOBOARD_TOKEN") or read_token(url)
            with Client(url, token) as client:
                command(client, **options)
        except ProblemError as error:
            tell(str(error), NOT_SIGNED_IN if error.status in (401, 403) else REFUSED)
        except TokenFileError as error:
            tell(str(error), NOT_SIGNED_IN)
        except UnreachableError as error:
            tell(str(error), UNREACHABLE)

    return with_client


def epilog(*examples: str) -> str:
    """Return what the help of a command ends with: examples, and the exit codes."""
    lines = "".join(f"\n  {example}" for example in examples)
    return (f"\b\nExamples:{lines}\n\n" if examples else "") + _EXIT_CODES


def tell(message: str, exit_code: int) -> NoReturn:
    """Say on stderr what is wrong, and end with this exit code."""
    click.echo(f"Error: {message}", err=True)
    raise SystemExit(exit_code)
