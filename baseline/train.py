"""Train a stage: resumable, killed at any time, scored against training cubes as it goes."""

import fcntl
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import torch
from torch import Tensor, nn

from baseline.calibration import Calibration
from baseline.data import from_network, squares
from baseline.neighbours import shrunk
from baseline.networks import FlatSizes
from baseline.sampling import Latents, stage_fields
from baseline.stages import Stage
from baseline.training import Training
from baseline.weights import Weights, write_weights
from scoring import STATISTICS, ScoreReport, SetStatistics, compare, set_statistics

SCORING_SEED = 350
"""Seed of the fields that are scored during training: the same at every checkpoint."""


class RunInUseError(Exception):
    """Another process trains in the folder."""


@dataclass(frozen=True)
class Schedule:
    """What happens how often, in iterations.

    Attributes:
        iterations: Iterations in all, counted from the first start.
        save: Between saved states; a kill costs no more than this.
        log: Between lines of the log.
        score: Between scorings of the generator.
        fields: Fields in a scoring.
    """

    iterations: int
    save: int = 100
    log: int = 20
    score: int = 500
    fields: int = 200


@dataclass(frozen=True)
class Progress:
    """What a progress bar shows after an iteration."""

    iteration: int
    losses: dict[str, float]
    scores: dict[str, float] | None


def train(
    stage: Stage,
    cubes: Tensor,
    folder: Path,
    schedule: Schedule,
    *,
    seed: int = 0,
    device: str = "cpu",
    report: Callable[[Progress], None] = lambda progress: None,
) -> bool:
    """Train a stage in a folder, from where an earlier call there was left.

    The folder holds `state.safetensors`, from which training goes on to the same weights as if it
    had never stopped; `best.safetensors`, the weights that scored best; and `log.jsonl`.

    Args:
        stage: What to train.
        cubes: Training cubes of network values, shape (n, side, side, side).
        folder: Where the run is.
        schedule: What happens how often.
        seed: Seed of weights, batches and latents.
        device: Where to compute.
        report: Called after every iteration.

    Returns:
        Whether all iterations are done; False after SIGINT or SIGTERM, with the state saved.

    Raises:
        TensorFileError: The folder holds a run of another stage, data or seed.
        RunInUseError: Another process trains there.
    """
    training = Training(stage, cubes, seed, torch.device(device))
    state, log = folder / "state.safetensors", folder / "log.jsonl"
    real = real_statistics(stage, cubes)
    folder.mkdir(parents=True, exist_ok=True)
    with _sole_run(folder):
        if state.exists():
            training.load(state)
        _forget_after(log, training.iteration)
        with _stop_requested() as stop, open(log, "a", encoding="utf-8") as lines:
            _train(training, real, folder, schedule, lines, stop, report)
        training.save(state)
    return training.iteration >= schedule.iterations


def _train(
    training: Training,
    real: SetStatistics,
    folder: Path,
    schedule: Schedule,
    lines: TextIO,
    stop: threading.Event,
    report: Callable[[Progress], None],
) -> None:
    best = _best_so_far(folder / "log.jsonl")
    scores: dict[str, float] | None = None
    while training.iteration < schedule.iterations and not stop.is_set():
        losses = training.step()
        now = training.iteration
        last = now == schedule.iterations
        if now % schedule.score == 0 or last:
            calibration, scored = score(
                training.stage, training.average, training.cubes, real, schedule.fields
            )
            scores = _numbers(scored)
            if best is None or scores["distance_over_floor"] < best:
                best = scores["distance_over_floor"]
                write_weights(folder / "best.safetensors", _weights(training, calibration, scores))
            _write_line(lines, {"iteration": now, **losses, "scores": scores})
        elif now % schedule.log == 0:
            _write_line(lines, {"iteration": now, **losses})
        if now % schedule.save == 0:
            training.save(folder / "state.safetensors")
        report(Progress(now, losses, scores))


def real_statistics(stage: Stage, cubes: Tensor) -> SetStatistics:
    """Return the statistics of the training fields that a stage is scored against."""
    if isinstance(stage.sizes, FlatSizes):
        rng = torch.Generator().manual_seed(SCORING_SEED)
        crops = squares(cubes, 512, rng, side=stage.sizes.side).real
        return set_statistics(from_network(crops[:, 0]))
    return set_statistics(from_network(cube) for cube in cubes)


def score(
    stage: Stage, generator: nn.Module, cubes: Tensor, real: SetStatistics, count: int
) -> tuple[Calibration | None, ScoreReport]:
    """Score fields of a stage against training fields, calibrated if it is a calibrated stage.

    An up-scaling stage starts from training cubes, shrunk.

    Returns:
        The calibration, None without one, and the scores.
    """
    latents = Latents(SCORING_SEED, stage.name)
    factor = getattr(stage.sizes, "factor", None)
    drawn = []
    for field in range(count):
        coarse = shrunk(cubes[None, field % len(cubes), None], factor) if factor else None
        drawn.append(stage_fields(generator, coarse, latents, [field], side=stage.side))
    values = torch.cat(drawn)
    calibration = None
    if stage.passes is not None:
        calibration = Calibration(stage.side)
        calibration.fit(values, cubes, stage.passes)
        values = calibration(values)
    return calibration, compare(real, set_statistics(from_network(values)[:, 0]))


def _numbers(report: ScoreReport) -> dict[str, float]:
    """Return what the log keeps of a report, and what checkpoints are chosen by.

    The sum of distances over their floors weighs the three statistics by what is attainable in
    each, and gains little from a distance far below its floor.
    """
    scores = {name: getattr(report, name) for name in STATISTICS}
    numbers = {name: score.d2 for name, score in scores.items()}
    numbers["distance_over_floor"] = sum(
        score.d2 / (score.floor or score.d2) for score in scores.values()
    )
    return numbers


def _weights(
    training: Training, calibration: Calibration | None, scores: dict[str, float]
) -> Weights:
    description = {
        "iteration": training.iteration,
        "data": training.data,
        "seed": training.seed,
        "optimisation": asdict(training.stage.optimisation),
        "scores_on_training_cubes": scores,
    }
    return Weights(training.stage, training.average, calibration, description)


def _write_line(lines: TextIO, entry: dict[str, Any]) -> None:
    lines.write(json.dumps(entry) + "\n")
    lines.flush()


def _forget_after(log: Path, iteration: int) -> None:
    """Drop what was logged after the state that training goes on from, and a half-written line."""
    if log.exists():
        kept = [line for line in _entries(log) if line["iteration"] <= iteration]
        log.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


def _best_so_far(log: Path) -> float | None:
    if not log.exists():
        return None
    scored = [line["scores"]["distance_over_floor"] for line in _entries(log) if "scores" in line]
    return min(scored, default=None)


def _entries(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return


@contextmanager
def _sole_run(folder: Path) -> Iterator[None]:
    """Keep other processes from training in the folder: two would overwrite each other's state."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunInUseError(
                f"Another process trains in {folder}: stop it first, or use another folder."
            ) from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _stop_requested() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into an event, so that an iteration is finished and saved."""
    stop = threading.Event()

    def request(signum: int, frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
