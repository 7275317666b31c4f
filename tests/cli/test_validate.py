"""`cosmoboard validate`: the board's own checks, before anything is sent."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli.main import main
from cubes.archive import write_archive
from cubes.demo import demo_fields
from cubes.tracks import TRACKS
from cubes.transform import forward
from tests.hostile import HOSTILE

TRACK = TRACKS["3d-32"]


def validate(path: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["validate", str(path), "--track", TRACK.name, *words])


@pytest.fixture
def real(tmp_path: Path) -> Path:
    path = tmp_path / "real.npz"
    write_archive(path, demo_fields(TRACK.name, "train"))
    return path


def test_a_valid_archive_passes_with_its_mean(real: Path) -> None:
    done = validate(real, "--json")

    assert done.exit_code == 0
    verdict = json.loads(done.stdout)
    assert verdict["valid"] is True
    assert verdict["mean"] == pytest.approx(28.0, abs=0.1)
    assert verdict["warning"] is None


def test_mapped_values_pass_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "mapped.npz"
    write_archive(path, (forward(field) for field in demo_fields(TRACK.name, "train")))
    done = validate(path)

    assert done.exit_code == 0
    assert "mapped values" in done.stderr


@pytest.mark.parametrize("name", sorted(HOSTILE)[::12])
def test_a_bad_archive_fails_with_its_reason(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    HOSTILE[name].write(path, TRACK)
    done = validate(path, "--json")

    assert done.exit_code == 1
    verdict = json.loads(done.stdout)
    assert (verdict["valid"], verdict["reason"]) == (False, HOSTILE[name].code)
    assert verdict["message"].endswith(".")


def test_a_bad_archive_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    fields = np.stack(list(demo_fields(TRACK.name, "train")))
    fields[7, 1, 2, 3] = np.nan
    np.savez(path, fields=fields)
    done = validate(path)

    assert done.exit_code == 1
    assert "Field 7" in done.output
    assert "(1, 2, 3)" in done.output
    assert "Traceback" not in done.output


def test_an_unknown_track_is_a_usage_error(real: Path) -> None:
    done = CliRunner().invoke(main, ["validate", str(real), "--track", "3d-65"])

    assert done.exit_code == 2
    assert "3d-64" in done.output
