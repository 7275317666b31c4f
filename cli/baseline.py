"""`cosmoboard baseline`: train the multi-scale GAN, draw fields from it, submit them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.service import INTERRUPTED, json_option, url_option
from cubes.tracks import FULL_SIDE, TRACKS

if TYPE_CHECKING:
    from torch import Tensor

_CONFIGURATIONS = ("small", "paper")
_STAGES = ("m3", "m2", "m1", "uniscale", "2d-32", "2d-64", "2d-128", "2d-256")
_MODELS = ("gan", "clipped-gaussian", "lognormal", "rank-matched-gaussian")


def _examples(*commands: str) -> str:
    return "\b\nExamples:" + "".join(f"\n  {command}" for command in commands)


_configuration = click.option(
    "--configuration",
    type=click.Choice(_CONFIGURATIONS),
    default="small",
    show_default=True,
    help="Networks that two CPU cores can train, or those of the paper.",
)
_cubes = click.option(
    "--cubes",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of .npz files with a full cube each; without it, the demo's fields are used.",
)
_run_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run.  [default: data/training/CONFIGURATION-STAGE]",
)
_device = click.option(
    "--device", default="cpu", show_default=True, help="Where to compute, as PyTorch names it."
)
_threads = click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
_seed = click.option("--seed", type=click.IntRange(0), default=0, show_default=True)


@click.group()
def baseline() -> None:
    """Train the reference models, and draw fields from them."""


@baseline.command(
    epilog=_examples(
        "cosmoboard baseline train --stage m3",
        "cosmoboard baseline train --stage m1 --cubes data/train-256 --iterations 20000",
    )
)
@click.option("--stage", type=click.Choice(_STAGES), required=True, help="Which GAN to train.")
@_configuration
@_cubes
@_run_folder
@click.option("--iterations", type=click.IntRange(1), help="Iterations in all.")
@click.option("--score-every", type=click.IntRange(1), default=500, show_default=True)
@click.option(
    "--fields", type=click.IntRange(2), default=200, show_default=True, help="Fields in a scoring."
)
@_seed
@_device
@_threads
def train(
    *,
    stage: str,
    configuration: str,
    cubes: Path | None,
    folder: Path | None,
    iterations: int | None,
    score_every: int,
    fields: int,
    seed: int,
    device: str,
    threads: int,
) -> None:
    """Train a stage, or go on with a run.

    A run can be stopped at any time, by Ctrl-C or by a kill: the same command goes on from the
    last saved state, to the very weights of a run that was never stopped. The folder also gets
    the weights that scored best against the training fields, and a log of one JSON object a line.
    """
    import torch

    from baseline.stages import STAGES
    from baseline.tensors import TensorFileError
    from baseline.train import Progress, RunInUseError, Schedule, train

    if (configuration, stage) not in STAGES:
        raise click.UsageError(f"The {configuration} configuration has no stage {stage}.")
    chosen = STAGES[configuration, stage]
    torch.set_num_threads(threads)
    total = iterations or chosen.optimisation.iterations
    run = folder or _default_folder(configuration, stage)
    schedule = Schedule(total, score=score_every, fields=fields)
    real = _training_cubes(chosen.side, cubes)
    with _progress() as bar:
        task = bar.add_task(f"{configuration} {stage}", total=total, state="starting")

        def report(progress: Progress) -> None:
            state = "  ".join(f"{name} {loss:.3g}" for name, loss in progress.losses.items())
            if progress.scores:
                state += "  d² " + "  ".join(
                    f"{name} {progress.scores[name]:.3g}" for name in ("psd", "mass", "peak")
                )
            bar.update(task, completed=progress.iteration, state=state)

        try:
            done = train(chosen, real, run, schedule, seed=seed, device=device, report=report)
        except (TensorFileError, RunInUseError) as error:
            raise click.ClickException(str(error)) from error
    if not done:
        click.echo(f"Stopped and saved in {run}. The same command goes on from there.", err=True)
        raise SystemExit(INTERRUPTED)
    click.echo(f"Done: {run / 'best.safetensors'}", err=True)


@baseline.command(
    epilog=_examples(
        "cosmoboard baseline sample --track 3d-64 --count 30 --seed 0 --out cubes.npz",
        "cosmoboard baseline sample --track 3d-32 --model lognormal --out cubes.npz",
    )
)
@click.option("--track", type=click.Choice(list(TRACKS)), required=True, help="Kind of fields.")
@click.option("--count", type=click.IntRange(2), help="Fields to draw.  [default: the track's]")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Archive to write.",
)
@click.option("--model", type=click.Choice(_MODELS), default="gan", show_default=True)
@_configuration
@click.option(
    "--weights",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of weights, in place of those that ship with the project.",
)
@_seed
@_device
@_threads
def sample(
    *,
    track: str,
    count: int | None,
    out: Path,
    model: str,
    configuration: str,
    weights: Path | None,
    seed: int,
    device: str,
    threads: int,
) -> None:
    """Draw fields and write them to an archive that can be submitted.

    The same seed gives the same bytes on the same machine with as many threads.
    """
    from cubes.archive import write_archive

    wanted = count or TRACKS[track].count
    if model == "gan":
        fields = _gan_fields(track, configuration, weights, wanted, seed, device, threads)
    else:
        fields = _classical_fields(track, model, wanted, seed)
    with _progress() as bar:
        task = bar.add_task(f"{model} {track}", total=wanted, state="")
        written = write_archive(out, bar.track(fields, task_id=task))
    click.echo(f"{written} fields in {out}", err=True)


@baseline.command(
    epilog=_examples("cosmoboard baseline submit --track 3d-64 --model lognormal --wait")
)
@click.option("--track", type=click.Choice(list(TRACKS)), required=True, help="Track to submit to.")
@click.option("--model", type=click.Choice(_MODELS), default="gan", show_default=True)
@_configuration
@click.option("--wait", is_flag=True, help="Follow it until it is scored, and show the scores.")
@json_option
@url_option
@click.pass_context
def submit(
    context: click.Context, /, *, track: str, model: str, configuration: str, **options: Any
) -> None:
    """Submit the archive that ships with the project for a model and a track."""
    from baseline.shipped import SAMPLES, read_manifest
    from cli.submit import submit as submit_archive

    name = f"gan-{configuration}" if model == "gan" else model
    known = {shipped.file: shipped for shipped in read_manifest()}
    shipped = known.get(f"{name}-{track}.npz")
    if shipped is None:
        raise click.ClickException(
            f"No archive of {name} ships for {track}: draw one by `cosmoboard baseline sample`, "
            "and submit it by `cosmoboard submit`."
        )
    context.invoke(
        submit_archive,
        file=SAMPLES / shipped.file,
        track=track,
        method=shipped.method,
        description=shipped.description,
        link=shipped.url,
        parameters=str(shipped.parameters),
        training_compute=shipped.training_compute,
        extra_data=shipped.extra_data,
        **options,
    )


@baseline.command(
    epilog=_examples(
        'cosmoboard baseline release --track 3d-64 --training-compute "9 h on one CPU core"'
    )
)
@click.option("--track", type=click.Choice(["3d-32", "3d-64"]), required=True, help="Track.")
@_configuration
@_run_folder
@click.option("--training-compute", required=True, help="What training took, for the board.")
@click.option(
    "--count", type=click.IntRange(30), default=200, show_default=True, help="Fields to fit to."
)
@_threads
def release(
    *,
    track: str,
    configuration: str,
    folder: Path | None,
    training_compute: str,
    count: int,
    threads: int,
) -> None:
    """Put the best weights of a run, and an archive drawn from them, among what ships.

    The stage is calibrated on fields grown from noise through the shipped stages before it: release
    M3 first. Prints the archive's scores as JSON.
    """
    import torch

    from baseline.chain import CHAINS
    from baseline.release import release
    from baseline.tensors import TensorFileError

    torch.set_num_threads(threads)
    run = folder or _default_folder(configuration, CHAINS[track][-1])
    try:
        scores = release(track, configuration, run, count, training_compute)
    except TensorFileError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(scores))


@baseline.command(epilog=_examples("cosmoboard baseline figures --out docs/images/baseline"))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write.",
)
@_configuration
@_cubes
@click.option(
    "--count",
    type=click.IntRange(4),
    default=30,
    show_default=True,
    help="Fields to draw, no more than there are training cubes.",
)
@_seed
@_threads
def figures(
    *, out: Path, configuration: str, cubes: Path | None, count: int, seed: int, threads: int
) -> None:
    """Make the paper's figures 5 to 12 from the shipped weights, as far as they reach.

    Those of full cubes need --cubes; without it, the last two show the chain up to 64³.
    """
    import torch

    from baseline.figures import paper_figures
    from scoring.figures import save_figures

    torch.set_num_threads(threads)

    def training_cubes(side: int) -> "Tensor":
        return _training_cubes(side, cubes if side == FULL_SIDE else None)

    track = "3d-256" if cubes else "3d-64"
    for name, figure in paper_figures(configuration, track, training_cubes, count, seed):
        for path in save_figures(out, {name: figure}):
            click.echo(path)


def _default_folder(configuration: str, stage: str) -> Path:
    return Path("data/training") / f"{configuration}-{stage}"


def _gan_fields(
    track: str,
    configuration: str,
    folder: Path | None,
    count: int,
    seed: int,
    device: str,
    threads: int,
) -> Any:
    import torch

    from baseline.chain import CHAINS, read_chain
    from baseline.tensors import TensorFileError
    from baseline.weights import WEIGHTS

    torch.set_num_threads(threads)
    try:
        chain = read_chain(CHAINS[track], configuration, folder or WEIGHTS)
    except TensorFileError as error:
        raise click.ClickException(str(error)) from error
    return chain.to(device).densities(count, seed)


def _classical_fields(track: str, model: str, count: int, seed: int) -> Any:
    import numpy as np

    from baseline.classical import CLASSICAL_MODELS
    from cubes.demo import DEMO_TRACKS, demo_fields

    if track not in DEMO_TRACKS:
        raise click.UsageError(
            f"The classical models are fitted to the demo's fields, which {track} has none of: "
            f"use {' or '.join(DEMO_TRACKS)}."
        )
    train = np.stack(list(demo_fields(track, "train")))
    (chosen,) = (candidate for candidate in CLASSICAL_MODELS if candidate.name == model)
    return iter(chosen.draw(train, count, seed).astype(np.float32))


def _training_cubes(side: int, folder: Path | None) -> "Tensor":
    """Return training cubes of a side in network values, from a folder or the demo."""
    import numpy as np
    import torch

    from baseline.data import to_network
    from baseline.neighbours import shrunk
    from baseline.release import demo_cubes

    if folder is None:
        if side == FULL_SIDE:
            raise click.UsageError(
                "This stage learns full cubes, and the demo has none: name a folder by --cubes."
            )
        return demo_cubes(side)
    cubes = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            (cube,) = arrays.values()
        if cube.shape != (FULL_SIDE,) * 3:
            raise click.ClickException(
                f"{path} is of shape {cube.shape}, not of 256 voxels a side."
            )
        cubes.append(shrunk(to_network(cube)[None, None], FULL_SIDE // side)[0, 0])
    if not cubes:
        raise click.ClickException(f"{folder} holds no .npz file.")
    return torch.stack(cubes)


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
        console=Console(stderr=True),
    )
