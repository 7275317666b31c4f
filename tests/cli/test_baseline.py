"""`cosmoboard baseline`: train, stop, go on, draw fields."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from cli.main import main
from cubes.archive import read_fields


def invoke(*arguments):
    return CliRunner().invoke(main, ["baseline", *map(str, arguments)])


def train(folder, iterations, *options):
    words = ("--stage", "m3", "--folder", folder, "--fields", 2, "--iterations", iterations)
    return invoke("train", *words, *options)


def test_training_goes_on_in_its_folder_and_with_its_seed_alone(tmp_path):
    first = train(tmp_path, 1)
    assert first.exit_code == 0, first.output
    assert "best.safetensors" in first.stderr
    refused = train(tmp_path, 2, "--seed", 1)
    assert refused.exit_code == 1
    assert "use another folder" in refused.stderr
    second = train(tmp_path, 2)
    assert second.exit_code == 0, second.output
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [1, 2]
    assert all(set(line["scores"]) >= {"psd", "mass", "peak"} for line in lines)


@pytest.mark.parametrize("model", ["lognormal", "clipped-gaussian"])
def test_classical_fields_make_a_valid_archive_the_same_for_the_same_seed(tmp_path, model):
    for name in ("a.npz", "b.npz"):
        arguments = ["--track", "3d-32", "--model", model, "--count", 2, "--seed", 3]
        drawn = invoke("sample", *arguments, "--out", tmp_path / name)
        assert drawn.exit_code == 0, drawn.output
    fields = np.stack(list(read_fields(tmp_path / "a.npz")))
    assert fields.shape == (2, 32, 32, 32)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (["train", "--stage", "m1"], 2, "name a folder by --cubes"),
        (["train", "--stage", "uniscale"], 2, "has no stage uniscale"),
        (
            ["sample", "--track", "2d-32", "--model", "lognormal", "--out", "x.npz"],
            2,
            "use 3d-64 or 3d-32",
        ),
        (["submit", "--track", "2d-32"], 1, "cosmoboard submit"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence(arguments, exit_code, sentence):
    result = invoke(*arguments)
    assert result.exit_code == exit_code
    assert sentence in result.stderr


def test_weights_that_are_not_there_are_named(tmp_path):
    result = invoke(
        "sample", "--track", "3d-32", "--weights", tmp_path, "--out", tmp_path / "x.npz"
    )
    assert result.exit_code == 1
    assert "small-m3.safetensors" in result.stderr
    assert not (tmp_path / "x.npz").exists()


def test_folders_of_other_cubes_are_refused(tmp_path):
    empty = invoke("train", "--stage", "m1", "--cubes", tmp_path)
    assert "holds no .npz file" in empty.stderr
    np.savez(tmp_path / "a.npz", cube=np.ones((8, 8, 8)))
    small = invoke("train", "--stage", "m1", "--cubes", tmp_path)
    assert small.exit_code == 1
    assert "not of 256 voxels a side" in small.stderr


def test_figures_of_the_paper_are_made_from_the_shipped_weights(tmp_path):
    done = invoke("figures", "--count", 4, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    names = [f"figure-{number:02}.png" for number in (5, 6, 7, 8, 11, 12)]
    assert done.stdout.split() == [str(tmp_path / name) for name in names]
    assert all((tmp_path / name).stat().st_size > 20_000 for name in names)
