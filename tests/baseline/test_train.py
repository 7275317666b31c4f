"""Training: interrupted in any way, it goes on to the very same weights."""

import json
import math
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from baseline.networks import (
    FlatCritic,
    FlatGenerator,
    FlatSizes,
    M1Critic,
    M1Generator,
    M1Sizes,
    M2Critic,
    M2Generator,
    M2Sizes,
    M3Critic,
    M3Generator,
    M3Sizes,
    UniscaleCritic,
    UniscaleGenerator,
    UniscaleSizes,
)
from baseline.stages import STAGES
from baseline.tensors import TensorFileError, read_tensors
from baseline.train import RunInUseError, Schedule, train
from baseline.training import Training
from baseline.weights import read_weights, write_weights
from tests.baseline.tiny_run import SCHEDULE, TINY, cubes, run

ITERATIONS = 24


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    torch.set_num_threads(1)
    assert run(folder, ITERATIONS)
    return folder


def start(folder):
    script = Path(__file__).with_name("tiny_run.py")
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(ITERATIONS)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    )


def stop_at(process, iteration, number):
    for line in process.stdout:
        if int(line) == iteration:
            process.send_signal(number)
            break
    process.stdout.read()
    process.stdout.close()
    return process.wait(timeout=60)


def assert_same_run(folder, other):
    for name in ("state.safetensors", "best.safetensors"):
        assert (folder / name).read_bytes() == (other / name).read_bytes()
    assert (folder / "log.jsonl").read_text() == (other / "log.jsonl").read_text()


def test_killed_and_resumed_ends_with_the_bytes_of_an_uninterrupted_run(tmp_path, uninterrupted):
    # Killed beyond the last saved state (10) and between scorings, with unsaved lines in the log.
    assert stop_at(start(tmp_path), 13, signal.SIGKILL) == -signal.SIGKILL
    assert read_tensors(tmp_path / "state.safetensors")[1]["iteration"] == 10
    assert stop_at(start(tmp_path), ITERATIONS, signal.SIGCONT) == 0
    assert_same_run(tmp_path, uninterrupted)


def test_asked_to_stop_it_saves_where_it_is_and_goes_on_from_there(tmp_path, uninterrupted):
    assert stop_at(start(tmp_path), 12, signal.SIGTERM) == 3
    stopped = read_tensors(tmp_path / "state.safetensors")[1]["iteration"]
    assert 12 <= stopped <= 14
    assert run(tmp_path, ITERATIONS)
    assert_same_run(tmp_path, uninterrupted)


def test_a_second_process_in_the_folder_is_refused_and_the_first_goes_on(tmp_path, uninterrupted):
    first = start(tmp_path)
    assert first.stdout.readline() == "1\n"
    first.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(RunInUseError, match=f"Another process trains in {tmp_path}: stop it"):
            run(tmp_path, ITERATIONS)
    finally:
        first.send_signal(signal.SIGCONT)
    assert stop_at(first, ITERATIONS, signal.SIGCONT) == 0
    assert_same_run(tmp_path, uninterrupted)


def test_more_iterations_continue_a_finished_run(tmp_path, uninterrupted):
    assert run(tmp_path, ITERATIONS - 8)
    assert run(tmp_path, ITERATIONS)
    assert_same_run(tmp_path, uninterrupted)
    assert run(tmp_path, ITERATIONS)  # nothing left to do


def test_log_holds_losses_and_scores_in_order(uninterrupted):
    lines = [json.loads(line) for line in (uninterrupted / "log.jsonl").read_text().splitlines()]
    iterations = [line["iteration"] for line in lines]
    assert iterations == sorted(set(iterations))
    scored = [line for line in lines if "scores" in line]
    assert [line["iteration"] for line in scored] == [8, 16, 24]
    assert set(scored[0]["scores"]) == {"psd", "mass", "peak", "distance_over_floor"}
    assert "energy" in lines[0]  # still warming up
    assert {"distance", "penalty", "generator"} <= set(lines[-1])


def test_best_weights_are_those_of_the_best_score(uninterrupted, monkeypatch):
    monkeypatch.setattr("baseline.weights.STAGES", {("small", "m2"): TINY})
    lines = [json.loads(line) for line in (uninterrupted / "log.jsonl").read_text().splitlines()]
    scored = [line for line in lines if "scores" in line]
    best = min(scored, key=lambda line: line["scores"]["distance_over_floor"])
    weights = read_weights(uninterrupted / "best.safetensors")
    assert weights.description["iteration"] == best["iteration"]
    assert weights.description["scores_on_training_cubes"] == best["scores"]
    assert weights.calibration is not None


