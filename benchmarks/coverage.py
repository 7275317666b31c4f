"""How often the 95 % intervals hold the truth, by simulation; the percentile bootstrap beside.

Two sets of 30 are drawn over and over from known laws: equal ones, a shift, and a collapse of the
scatter from one field to another. The oracle knows the law: its interval is as wide as the middle
95 % of the bias-corrected d2 over all draws. (It does not know that d2 is not negative; ours does.)
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring import STATISTICS, SetStatistics, compare_submissions, set_statistics
from scoring.frechet import frechet_distance, log_statistics
from scoring.inference import LeaveOut, d2_interval, overall_interval
from scoring.uncertainty import leave_out

Array = npt.NDArray[Any]

COUNT = 30
BINS = 20
SCATTER = 0.1
RESAMPLES = 200

Draw = Callable[[int, np.random.Generator], SetStatistics]


@dataclass(frozen=True)
class Law:
    """Where real and fake statistics come from, and the true d2 between the two."""

    name: str
    real: Draw
    fake: Draw
    truth: tuple[float, ...]


def main() -> int:
    """Print the table as Markdown; return 1 if an interval of the jackknife fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--pool", type=int, default=1500, help="lognormal fields of each law")
    options = parser.parse_args()
    print(f"{options.trials} draws of {COUNT} and {COUNT}:\n")
    print("| law | statistic | true d² | covered | width / oracle | percentile bootstrap covers |")
    print("|---|---|---|---|---|---|")
    failed = [_simulate(laws, options.trials) for laws in (_gaussian(), _lognormal(options.pool))]
    return int(any(failed))


def _simulate(laws: list[Law], trials: int) -> bool:
    """Print the rows of some laws, of which the first has equal real and fake fields."""
    floors: Array | None = None
    failed = False
    for law in laws:
        rng = np.random.default_rng(1)
        draws = [(law.real(COUNT, rng), law.fake(COUNT, rng)) for _ in range(trials)]
        left_out = [_certainly(leave_out(real, fake)) for real, fake in draws]
        d2 = np.array([one.full for one in left_out])
        bootstrap = np.array([_bootstrap(real, fake, rng) for real, fake in draws])
        for index, name in enumerate(STATISTICS):
            found = [d2_interval(one, index) for one in left_out]
            low, high = np.array([interval for _, interval in found]).T
            oracle = np.ptp(np.quantile([corrected for corrected, _ in found], [0.025, 0.975]))
            truth = law.truth[index]
            covered, width = _share(low, truth, high), (high - low).mean() / oracle
            percentile = _share(bootstrap[:, index, 0], truth, bootstrap[:, index, 1])
            print(f"| {law.name} | {name} | {truth:.3f} | {covered:.2f} | {width:.2f} |", end="")
            print(f" {percentile:.2f} |")
            failed |= covered < 0.9 or width > 2
        floors = d2.mean(axis=0) if floors is None else floors
        failed |= _overall(law, left_out, floors)
        _false_differences(law, [real for real, _ in draws], floors)
    return failed


def _overall(law: Law, left_out: list[LeaveOut], floors: Array) -> bool:
    """Print coverage of overall; its truth is that of the mean d2 of sets of this size."""
    d2 = np.array([one.full for one in left_out])
    truth = float(np.exp(np.minimum(0, np.log(floors / d2.mean(axis=0))).mean()))
    overall = np.exp(np.minimum(0, np.log(floors / d2)).mean(axis=1))
    low, high = np.array([overall_interval(one, list(floors)) for one in left_out]).T
    covered = _share(low, truth, high)
    width = (high - low).mean() / np.ptp(np.quantile(overall, [0.025, 0.975]))
    print(f"| {law.name} | overall | {truth:.2f} | {covered:.2f} | {width:.2f} | |")
    return bool(covered < 0.9 or width > 2)


def _false_differences(law: Law, reals: list[SetStatistics], floors: Array) -> None:
    """Print how often two submissions of one law are told apart at 5 %."""
    rng = np.random.default_rng(2)
    found = []
    for real in reals:
        a = _certainly(leave_out(real, law.fake(COUNT, rng)))
        b = _certainly(leave_out(real, law.fake(COUNT, rng)))
        found.append(compare_submissions(a, b, list(floors)))
    wrong = np.mean([one.log_overall.p < 0.05 for one in found])
    print(f"| {law.name} | two submissions of this law told apart | | {wrong:.3f} | | |")


