"""`cosmoboard reference`: the held-out sets that submissions are scored against."""

import json

import click

from cli.host import on_board
from cubes.tracks import TRACKS


@click.group()
def reference() -> None:
    """Build the held-out sets, and list them (host)."""


@reference.command()
@click.option("--track", type=click.Choice(list(TRACKS)), required=True, help="Track to score.")
@click.option(
    "--demo", is_flag=True, required=True, help="Use the demo's fields, which are public."
)
@on_board
def build(track: str, *, demo: bool) -> None:
    """Build a reference and make it the track's current one; old scores stay as they are."""
    from board.database import transaction
    from board.references import add_reference
    from cli.build_reference import demo_reference

    try:
        new = demo_reference(track)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    with transaction() as session:
        add_reference(session, new)
    click.echo(f"{track}: reference {new.content_hash[:12]} ({new.label}) is current.")


@reference.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@on_board
def list_(*, as_json: bool) -> None:
    """List every reference, the current one of each track marked."""
    from board.database import transaction
    from board.references import list_references

    with transaction() as session:
        references = list_references(session)
    if as_json:
        rows = [
            {
                "track": known.track,
                "content_hash": known.content_hash,
                "label": known.label,
                "current": known.is_current,
                "scorer_version": known.scorer_version,
                "floor": known.floor,
                "provenance": known.provenance,
                "created_at": known.created_at.isoformat(),
            }
            for known in references
        ]
        click.echo(json.dumps(rows))
        return
    for known in references:
        mark = "*" if known.is_current else " "
        click.echo(
            f"{mark} {known.track:7} {known.content_hash[:12]}  {known.created_at:%Y-%m-%d %H:%M}"
            f"  {known.label}"
        )
    if not references:
        click.echo("There is none yet: cosmoboard reference build", err=True)
