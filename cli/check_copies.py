"""`cosmoboard check-copies`: which fields are copies of real ones, or of each other."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.archives import archive_argument, refuse_bad_archive
from cli.extras import require_extra
from cli.progress import field_bar
from cli.service import json_option
from cubes.tracks import TRACKS

if TYPE_CHECKING:
    from cubes.copies import Copy, Fingerprint


@click.command(
    name="check-copies",
    epilog="""\b
Examples:
  cosmoboard check-copies cubes.npz --against train.npz
  cosmoboard check-copies cubes.npz --track 3d-64 --json

Exits 0 whether or not there are copies, 1 where a file cannot be used. Copies of 3D fields are
found shifted, rotated, mirrored, noisy, or pasted into another field by a quarter; of 2D fields,
exact copies only.""",
)
@archive_argument("file")
@click.option("--track", type=click.Choice(list(TRACKS)), help="Require the fields of this track.")
@click.option(
    "--against",
    "originals",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Archive of real fields: the training set, say. May be given several times.",
)
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Fields at a time."
)
@json_option
def check_copies(
    *, file: Path, track: str | None, originals: tuple[Path, ...], threads: int, as_json: bool
) -> None:
    """Search the fields of FILE for copies of each other, and of those in --against.

    The board searches every submission like that against its training set, and shows what it finds.
    """
    require_extra("score", "pyfftw")
    from cubes.copies import CONVICTION, find_copies, find_duplicates

    found: list[tuple[str, Copy]] = []
    with refuse_bad_archive(), field_bar(str(file)) as progress:
        fields = _fingerprints(file, track, "reading", progress)
        for path in originals:
            real = _fingerprints(path, None, f"reading {path}", progress)
            if real[0].shape != fields[0].shape:
                raise ValueError(
                    f"{path} holds fields of {real[0].shape} voxels, {file} of {fields[0].shape}: "
                    "compare fields of the same track."
                )
            tell = _counter(f"comparing with {path}", len(fields), progress)
            copies = find_copies(fields, real, threads=threads, progress=tell)
            found += [(str(path), copy) for copy in copies]
        tell = _counter("comparing with each other", len(fields), progress)
        copies = find_duplicates(fields, threads=threads, progress=tell)
        found += [(str(file), copy) for copy in copies]
    if as_json:
        click.echo(json.dumps([copy.to_dict() | {"against": path} for path, copy in found]))
        return
    against = ", ".join(map(str, originals)) or "each other"
    if not found:
        click.echo(f"No copies among {len(fields)} fields, compared with {against}.")
        return
    from cli.follow import console

    console().print(_table(found))
    count = len({copy.field for _, copy in found})
    click.echo(
        f"{count} of {len(fields)} fields are copies. A chance match is below 6.4 σ, and from "
        f"{CONVICTION:g} σ on it is told here."
    )


def _fingerprints(
    path: Path, track: str | None, what: str, progress: Callable[[str, int, int], None]
) -> "list[Fingerprint]":
    from cubes.archive import inspect_archive, read_fields
    from cubes.copies import fingerprint

    expected = TRACKS[track] if track else None
    tell = _counter(what, inspect_archive(path, expected).count, progress)

    def prints() -> "Iterator[Fingerprint]":
        for field in read_fields(path, expected):
            yield fingerprint(field)
            tell()

    return list(prints())


def _counter(
    what: str, total: int, progress: Callable[[str, int, int], None]
) -> Callable[[], None]:
    done = 0
    progress(what, done, total)

    def tell() -> None:
        nonlocal done
        done += 1
        progress(what, done, total)

    return tell


def _table(found: "list[tuple[str, Copy]]") -> Any:
    from rich.table import Table

    table = Table()
    for column in (
        "field",
        "copy of",
        "in",
        "kind",
        "symmetry",
        "shift",
        "correlation",
        "strength",
    ):
        numeric = column in ("field", "copy of", "correlation", "strength")
        table.add_column(column, justify="right" if numeric else "left")
    for path, copy in found:
        table.add_row(
            str(copy.field),
            str(copy.original),
            path,
            copy.kind,
            copy.symmetry,
            str(copy.shift),
            f"{copy.correlation:.2f}",
            f"{copy.significance:.1f} σ",
        )
    return table
