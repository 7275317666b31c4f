"""`cosmoboard score`: what a submission is worth, by the code that the server runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cli.archives import archive_argument, refuse_bad_archive


@click.command()
@archive_argument("fake")
@click.option(
    "--reference",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Archive of real fields to score against.",
)
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Fields at a time."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def score(*, fake: Path, reference: Path, threads: int, as_json: bool) -> None:
    """Score the fields of FAKE against real ones, offline.

    Takes squares or cubes of any side, two or more of each. Without the host's held-out set the
    floor is estimated from halves of the reference, so `overall` will differ a little from the
    board's.
    """
    from scoring import compare

    with refuse_bad_archive():
        report = compare(
            _statistics(reference, "reference", threads), _statistics(fake, "fake", threads)
        )
    if as_json:
        click.echo(report.to_json())
        return
    from rich.console import Console

    from cli.tables import report_table

    Console().print(report_table(report))


def _statistics(path: Path, label: str, threads: int) -> Any:
    from rich.console import Console
    from rich.progress import track

    from cubes.archive import inspect_archive, read_fields
    from scoring import set_statistics

    count = inspect_archive(path).count

    def fields() -> Iterator[Any]:
        yield from track(
            read_fields(path),
            description=f"{label:9}",
            total=count,
            console=Console(stderr=True),
            transient=True,
        )

    return set_statistics(fields(), threads=threads)
