"""From training runs to what ships: calibrated weights, their scores, and sample archives."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baseline.calibration import Calibration
from baseline.chain import CHAINS, Chain, read_chain
from baseline.data import to_network
from baseline.shipped import Sample, ship
from baseline.weights import WEIGHTS, Weights, read_weights, write_weights
from cubes.demo import demo_fields
from cubes.tracks import TRACKS
from scoring import STATISTICS, ScoreReport, compare, floor_from_pool, set_statistics

CALIBRATION_SEED = 1
"""Sampling seed of the fields that calibrations are fitted to."""

SAMPLE_SEED = 0
"""Sampling seed of the shipped archives."""


def calibrated_chain(
    runs: Path, configuration: str, track: str, count: int, cubes: Callable[[int], Tensor]
) -> Chain:
    """Take the best weights of each stage of a track, and calibrate each on the chain's fields.

    During training an up-scaling stage is calibrated on fields grown from real coarse ones. What
    ships starts from noise, so its calibration is fitted anew, to fields drawn so.

    Args:
        runs: Folder of training runs, `<configuration>-<stage>` each.
        configuration: `small` or `paper`.
        track: Track that the chain leads to.
        count: Fields to fit to.
        cubes: Gives the training cubes of a side, in network values.
    """
    stages: tuple[Weights, ...] = ()
    values: Tensor | None = None
    for name in CHAINS[track]:
        weights = read_weights(runs / f"{configuration}-{name}" / "best.safetensors")
        drawn = Chain((replace(weights, calibration=None),)).values(
            range(count), CALIBRATION_SEED, start=values
        )
        if weights.calibration is not None:
            calibration = Calibration(weights.stage.side)
            calibration.fit(drawn, cubes(weights.stage.side))
            drawn = calibration(drawn)
            weights = replace(weights, calibration=calibration)
        stages, values = (*stages, weights), drawn
    return Chain(stages)


def score_on_demo(chain: Chain, track: str, count: int, seed: int) -> dict[str, ScoreReport]:
    """Score a chain's fields against the demo's training and held-out fields."""
    train = set_statistics(demo_fields(track, "train"))
    held_out = set_statistics(demo_fields(track, "held-out"))
    drawn = set_statistics(chain.densities(count, seed))
    floor = floor_from_pool(train, held_out)
    return {
        "train": compare(train, drawn, floor=floor),
        "held-out": compare(held_out, drawn, floor=floor),
    }


def write_chain(chain: Chain, scores: dict[str, ScoreReport], folder: Path = WEIGHTS) -> None:
    """Write a chain's stages, the last of them with the scores that the chain reached."""
    for weights in chain.stages:
        name = f"{weights.stage.configuration}-{weights.stage.name}.safetensors"
        if weights is chain.stages[-1]:
            numbers = {part: _numbers(report) for part, report in scores.items()}
            weights = replace(
                weights, description=weights.description | {"scores_of_the_chain": numbers}
            )
        write_weights(folder / name, weights)


def ship_samples(track: str, configuration: str, training_compute: str) -> None:
    """Draw a track's archive from the shipped weights, and enter it in the manifest."""
    chain = read_chain(track, configuration)
    parameters = sum(
        parameter.numel()
        for weights in chain.stages
        for parameter in weights.generator.parameters()
    )
    names = " and ".join(weights.stage.name.upper() for weights in chain.stages)
    sample = Sample(
        file=f"gan-{configuration}-{track}.npz",
        track=track,
        method=f"Multi-scale GAN ({configuration})",
        description=f"Wasserstein GANs {names} after Perraudin et al. 2019, configuration "
        f"'{configuration}', calibrated on the training fields.",
        parameters=parameters,
        training_compute=training_compute,
    )
    ship(sample, chain.densities(TRACKS[track].count, SAMPLE_SEED))


def _numbers(report: ScoreReport) -> dict[str, Any]:
    numbers: dict[str, Any] = {name: getattr(report, name).d2 for name in STATISTICS}
    return numbers | {"overall": report.overall}


def demo_cubes(side: int) -> Tensor:
    """Return the demo's training fields of a side in network values."""
    fields = demo_fields(f"3d-{side}", "train")
    return torch.stack([to_network(field) for field in fields])
