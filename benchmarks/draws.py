"""How much a score depends on the draw: the same model, sampled again by other seeds.

Run as `python -m benchmarks.draws --track 3d-64 --seeds 8`: it prints, as Markdown, mean and
standard deviation over the seeds of each d² and of overall against the demo's held-out fields.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from baseline.chain import CHAINS, read_chain
from baseline.classical import CLASSICAL_MODELS
from baseline.shipped import rounded
from cubes.demo import DEMO_TRACKS, demo_fields
from cubes.tracks import TRACKS
from scoring import STATISTICS, Floor, SetStatistics, compare, floor_from_pool, set_statistics

Draw = Callable[[int], Iterable[npt.NDArray[Any]]]

GAN = "gan-small"
MODELS = (*(model.name for model in CLASSICAL_MODELS), GAN)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table of a track."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--track", choices=DEMO_TRACKS, default="3d-64")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    options = parser.parse_args(argv)
    held_out = set_statistics(demo_fields(options.track, "held-out"))
    floor = floor_from_pool(set_statistics(demo_fields(options.track, "train")), held_out)
    draws = models(options.track)
    print("| model | d² PSD | d² mass | d² peak | overall |\n|---|---|---|---|---|", flush=True)
    for name in options.models:
        scores = [scored(draws[name](seed), held_out, floor) for seed in range(options.seeds)]
        print(f"| {name} | {' | '.join(map(mean_and_deviation, zip(*scores, strict=True)))} |")


def models(track: str) -> dict[str, Draw]:
    """Return what draws the archive of a seed, by the model's name."""
    count = TRACKS[track].count
    train = np.stack(list(demo_fields(track, "train")))
    chain = read_chain(CHAINS[track], "small")
    draws: dict[str, Draw] = {
        model.name: partial(model.draw, train, count) for model in CLASSICAL_MODELS
    }
    return draws | {GAN: partial(chain.densities, count)}


def scored(
    fields: Iterable[npt.NDArray[Any]], held_out: SetStatistics, floor: Floor
) -> tuple[float, ...]:
    """Return the three d² and overall of fields, rounded as in the archives that ship."""
    report = compare(held_out, set_statistics(map(rounded, fields)), floor=floor)
    return (*(getattr(report, name).d2 for name in STATISTICS), report.overall)


def mean_and_deviation(values: Sequence[float]) -> str:
    """Write mean and standard deviation to three digits of the mean."""
    return f"{np.mean(values):.3g} ± {np.std(values, ddof=1):.2g}"


if __name__ == "__main__":
    main()
