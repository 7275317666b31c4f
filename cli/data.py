"""`cosmoboard data`: real cubes, simulated here or as the paper published them."""

import json
from pathlib import Path

import click

from cli.extras import require_extra
from cli.progress import byte_bar, cube_bar, resumable
from cli.service import json_option
from cubes.tracks import FULL_SIDE

MAX_SEED = 2**63 - 1


class Seeds(click.ParamType[list[int]]):
    """Seeds and ranges of them, such as `7,10000-10029`."""

    name = "seeds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        """Return the seeds in the order given."""
        seeds: list[int] = []
        for part in str(value).split(","):
            first, dash, last = part.strip().partition("-")
            if not first.isdecimal() or (dash and not last.isdecimal()):
                self.fail(f"{part!r} is no seed: give numbers and ranges, such as 7,10000-10029.")
            begin, end = int(first), int(last or first)
            if not begin <= end <= MAX_SEED or end - begin >= 10_000:
                self.fail(f"{part!r} is no range of at most 10000 seeds below 2^63.")
            seeds += range(begin, end + 1)
        if len(set(seeds)) != len(seeds):
            self.fail(f"{value} has a seed twice: it would be the same cube.")
        return seeds


@click.group()
def data() -> None:
    """Get real cubes: simulate new ones, or download the paper's."""


@data.command(
    epilog="""\b
Examples:
  cosmoboard data simulate --seeds 10000-10029 --out data/train-256
  cosmoboard data simulate --seeds 1 --side 64 --out data/small

A cube of 256³ takes about 5 minutes of one core and 6 GiB of memory; a GPU that JAX finds is used.
Cubes that the folder holds are left as they are, so an interrupted run goes on where it was. The
same seed gives the same cube on the same machine; elsewhere a few voxels differ by one or two
particles. Seeds of a held-out set must be secret: `cosmoboard reference build --simulate` derives
them from a secret."""
)
@click.option("--seeds", type=Seeds(), required=True, help="Of the cubes, as 7 or 10000-10029.")
@click.option(
    "--side",
    type=click.IntRange(4, 1024),
    default=FULL_SIDE,
    show_default=True,
    help="Particles and voxels along each side; tracks are made from 256.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder that gets one file SEED.npz for each cube.",
)
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads that count."
)
@json_option
def simulate(*, seeds: list[int], side: int, folder: Path, threads: int, as_json: bool) -> None:
    """Simulate dark-matter cubes of 350 Mpc/h at redshift zero, one file a seed."""
    require_extra("simulate", "pmpp")
    from cubes.content_hash import content_hash
    from cubes.errors import CubeSourceError
    from cubes.simulate import simulate_cubes

    try:
        with resumable(), cube_bar(len(seeds)) as progress:
            cubes = simulate_cubes(seeds, folder, side=side, threads=threads, progress=progress)
    except (CubeSourceError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not as_json:
        click.echo(f"{len(cubes)} cubes of {side}³ are in {folder}.")
        return
    rows = [
        {"seed": seed, "file": str(path), "sha256": content_hash([cube])}
        for seed, path, cube in zip(seeds, cubes.paths, cubes, strict=True)
    ]
    click.echo(json.dumps(rows))


@data.command(
    epilog="""\b
Example:
  cosmoboard data download --out data/zenodo
  cosmoboard reference build --track all --zenodo data/zenodo

These cubes are public, and models have been trained on them: a held-out set made of them is known
to everybody. A transfer that breaks is resumed, by this run or by the next."""
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/zenodo"),
    show_default=True,
    help="Folder that gets the zip.",
)
@click.option("--from", "url", help="Another address of the same file: a mirror's, say.")
@json_option
def download(*, folder: Path, url: str | None, as_json: bool) -> None:
    """Download the paper's 30 cubes (Zenodo record 1464832), and verify them."""
    from cubes.errors import CubeSourceError
    from cubes.zenodo import URL, ZIP_MD5, download_published_cubes

    try:
        with resumable(), byte_bar("nbody-cubes.zip") as progress:
            path = download_published_cubes(folder, progress=progress, url=url or URL)
    except (CubeSourceError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"file": str(path), "size": path.stat().st_size, "md5": ZIP_MD5}))
    else:
        click.echo(f"{path} is complete, and is the published file.")
