"""`cosmoboard score`: the published code's numbers, from two files."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli.main import main
from tests.golden.cascade import cascade_set
from tests.scoring.test_golden import CASES

CHEAP = [name for name, case in CASES.items() if case["n"] ** case["ndim"] <= 64**3]


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, words)])


@pytest.fixture
def archives(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """The real and fake fields of a golden case, as files."""
    case = CASES[request.param]
    paths = []
    for label in ("real", "fake"):
        fields = cascade_set(
            case["count"], case["n"], case["ndim"], case[f"{label}_seed"], case[f"{label}_table"]
        )
        paths.append(tmp_path / f"{label}.npz")
        np.savez(paths[-1], fields=np.stack(list(fields)).astype(case["dtype"]))
    return paths[0], paths[1]


@pytest.mark.parametrize(
    ("archives", "case"), [(name, CASES[name]) for name in CHEAP], indirect=["archives"], ids=CHEAP
)
def test_prints_the_published_distances(archives: tuple[Path, Path], case: dict) -> None:
    real, fake = archives
    done = run(fake, "--reference", real, "--json")

    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    for name, d2 in case["nuclear_norm_d2"].items():
        assert report[name]["d2"] == pytest.approx(d2, rel=1e-6)
        assert report[name]["score"] == pytest.approx(1 / d2, rel=1e-6)
        low, high = report[name]["ci95"]
        assert 0 <= low < high
    assert 0 < report["overall"] <= 1
    assert report["scorer_version"]


@pytest.mark.parametrize("archives", ["2d-32-float32"], indirect=True)
def test_a_set_against_itself_scores_null_in_json_and_infinity_in_words(
    archives: tuple[Path, Path],
) -> None:
    real, _ = archives

    assert json.loads(run(real, "--reference", real, "--json").stdout)["psd"]["score"] is None
    assert "∞" in run(real, "--reference", real).stdout


@pytest.mark.parametrize("archives", ["2d-32-float32"], indirect=True)
def test_fields_that_do_not_compare_are_refused_in_a_sentence(
    archives: tuple[Path, Path], tmp_path: Path
) -> None:
    real, _ = archives
    cubes = tmp_path / "cubes.npz"
    np.savez(cubes, fields=np.stack(list(cascade_set(2, 16, 3, 1, CASES["3d-64"]["real_table"]))))

    done = run(cubes, "--reference", real)

    assert done.exit_code == 1
    assert "do not compare" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("archives", ["2d-32-float32"], indirect=True)
def test_figures_are_saved_in_every_format_that_is_asked_for(
    archives: tuple[Path, Path], tmp_path: Path
) -> None:
    real, fake = archives
    folder = tmp_path / "new" / "figures"

    done = run(
        fake,
        "--reference",
        real,
        "--figures",
        folder,
        "--format",
        "png",
        "--format",
        "svg",
        "--json",
    )

    assert done.exit_code == 0, done.output
    names = {f"{name}.{suffix}" for name in ("statistics", "slices") for suffix in ("png", "svg")}
    assert {path.name for path in folder.iterdir()} == names
    assert (folder / "slices.png").read_bytes().startswith(b"\x89PNG")
    assert "real" in (folder / "statistics.svg").read_text()
    assert json.loads(done.stdout) == json.loads(run(fake, "--reference", real, "--json").stdout)