def test_weights_survive_writing_and_reading(uninterrupted, tmp_path, monkeypatch):
    monkeypatch.setattr("baseline.weights.STAGES", {("small", "m2"): TINY})
    weights = read_weights(uninterrupted / "best.safetensors")
    write_weights(tmp_path / "again.safetensors", weights)
    again = (tmp_path / "again.safetensors").read_bytes()
    assert again == (uninterrupted / "best.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"cubes": cubes(seed=1)}, "data"),
        (
            {"stage": replace(TINY, optimisation=replace(TINY.optimisation, batch=1))},
            "optimisation",
        ),
    ],
)
def test_a_folder_of_another_run_is_refused(uninterrupted, change, named):
    arguments = {"stage": TINY, "cubes": cubes(), "folder": uninterrupted} | change
    with pytest.raises(TensorFileError, match=named):
        train(schedule=replace(SCHEDULE, iterations=30), **arguments)


def test_damaged_files_get_a_sentence(tmp_path):
    with pytest.raises(TensorFileError, match="There is no"):
        read_weights(tmp_path / "none.safetensors")
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"not tensors at all")
    with pytest.raises(TensorFileError, match="no file of this project"):
        read_weights(path)


def test_weights_of_an_unknown_stage_are_refused(uninterrupted):
    # Of the sizes of the tiny stage, which are not those of the small m2 that it names.
    with pytest.raises(TensorFileError, match="train the stage again"):
        read_weights(uninterrupted / "best.safetensors")


def test_running_mean_follows_the_weights_and_buffers_are_copied():
    training = Training(TINY, cubes(), 0, torch.device("cpu"))
    before = [p.clone() for p in training.generator.parameters()]
    training.step()
    decay = min(0.9, 1 / 11)
    pairs = zip(training.average.parameters(), before, training.generator.parameters(), strict=True)
    for mean, start, now in pairs:
        torch.testing.assert_close(mean, decay * start + (1 - decay) * now)


@pytest.mark.parametrize("name", ["m3", "m2", "m1"])
def test_small_stages_resume_from_their_saved_state(name, tmp_path):
    # What is saved must be all of the state: a fresh object that loads it must save the same.
    stage = STAGES["small", name]
    real = torch.rand(2, *[stage.side if stage.side < 256 else 64] * 3)
    first = Training(stage, real, 0, torch.device("cpu"))
    first.step()
    first.save(tmp_path / "first.safetensors")
    second = Training(stage, real, 0, torch.device("cpu"))
    second.load(tmp_path / "first.safetensors")
    second.save(tmp_path / "second.safetensors")
    saved = (tmp_path / "first.safetensors").read_bytes()
    assert saved == (tmp_path / "second.safetensors").read_bytes()


NARROW = {
    "m3": (M3Sizes(width=2), M3Generator, M3Critic, 32),
    "m2": (M2Sizes(width=16, dense=8), M2Generator, M2Critic, 64),
    "m1": (M1Sizes(width=2), M1Generator, M1Critic, 64),
    "uniscale": (UniscaleSizes(width=4), UniscaleGenerator, UniscaleCritic, 64),
    "2d-32": (FlatSizes(width=2), FlatGenerator, FlatCritic, 32),
}


@pytest.mark.parametrize("name", NARROW)
def test_narrow_paper_stages_train_and_resume(name, tmp_path):
    sizes, generator, critic, side = NARROW[name]
    paper = STAGES["paper", name]
    narrow = replace(
        paper,
        sizes=sizes,
        generator=partial(generator, sizes),
        critic=partial(critic, sizes),
        optimisation=replace(paper.optimisation, batch=1, critic_steps=1),
    )
    real = torch.rand(2, side, side, side)
    first = Training(narrow, real, 0, torch.device("cpu"))
    before = [p.clone() for p in (*first.generator.parameters(), *first.critic.parameters())]
    losses = first.step()
    after = [*first.generator.parameters(), *first.critic.parameters()]
    assert all(math.isfinite(loss) for loss in losses.values())
    # Only the critic's last bias may stay: it cancels between real and fake.
    assert all(not torch.equal(b, a) for b, a in zip(before[:-1], after[:-1], strict=True))
    first.save(tmp_path / "first.safetensors")
    second = Training(narrow, real, 0, torch.device("cpu"))
    second.load(tmp_path / "first.safetensors")
    second.save(tmp_path / "second.safetensors")
    saved = (tmp_path / "first.safetensors").read_bytes()
    assert saved == (tmp_path / "second.safetensors").read_bytes()


def test_schedule_scores_at_the_end_too(tmp_path):
    train(TINY, cubes(), tmp_path, Schedule(iterations=3, score=100, fields=4))
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last["iteration"] == 3
    assert "scores" in last
