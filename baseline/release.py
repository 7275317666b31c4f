"""From a training run to what ships: calibrated weights, their scores, and a sample archive."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baseline.calibration import Calibration
from baseline.chain import CHAINS, Chain, read_chain
from baseline.data import to_network
from baseline.shipped import SAMPLES, Sample, rounded, ship
from baseline.weights import WEIGHTS, read_weights, write_weights
from cubes.demo import demo_fields
from cubes.tracks import TRACKS
from scoring import STATISTICS, compare, floor_from_pool, set_statistics

CALIBRATION_SEED = 1
"""Sampling seed of the fields that calibrations are fitted to."""

SAMPLE_SEED = 0
"""Sampling seed of the shipped archives."""


def calibrated(run: Path, before: Chain | None, cubes: Tensor, count: int) -> Chain:
    """Add the best weights of a run to the stages before it, calibrated on their fields.

    During training an up-scaling stage is calibrated on fields grown from real coarse ones. What
    ships starts from noise, so its calibration is fitted anew, to fields drawn so.

    Args:
        run: Folder of the training run.
        before: The shipped stages that lead to this one, None for a first scale.
        cubes: Training cubes in network values.
        count: Fields to fit to.
    """
    weights = read_weights(run / "best.safetensors")
    earlier = before.stages if before else ()
    uncalibrated = Chain((*earlier, replace(weights, calibration=None)))
    stage = weights.stage
    if stage.passes is None:
        return uncalibrated
    calibration = Calibration(stage.side)
    drawn = uncalibrated.values(range(count), CALIBRATION_SEED)
    calibration.fit(drawn, cubes, stage.passes)
    return Chain((*earlier, replace(weights, calibration=calibration)))


def release(
    track: str, configuration: str, run: Path, count: int, training_compute: str
) -> dict[str, dict[str, float]]:
    """Calibrate a run's best weights, score them, and write weights and sample archive.

    Args:
        track: A track of the demo, whose last stage the run has trained.
        configuration: `small` or `paper`.
        run: Folder of the run.
        count: Fields that the calibration is fitted to.
        training_compute: What training took, for the manifest.

    Returns:
        The shipped archive's d² and overall, against `train` and `held-out` fields of the demo.
    """
    earlier = CHAINS[track][:-1]
    before = read_chain(earlier, configuration) if earlier else None
    chain = calibrated(run, before, demo_cubes(TRACKS[track].side), count)
    fields = [rounded(field) for field in chain.densities(TRACKS[track].count, SAMPLE_SEED)]
    train = set_statistics(demo_fields(track, "train"))
    held_out = set_statistics(demo_fields(track, "held-out"))
    drawn, floor = set_statistics(fields), floor_from_pool(train, held_out)
    scores = {
        part: {name: getattr(report, name).d2 for name in STATISTICS} | {"overall": report.overall}
        for part, report in (
            ("train", compare(train, drawn, floor=floor)),
            ("held-out", compare(held_out, drawn, floor=floor)),
        )
    }
    last = chain.stages[-1]
    about: dict[str, Any] = {"scores_of_the_archive": scores, "training_compute": training_compute}
    last = replace(last, description=last.description | about)
    write_weights(WEIGHTS / f"{configuration}-{last.stage.name}.safetensors", last)
    ship(_sample(track, configuration, chain, training_compute), fields, SAMPLES)
    return scores


def demo_cubes(side: int) -> Tensor:
    """Return the demo's training fields of a side in network values."""
    fields = demo_fields(f"3d-{side}", "train")
    return torch.stack([to_network(field) for field in fields])


def _sample(track: str, configuration: str, chain: Chain, training_compute: str) -> Sample:
    names = " and ".join(weights.stage.name.upper() for weights in chain.stages)
    return Sample(
        file=f"gan-{configuration}-{track}.npz",
        track=track,
        method=f"Multi-scale GAN ({configuration})",
        description=f"Wasserstein GAN {names} after Perraudin et al. 2019 in the {configuration} "
        "configuration, calibrated on the training fields.",
        parameters=sum(
            parameter.numel()
            for weights in chain.stages
            for parameter in weights.generator.parameters()
        ),
        training_compute=training_compute,
    )
