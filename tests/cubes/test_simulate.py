"""Small simulations are what theory says, repeat, and survive an interruption."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpy.typing as npt
import pytest

import cubes.simulate
from cubes.archive import write_archive
from cubes.simulate import SimulatedCubes, secret_seeds, simulate_cube, simulate_cubes
from cubes.track_fields import track_fields
from cubes.tracks import TRACKS

SIDE = 32

# JAX compiles for a quarter of a minute in each process that simulates.
pytestmark = pytest.mark.xdist_group("simulate")


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder where JAX keeps what it compiles, for other processes of these tests."""
    folder = tmp_path_factory.mktemp("jax")
    names = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
    }
    before = {name: getattr(jax.config, name) for name in names}
    for name, value in names.items():
        jax.config.update(name, value)
    yield folder
    for name, value in before.items():
        jax.config.update(name, value)


@cache
def small_cube(seed: int) -> npt.NDArray[np.uint32]:
    return simulate_cube(seed, side=SIDE)


def test_mass_is_conserved_and_structure_has_formed() -> None:
    cube = small_cube(1)
    assert cube.shape == (SIDE,) * 3
    assert cube.dtype == np.uint32
    assert cube.sum() == 64 * SIDE**3
    assert cube.max() > 10 * 64
    assert np.median(cube) < 64


def test_the_seed_decides_the_cube() -> None:
    np.testing.assert_array_equal(simulate_cube(1, side=SIDE), small_cube(1))
    assert (small_cube(1) != small_cube(2)).mean() > 0.9


def linear_power(k: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Power spectrum today, (Mpc/h)³, without wiggles: Eisenstein & Hu 1998, equations 26 and
    28 to 31, normalised to σ8 = 0.811.
    """
    h, matter, baryon = 0.7, 0.276 * 0.7**2, 0.045 * 0.7**2
    theta, fraction = 2.7255 / 2.7, baryon / matter
    sound = 44.5 * np.log(9.83 / matter) / np.sqrt(1 + 10 * baryon**0.75)
    alpha = 1 - 0.328 * np.log(431 * matter) * fraction + 0.38 * np.log(22.3 * matter) * fraction**2

    def shape(k: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        gamma = 0.276 * h * (alpha + (1 - alpha) / (1 + (0.43 * k * h * sound) ** 4))
        q = k * theta**2 / gamma
        log = np.log(2 * np.e + 1.8 * q)
        return k**0.961 * (log / (log + (14.2 + 731 / (1 + 62.5 * q)) * q**2)) ** 2

    every = np.geomspace(1e-4, 100, 20_000)
    x = 8 * every
    window = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    variance = np.trapezoid(every**3 * shape(every) * window**2 / (2 * np.pi**2), np.log(every))
    return 0.811**2 / variance * shape(k)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_largest_scales_grow_as_linear_theory_says(seed: int) -> None:
    """The fundamental modes are nearly linear today: √(P(k)/V) times their white noise.

    Lattice points displace what lies between them and the next, so that the counts are shifted by
    half a voxel: a phase of π / side.
    """
    with jax.enable_x64(True):
        key = jax.random.PRNGKey(seed)
        noise = np.asarray(jax.random.normal(key, (SIDE,) * 3, np.float32))
    white = np.fft.fftn(noise) / np.sqrt(noise.size)
    counts = small_cube(seed) / 64 - 1
    modes = np.fft.fftn(counts) / counts.size
    scale = np.sqrt(linear_power(np.array(2 * np.pi / 350)) / 350**3)
    for fundamental in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        growth = modes[fundamental] / (scale * white[fundamental])
        assert abs(growth) == pytest.approx(1, abs=0.06)
        assert np.angle(growth) == pytest.approx(np.pi / SIDE, abs=0.05)


def test_progress_runs_from_nothing_to_all() -> None:
    seen: list[float] = []
    simulate_cube(1, side=SIDE, progress=seen.append)
    assert seen[0] == 0
    assert seen[-1] == 1
    assert seen == sorted(seen)
    assert len(seen) >= 12


def test_ctrl_c_at_a_random_moment_changes_no_byte(compiled: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        write_archive(tmp_path / f"{seed}.npz", [small_cube(seed)])
    program = "from cli.main import main; main()"
    options = ("--seeds", "1-2", "--side", str(SIDE), "--out", str(tmp_path / "made"))
    command = [sys.executable, "-c", program, "data", "simulate", *options]
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

    first = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while first.poll() is None and not (tmp_path / "made" / "1.npz").exists():
        time.sleep(0.01)
    moment = random.uniform(0, 1)
    time.sleep(moment)
    first.send_signal(signal.SIGINT)
    # By the signal itself where all was done and Python was on its way out.
    assert first.wait(120) in (0, 130, -signal.SIGINT), moment
    assert {path.suffix for path in (tmp_path / "made").iterdir()} == {".npz"}
    subprocess.run(command, env=environment, check=True, capture_output=True)

    for name in ("1.npz", "2.npz"):
        assert (tmp_path / "made" / name).read_bytes() == (tmp_path / name).read_bytes()


class TestRuns:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Cubes of full size without the simulation: each holds its seed in one voxel."""

        def cube(seed: int, progress: Callable[[float], None] | None = None, **_: Any) -> Any:
            if progress is not None:
                progress(0.5)
            field = np.ones((256, 256, 256), np.uint32)
            field[0, 0, 0] = seed
            return field

        monkeypatch.setattr(cubes.simulate, "simulate_cube", cube)

    def test_one_file_a_seed_read_back_in_order(self, tmp_path: Path) -> None:
        made = simulate_cubes([7, 3], tmp_path / "new")
        assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["3.npz", "7.npz"]
        assert made.names == ("7.npz", "3.npz")
        assert [cube[0, 0, 0] for cube in made] == [7, 3]
        assert len(list(track_fields(made, TRACKS["2d-256"]))) == 256

    def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(self, tmp_path: Path) -> None:
        def interrupt(done: int, fraction: float) -> None:
            if done == 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            simulate_cubes([1, 2], tmp_path / "twice", progress=interrupt)
        assert [path.name for path in (tmp_path / "twice").iterdir()] == ["1.npz"]
        first = (tmp_path / "twice" / "1.npz").stat()
        simulate_cubes([1, 2], tmp_path / "twice")
        assert (tmp_path / "twice" / "1.npz").stat().st_mtime_ns == first.st_mtime_ns
        simulate_cubes([1, 2], tmp_path / "once")
        for name in ("1.npz", "2.npz"):
            assert (tmp_path / "once" / name).read_bytes() == (
                tmp_path / "twice" / name
            ).read_bytes()

    def test_progress_counts_cubes(self, tmp_path: Path) -> None:
        seen: list[tuple[int, float]] = []
        simulate_cubes([1, 2], tmp_path, progress=lambda *state: seen.append(state))
        assert seen == [(0, 0.5), (1, 0.5), (2, 0.0)]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "5.npz", [np.ones((64, 64, 64))])
    with pytest.raises(ValueError, match="shape"):
        list(SimulatedCubes(tmp_path, [5]))


def test_secret_seeds_follow_from_the_secret_alone() -> None:
    seeds = secret_seeds("s3cret", "held-out", 30)
    assert seeds == secret_seeds("s3cret", "held-out", 30)
    assert seeds[:10] == secret_seeds("s3cret", "held-out", 10)
    others = secret_seeds("s3cret", "train", 30) + secret_seeds("other", "held-out", 30)
    assert len({*seeds, *others}) == 90
    assert all(0 <= seed < 2**56 for seed in seeds)
    assert max(seeds) > 2**50
