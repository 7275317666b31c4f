"""How much is gained by aiming at the held-out set, and what takes the gain away.

Two attackers, on statistics of the demo's fields (track 3d-32):

- *Random search* submits, keeps what the board says is better, changes a few fields and submits
  again. It learns only from what the board publishes.
- *Best 30 of 1000* has drawn a thousand fields of one model and submits those 30 of them that fit
  best, by swapping fields for others, either by the training set, which is public, or by the
  board's own answers.

What is won on the public set and what is left on a private one that never answered are compared
with an honest set of 30 fields. Both sets are halves of fresh real fields that nobody trains on.

    make bench-gaming
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from api.published import decimals
from baseline.classical import rank_matched_gaussian
from cubes.demo import demo_fields
from cubes.tracks import TRACKS
from scoring import STATISTICS, Floor, SetStatistics, compare, set_statistics
from scoring.floor import floor_from_halves
from scoring.frechet import frechet_distance, log_statistics

TRACK = TRACKS["3d-32"]
POOL = 1000
DAILY_LIMIT = 10

Chosen = npt.NDArray[np.intp]
Answer = Callable[[Chosen], float]


@dataclass(frozen=True)
class Judge:
    """A set of real fields, and the pool that is judged by it."""

    real: SetStatistics
    pool: SetStatistics
    floor: Floor

    def exact(self, chosen: Chosen) -> float:
        """Return overall as it is."""
        attained = 1.0
        for name in STATISTICS:
            rows = getattr(self.pool, name)[chosen]
            d2 = frechet_distance(*log_statistics(getattr(self.real, name), rows)).d2
            attained *= min(1.0, getattr(self.floor, name).mean / d2)
        return float(attained ** (1 / len(STATISTICS)))

    def rounded(self, chosen: Chosen) -> float:
        """Return overall as it is published."""
        report = compare(self.real, _subset(self.pool, chosen), floor=self.floor)
        assert report.overall is not None
        return round(report.overall, decimals(report.overall, report.overall_ci95))


def random_search(answer: Answer, submissions: int, rng: np.random.Generator) -> Chosen:
    """Return the best set found by changing three fields of 30 at a time."""
    best = rng.permutation(POOL)[: TRACK.count]
    known = answer(best)
    for _ in range(submissions - 1):
        tried = best.copy()
        free = np.setdiff1d(np.arange(POOL), best)
        tried[rng.permutation(TRACK.count)[:3]] = rng.permutation(free)[:3]
        told = answer(tried)
        if told > known:
            best, known = tried, told
    return best


def _subset(pool: SetStatistics, chosen: Chosen) -> SetStatistics:
    return SetStatistics(pool.psd[chosen], pool.mass[chosen], pool.peak[chosen], pool.shape)


def main() -> None:
    """Simulate both attackers and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=5, help="attackers of each kind")
    parser.add_argument("--steps", type=int, default=2000, help="swaps of the best 30 of 1000")
    parser.add_argument("--rounded-steps", type=int, default=300)
    arguments = parser.parse_args()
    train = np.stack(list(demo_fields(TRACK.name, "train")))
    held_out = set_statistics(demo_fields(TRACK.name, "held-out"))
    training = set_statistics(iter(train))
    print("Drawing the pool of 1000 fields: rank-matched Gaussian.", flush=True)
    pool = set_statistics(rank_matched_gaussian(train, POOL, seed=1))
    half = TRACK.count // 2
    rows: dict[str, list[tuple[float, float]]] = {}
    for repeat in range(arguments.repeats):
        rng = np.random.default_rng(repeat)
        order = rng.permutation(TRACK.count)
        public, private = (
            Judge(part, pool, floor_from_halves(part))
            for part in (_subset(held_out, order[:half]), _subset(held_out, order[half:]))
        )
        by_training = Judge(training, pool, floor_from_halves(training))
        honest = rng.permutation(POOL)[: TRACK.count]
        attacks: dict[str, Chosen] = {
            "honest: 30 at random": honest,
            "best 30 of 1000 by the training set": random_search(
                by_training.exact, arguments.steps, rng
            ),
            f"search, exact scores, {arguments.steps} submissions": random_search(
                public.exact, arguments.steps, rng
            ),
            f"search, exact scores, {arguments.rounded_steps} submissions": random_search(
                public.exact, arguments.rounded_steps, rng
            ),
            f"search, rounded scores, {arguments.rounded_steps} submissions": random_search(
                public.rounded, arguments.rounded_steps, rng
            ),
            f"search, exact scores, {DAILY_LIMIT} submissions (a day)": random_search(
                public.exact, DAILY_LIMIT, rng
            ),
            f"search, rounded scores, {DAILY_LIMIT} submissions (a day)": random_search(
                public.rounded, DAILY_LIMIT, rng
            ),
        }
        for name, chosen in attacks.items():
            rows.setdefault(name, []).append((public.exact(chosen), private.exact(chosen)))
        print(f"{repeat + 1} of {arguments.repeats} done", flush=True)
    print(f"\n{'attack':52} {'public':>7} {'private':>8}  overall, %, mean ± its error")
    for name, results in rows.items():
        means = 100 * np.mean(results, axis=0)
        errors = 100 * np.std(results, axis=0, ddof=1) / np.sqrt(len(results))
        print(f"{name:52} {means[0]:5.1f} ± {errors[0]:3.1f}  {means[1]:5.1f} ± {errors[1]:3.1f}")


if __name__ == "__main__":
    main()
