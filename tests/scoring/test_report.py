import json
import subprocess
import sys

import pytest

from scoring.report import Floor, Level, ScoreReport, StatisticScore, overall


def score(d2=0.5, floor=0.1, **others):
    values = {
        "d2": d2,
        "score": 1 / d2 if d2 else None,
        "d2_jackknife": 0.4,
        "ci95": (0.3, 0.7),
        "floor": floor,
        "floor_spread": 0.01,
        "scatter_ratio": 0.9,
    }
    return StatisticScore(**(values | others))


REPORT = ScoreReport(score(), score(0.2), score(2.0), overall=0.2, overall_ci95=(0.1, 0.3))


def test_a_report_survives_json():
    assert ScoreReport.from_json(REPORT.to_json()) == REPORT
    unknown = ScoreReport(
        score(d2=0.0, ci95=None, d2_jackknife=None, scatter_ratio=None, floor=None),
        score(),
        score(),
        overall=None,
        overall_ci95=None,
    )
    assert ScoreReport.from_json(unknown.to_json()) == unknown


def test_json_has_the_shape_that_others_script_against():
    values = json.loads(REPORT.to_json())
    assert set(values) == {"psd", "mass", "peak", "overall", "overall_ci95", "scorer_version"}
    assert values["psd"] == {
        "d2": 0.5,
        "score": 2.0,
        "d2_jackknife": 0.4,
        "ci95": [0.3, 0.7],
        "floor": 0.1,
        "floor_spread": 0.01,
        "scatter_ratio": 0.9,
    }


def test_nan_never_leaves_as_json():
    report = ScoreReport(score(d2=float("nan")), score(), score(), None, None)
    with pytest.raises(ValueError, match="not JSON compliant"):
        report.to_json()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        REPORT.to_json().replace('"d2": 0.5', '"d2": "0.5"'),
        REPORT.to_json().replace('"d2": 0.5', '"d2": null'),
        REPORT.to_json().replace("[0.3, 0.7]", "[0.3]"),
        REPORT.to_json().replace("[0.3, 0.7]", "[0.3, null]"),
        REPORT.to_json().replace('"mass": {', '"mass": 3, "other": {'),
    ],
)
def test_json_of_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="no score report"):
        ScoreReport.from_json(text)


def test_keys_of_later_versions_are_passed_over():
    later = REPORT.to_json().replace('"psd": {', '"new": 1, "psd": {"newer": 2, ')
    assert ScoreReport.from_json(later) == REPORT


def test_overall_is_the_geometric_mean_of_what_is_attained():
    shares = (score(d2=0.4, floor=0.1), score(d2=0.2, floor=0.1), score(d2=1.0, floor=0.008))
    assert overall(shares) == pytest.approx((1 / 4 * 1 / 2 * 1 / 125) ** (1 / 3))


def test_nothing_is_gained_below_the_noise():
    below = (score(d2=0.01, floor=0.1), score(d2=0.0, floor=0.1), score(d2=0.1, floor=0.1))
    assert overall(below) == 1


def test_a_floor_of_zero_is_attained_by_zero_alone():
    assert score(d2=0.0, floor=0.0).attained == 1
    assert score(d2=1e-9, floor=0.0).attained == 0


def test_overall_needs_every_floor():
    assert overall((score(), score(floor=None), score())) is None


def test_a_floor_survives_json():
    floor = Floor(Level(0.1, 0.01), Level(0.02, 0.001), Level(0.7, 0.2))
    assert Floor.from_dict(json.loads(json.dumps(floor.to_dict()))) == floor
    for bad in ({}, {"psd": 1, "mass": 2, "peak": 3}, {"psd": {}, "mass": {}, "peak": {}}):
        with pytest.raises(ValueError, match="no floor"):
            Floor.from_dict(bad)


def test_reading_a_report_loads_no_numerics():
    script = (
        "import sys, scoring; from scoring import ScoreReport, Floor; import scoring.report;"
        "print([m for m in ('numpy', 'numba', 'pyfftw', 'torch', 'scipy') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert result.stdout.split() == [b"[]"]
