"""Train a tiny stage in a folder: run as a script, so that a test can kill it.

Usage: python tiny_run.py FOLDER ITERATIONS
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from baseline.data import patches_in_context, to_network
from baseline.small import (
    SmallCriticSizes,
    SmallUpscaleCritic,
    SmallUpscaleGenerator,
    SmallUpscaleSizes,
)
from baseline.stages import STAGES, Optimisation
from baseline.train import Progress, Schedule, train
from tests.fields import clumpy

SIZES = SmallUpscaleSizes(coarse_width=4, coarse_layers=1, width=4, layers=2, noise=1, patch=8)
TINY = replace(
    STAGES["small", "m2"],
    side=16,
    sizes=SIZES,
    generator=partial(SmallUpscaleGenerator, SIZES),
    critic=partial(SmallUpscaleCritic, SIZES, SmallCriticSizes((0.0, 6.0), channels=3, width=4)),
    examples=partial(patches_in_context, patch=8, factor=2, context=SIZES.context),
    optimisation=Optimisation(
        "adam", 1e-3, 1e-3, critic_steps=2, batch=2, averaging=0.9, warm_up=4
    ),
)
SCHEDULE = Schedule(iterations=0, save=5, log=2, score=8, fields=4)


def cubes(seed: int = 0) -> torch.Tensor:
    return torch.stack([to_network(clumpy(16, 3, (seed, i))) for i in range(4)])


def run(folder: Path, iterations: int) -> bool:
    def report(progress: Progress) -> None:
        print(progress.iteration, flush=True)

    return train(TINY, cubes(), folder, replace(SCHEDULE, iterations=iterations), report=report)


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(0 if run(Path(sys.argv[1]), int(sys.argv[2])) else 3)