def _bootstrap(real: SetStatistics, fake: SetStatistics, rng: np.random.Generator) -> Array:
    """Return the percentile interval of each d2, shape (3, 2)."""
    resamples = rng.integers(COUNT, size=(RESAMPLES, 2, COUNT))
    d2 = [_d2(real.take(a), fake.take(b)) for a, b in resamples]
    return np.quantile(d2, [0.025, 0.975], axis=0).T


def _d2(real: SetStatistics, fake: SetStatistics) -> tuple[float, ...]:
    pairs = ((getattr(real, name), getattr(fake, name)) for name in STATISTICS)
    return tuple(frechet_distance(*log_statistics(*pair)).total for pair in pairs)


def _gaussian() -> list[Law]:
    """Gaussian vectors: true d2 is BINS * (shift^2 + (s_real - s_fake)^2)."""

    def draw(shift: float, scatter: float) -> Draw:
        def sample(count: int, rng: np.random.Generator) -> SetStatistics:
            rows = (10 ** (shift + scatter * rng.standard_normal((count, BINS))) for _ in range(3))
            psd, mass, peak = rows
            return SetStatistics(psd, mass, peak)

        return sample

    def law(name: str, shift: float, scatter: float) -> Law:
        truth = BINS * (shift**2 + (SCATTER - scatter) ** 2)
        return Law(f"Gaussian, {name}", draw(0, SCATTER), draw(shift, scatter), (truth,) * 3)

    return [
        law("equal", 0, SCATTER),
        law("shift", SCATTER / 2, SCATTER),
        law("collapse", 0, 0.4 * SCATTER),
    ]


def _lognormal(pool: int) -> list[Law]:
    """Correlated lognormal fields of 32^3 voxels; true d2 is that of two large pools."""
    rng = np.random.default_rng(3)
    real = set_statistics(_fields(pool, rng), threads=2)
    pools = {
        "equal": set_statistics(_fields(pool, rng), threads=2),
        "shift": set_statistics(_fields(pool, rng, amplitude=1.1), threads=2),
        "collapse": set_statistics(_fields(pool, rng, common=0.8), threads=2),
    }

    def draw(fields: SetStatistics) -> Draw:
        return lambda count, rng: fields.take(rng.choice(pool, count, replace=False))

    return [
        Law(
            f"lognormal, {name}",
            draw(real),
            draw(fake),
            (0.0,) * 3 if name == "equal" else _d2(real, fake),
        )
        for name, fake in pools.items()
    ]


def _fields(
    count: int, rng: np.random.Generator, amplitude: float = 1.0, common: float = 0.0
) -> Iterator[Array]:
    """Yield exponentials of Gaussian fields of P(k) ~ k^-1.4 that share part of their phases."""
    shape = (32, 32, 32)
    axes = [np.fft.fftfreq(32), np.fft.fftfreq(32), np.fft.rfftfreq(32)]
    k = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))
    k[0, 0, 0] = np.inf
    shared = np.random.default_rng(4).standard_normal(shape)
    transfer = k**-0.7
    spread = np.fft.irfftn(np.fft.rfftn(shared) * transfer, shape, axes=(0, 1, 2)).std()
    for _ in range(count):
        noise = np.sqrt(common) * shared + np.sqrt(1 - common) * rng.standard_normal(shape)
        gaussian = np.fft.irfftn(np.fft.rfftn(noise) * transfer, shape, axes=(0, 1, 2)) / spread
        yield 30 * np.exp(1.5 * amplitude * gaussian - (1.5 * amplitude) ** 2 / 2)


def _share(low: Array, truth: float, high: Array) -> float:
    return float(np.mean((low <= truth) & (truth <= high)))


def _certainly(left_out: LeaveOut | None) -> LeaveOut:
    assert left_out is not None
    return left_out


if __name__ == "__main__":
    sys.exit(main())
