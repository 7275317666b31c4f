"""Real cubes from the command line: simulated seeds, and the published zip."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import cli.extras
from cli.data import Seeds
from cli.main import main
from cubes.archive import write_archive
from cubes.content_hash import content_hash
from tests.sites import Site, status


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", [7]), ("7,3", [7, 3]), ("10-12, 1", [10, 11, 12, 1]), ("0-0", [0])],
)
def test_seeds_are_numbers_and_ranges(text: str, seeds: list[int]) -> None:
    assert Seeds().convert(text, None, None) == seeds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no seed"),
        ("a", "is no seed"),
        ("-1", "is no seed"),
        ("1.5", "is no seed"),
        ("5-1", "is no range"),
        ("0-99999999", "is no range"),
        ("99999999999999999999", "is no range"),
        ("1-3,2", "twice"),
    ],
)
def test_other_seeds_are_refused(text: str, problem: str) -> None:
    refused = run("data", "simulate", "--seeds", text, "--out", "nowhere")
    assert refused.exit_code == 2
    assert problem in refused.stderr


def test_cubes_that_are_there_are_left_alone(tmp_path: Path) -> None:
    cubes = {seed: np.full((8, 8, 8), seed, np.uint32) for seed in (3, 4)}
    for seed, cube in cubes.items():
        write_archive(tmp_path / f"{seed}.npz", [cube])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    done = run("data", "simulate", "--seeds", "3-4", "--side", 8, "--out", tmp_path, "--json")

    assert json.loads(done.stdout) == [
        {
            "seed": seed,
            "file": str(tmp_path / f"{seed}.npz"),
            "sha256": content_hash([cubes[seed]]),
        }
        for seed in (3, 4)
    ]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_cube_of_another_side_is_not_taken_for_the_seed(tmp_path: Path) -> None:
    write_archive(tmp_path / "3.npz", [np.ones((8, 8, 8), np.uint32)])
    refused = run("data", "simulate", "--seeds", 3, "--side", 16, "--out", tmp_path)
    assert refused.exit_code == 1
    assert "3.npz is there already and is no cube of 16³ voxels" in refused.stderr


@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [
        (("data", "simulate", "--seeds", "1", "--out", "x"), "pmpp", "simulate"),
        (("check-copies", "{archive}"), "pyfftw", "score"),
        (("pack", "{hdf5}", "--track", "3d-32", "--out", "x.npz"), "h5py", "hdf5"),
    ],
)
def test_what_is_not_installed_is_told_with_the_extra_that_brings_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    module: str,
    extra: str,
) -> None:
    files = {"archive": tmp_path / "a.npz", "hdf5": tmp_path / "a.h5"}
    for path in files.values():
        path.touch()
    monkeypatch.setattr(cli.extras, "find_spec", lambda name: None if name == module else object())
    refused = run(*(word.format(**files) for word in words))
    assert refused.exit_code == 1
    assert f"needs {module}" in refused.stderr
    assert f"cosmoboard[{extra}]" in refused.stderr


def test_a_zip_that_is_there_but_another_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nbody-cubes.zip").write_bytes(b"another")
    refused = run("data", "download", "--out", tmp_path, "--from", "http://127.0.0.1:1/x")
    assert refused.exit_code == 1
    assert hashlib.md5(b"another", usedforsecurity=False).hexdigest() in refused.stderr


def test_an_address_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with Site() as site:
        site.faults = [status(404)]
        refused = run("data", "download", "--out", tmp_path, "--from", site.url)
    assert refused.exit_code == 1
    assert "answers 404" in refused.stderr
