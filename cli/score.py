"""`cosmoboard score`: what a submission is worth, by the code that the server runs."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.archives import archive_argument, refuse_bad_archive

if TYPE_CHECKING:
    from scoring import SetStatistics

_SHOWN = 4
"""Fields of each set that are shown as slices."""


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
@click.option(
    "--figures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Save plots of the statistics and slices of the first fields in this folder.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(["png", "svg", "pdf"]),
    multiple=True,
    default=["png"],
    show_default=True,
    help="Format of the figures; may be given more than once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def score(
    *,
    fake: Path,
    reference: Path,
    threads: int,
    figures: Path | None,
    formats: tuple[str, ...],
    as_json: bool,
) -> None:
    """Score the fields of FAKE against real ones, offline.

    Takes squares or cubes of any side, two or more of each. Without the host's held-out set the
    floor is estimated from halves of the reference, so `overall` will differ a little from the
    board's.
    """
    from scoring import compare

    with refuse_bad_archive():
        if figures:
            _require_matplotlib()
            figures.mkdir(parents=True, exist_ok=True)  # before the work, not after it
        real, real_fields = _statistics(reference, "reference", threads)
        made, made_fields = _statistics(fake, "fake", threads)
        report = compare(real, made)
        if figures:
            from scoring.figures import plot_slices, plot_statistics, save_figures

            names = (reference.stem, fake.stem)
            plots = {
                "statistics": plot_statistics(real, made, names=names),
                "slices": plot_slices(real_fields, made_fields, names=names),
            }
            for path in save_figures(figures, plots, formats=formats):
                click.echo(f"Saved {path}", err=True)
    if as_json:
        click.echo(report.to_json())
        return
    from rich.console import Console

    from cli.tables import report_table

    Console().print(report_table(report))


def _require_matplotlib() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise click.ClickException(
            "Figures need Matplotlib: pip install 'cosmoboard[score,figures]'."
        )


def _statistics(path: Path, label: str, threads: int) -> tuple["SetStatistics", list[Any]]:
    """Return the statistics of an archive, and its first fields."""
    from rich.console import Console
    from rich.progress import track

    from cubes.archive import inspect_archive, read_fields
    from scoring import set_statistics

    first: list[Any] = []

    def fields() -> Iterator[Any]:
        for field in track(
            read_fields(path),
            description=f"{label:9}",
            total=inspect_archive(path).count,
            console=Console(stderr=True),
            transient=True,
        ):
            if len(first) < _SHOWN:
                first.append(field)
            yield field

    return set_statistics(fields(), threads=threads), first
