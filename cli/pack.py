"""`cosmoboard pack`: fields as people keep them, as an archive that the board takes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.extras import require_extra
from cli.progress import field_bar, resumable
from cli.service import json_option
from cubes.tracks import TRACKS

if TYPE_CHECKING:
    from cubes.archive import Compression


@click.command(
    epilog="""\b
Examples:
  cosmoboard pack samples.npy --track 3d-64 --out cubes.npz
  cosmoboard pack run/*.h5 --track 3d-256 --dataset density --out cubes.npz
  cosmoboard pack generated/ --track 3d-64 --mapped --scale 4 --out cubes.npz
  cosmoboard pack overdensities.npy --track 2d-128 --scale 64 --out crops.npz

A file holds one field or a stack of them along the first axis; axes of length 1 are dropped. Of a
folder, all files are taken in the order of their names."""
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--track", type=click.Choice(list(TRACKS)), required=True, help="Track to submit to.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The archive; it appears when it is complete.",
)
@click.option(
    "--mapped",
    is_flag=True,
    help="Values are network values of the paper's Appendix A (c = 20000, s = 3): map them back.",
)
@click.option(
    "--scale",
    type=float,
    default=1.0,
    show_default=True,
    help="Multiply values by this first: what the network divided by, or the mean density.",
)
@click.option("--dataset", help="The dataset to take from HDF5 files.")
@click.option(
    "--compression",
    type=click.Choice(["deflated", "stored", "bzip2"]),
    default="deflated",
    show_default=True,
    help="`stored` is read fastest, `bzip2` is the smallest.",
)
@json_option
def pack(
    *,
    sources: tuple[Path, ...],
    track: str,
    out: Path,
    mapped: bool,
    scale: float,
    dataset: str | None,
    compression: "Compression",
    as_json: bool,
) -> None:
    """Turn SOURCES (.npy, .npz, HDF5; files or folders) into a valid archive for a track."""
    from cubes.archive import mean_warning
    from cubes.errors import ArchiveError, CubeSourceError
    from cubes.pack import files_to_pack
    from cubes.pack import pack as pack_fields

    expected = TRACKS[track]
    try:
        files = files_to_pack(sources)
        if any(out.exists() and file.samefile(out) for file in files):
            raise click.ClickException(f"{out} is one of the sources: choose another --out.")
        if any(file.suffix in (".h5", ".hdf5") for file in files):
            require_extra("hdf5", "h5py")
        with resumable(), field_bar("packing") as progress:
            mean = pack_fields(
                files,
                out,
                expected,
                mapped=mapped,
                scale=scale,
                dataset=dataset,
                compression=compression,
                progress=lambda done: progress(track, done, expected.count),
            )
    except (ArchiveError, CubeSourceError, OSError) as error:
        raise click.ClickException(str(error)) from error
    warning = mean_warning(mean, expected)
    if as_json:
        size = out.stat().st_size
        click.echo(
            json.dumps(
                {
                    "file": str(out),
                    "track": track,
                    "count": expected.count,
                    "mean": mean,
                    "size": size,
                    "warning": warning,
                }
            )
        )
        return
    click.echo(f"{out} holds {expected.count} fields of {track}, mean {mean:.4g}.")
    if warning:
        click.echo(f"Warning: {warning}", err=True)
