"""`cosmoboard reference`: the held-out sets that submissions are scored against."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.extras import require_extra
from cli.host import on_board
from cli.progress import cube_bar, field_bar, resumable
from cli.service import json_option
from cubes.tracks import TRACKS

if TYPE_CHECKING:
    from cli.real_cubes import Source

_TRACKS = [*TRACKS, "all"]

_EPILOG = """\b
Examples:
  cosmoboard reference build --track all --simulate --seed "$SECRET"
  cosmoboard reference build --track 3d-64 --zenodo data/zenodo
  cosmoboard reference build --track 2d-128 --training mine/a --held-out mine/b
  cosmoboard reference build --track 3d-32 --demo

Cubes are split before anything is cut from them, so that training and held-out fields never share
one. What is interrupted goes on when the same command is given again. Earlier references and the
scores against them stay: `cosmoboard rescore --track T` adds scores against the new one.
"""


@click.group()
def reference() -> None:
    """Build the held-out sets, and list them (host)."""


@reference.command(epilog=_EPILOG)
@click.option(
    "--track",
    "tracks",
    type=click.Choice(_TRACKS),
    multiple=True,
    required=True,
    help="Track to score; may be given several times.",
)
@click.option("--simulate", is_flag=True, help="Simulate new cubes (extra `simulate`).")
@click.option(
    "--seed",
    "secret",
    envvar="COSMOBOARD_REFERENCE_SEED",
    show_envvar=True,
    help="Secret that the seeds of simulated cubes are derived from: keep it, and tell nobody.",
)
@click.option(
    "--count",
    type=click.IntRange(3),
    default=30,
    show_default=True,
    help="Cubes to simulate for the training set, and for the held-out set.",
)
@click.option(
    "--cubes",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder where simulated cubes lie and go, as secret as the seed.  [default: DATA/cubes]",
)
@click.option(
    "--zenodo",
    type=click.Path(path_type=Path),
    help="Use the paper's published cubes in this zip or folder (extra `hdf5`).",
)
@click.option(
    "--training",
    type=click.Path(path_type=Path),
    help="Use cubes of 256³ in this folder, a file each (.npz, .npy, HDF5), as the training set.",
)
@click.option(
    "--held-out", type=click.Path(path_type=Path), help="And those in this one as the held-out set."
)
@click.option(
    "--label",
    default="the host's own cubes",
    show_default=True,
    help="Where cubes of one's own come from, as participants read it.",
)
@click.option("--demo", is_flag=True, help="Use the demo's fields, which are public.")
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads to work with."
)
@json_option
@click.option(
    "--private",
    is_flag=True,
    help="Only store it: nothing is scored against it until `cosmoboard reference use`.",
)
@on_board
def build(
    *, tracks: tuple[str, ...], threads: int, private: bool, as_json: bool, **choices: Any
) -> None:
    """Build references from real cubes, each of which becomes its track's current one.

    Needs one of --simulate, --zenodo, --training with --held-out, or --demo.
    """
    from board.settings import get_settings
    from board.storage import open_storage
    from cli.build_reference import build_reference, keep_reference
    from cubes.errors import ArchiveError, CubeSourceError

    settings = get_settings()
    storage = open_storage(settings)
    names = list(TRACKS) if "all" in tracks else list(dict.fromkeys(tracks))
    built = []
    try:
        source = _source(settings.data / "cubes", threads, **choices)
        for track in names:
            with resumable(), field_bar(track) as progress:
                new = build_reference(track, source, storage, threads=threads, progress=progress)
            built.append(keep_reference(new, storage, private=private))
            if not as_json:
                now = "kept aside" if private else "current"
                click.echo(f"{track}: reference {new.content_hash[:12]} ({new.label}) is {now}.")
    except (ArchiveError, CubeSourceError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps([_row(known) for known in built]))


@reference.command()
@click.argument("content_hash")
@click.option("--track", type=click.Choice(list(TRACKS)), required=True, help="Its track.")
@json_option
@on_board
def use(*, content_hash: str, track: str, as_json: bool) -> None:
    """Score a track against a stored reference from now on, given by 12 digits of its hash.

    `cosmoboard rescore` then scores what was submitted before.
    """
    from board.database import transaction
    from board.references import make_current

    with transaction() as session:
        chosen = make_current(session, track, content_hash)
    if as_json:
        told = {"track": track, "content_hash": chosen.content_hash, "label": chosen.label}
        click.echo(json.dumps(told))
    else:
        click.echo(f"{track}: reference {chosen.content_hash[:12]} ({chosen.label}) is current.")


def _source(
    default_folder: Path,
    threads: int,
    *,
    simulate: bool,
    secret: str | None,
    count: int,
    cubes: Path | None,
    zenodo: Path | None,
    training: Path | None,
    held_out: Path | None,
    label: str,
    demo: bool,
) -> "Source":
    """Return the one source that was chosen, its cubes simulated where that is asked for."""
    from cli.real_cubes import demo_source, folder_source, published_source, simulated_source

    own = training is not None or held_out is not None
    if [simulate, zenodo is not None, own, demo].count(True) != 1:
        raise click.UsageError(
            "Say where the cubes come from, once: --simulate, --zenodo PATH, "
            "--training FOLDER --held-out FOLDER, or --demo."
        )
    if demo:
        return demo_source()
    if zenodo is not None:
        require_extra("hdf5", "h5py")
        return published_source(zenodo)
    if own:
        if training is None or held_out is None:
            raise click.UsageError("--training and --held-out go together.")
        return folder_source(training, held_out, label)
    if not secret:
        raise click.UsageError(
            "--simulate needs --seed: a secret of your own, such as `openssl rand -hex 16` makes."
        )
    if len(secret) < 16:
        click.echo(
            "Warning: a seed so short can be guessed, and the held-out cubes be made from it.",
            err=True,
        )
    require_extra("simulate", "pmpp")
    with resumable(), cube_bar(2 * count) as progress:
        return simulated_source(
            secret, count, cubes or default_folder, threads=threads, progress=progress
        )


@reference.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@on_board
def list_(*, as_json: bool) -> None:
    """List every reference, the current one of each track marked."""
    from board.database import transaction
    from board.references import list_references_with_provenance

    with transaction() as session:
        references = list_references_with_provenance(session)
    if as_json:
        rows = [_row(known) | {"provenance": known.provenance} for known in references]
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


def _row(known: Any) -> dict[str, Any]:
    return {
        "track": known.track,
        "content_hash": known.content_hash,
        "label": known.label,
        "current": known.is_current,
        "scorer_version": known.scorer_version,
        "floor": known.floor,
        "created_at": known.created_at.isoformat(),
    }
