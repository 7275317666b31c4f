import numpy as np
import pytest

from scoring import Floor, Level, ScoreReport, SetStatistics, compare, set_statistics
from tests.fields import clumpy_set, random_statistics

FLOOR = Floor(Level(0.1, 0.01), Level(0.2, 0.02), Level(0.3, 0.03))
NAMES = ("psd", "mass", "peak")


def test_scores_are_the_inverse_of_distances():
    report = compare(random_statistics(30, seed=1), random_statistics(30, seed=2), floor=FLOOR)
    for name in NAMES:
        one = getattr(report, name)
        assert one.score == 1 / one.d2
        assert one.floor == getattr(FLOOR, name).mean
        assert one.floor_spread == getattr(FLOOR, name).spread
    assert report.overall == pytest.approx(
        np.prod([min(1, getattr(report, s).floor / getattr(report, s).d2) for s in NAMES])
        ** (1 / 3)
    )
    assert ScoreReport.from_json(report.to_json()) == report


@pytest.mark.parametrize("count", [2, 3, 4, 30])
def test_a_set_against_itself_is_perfect(count):
    statistics = random_statistics(count, seed=1)
    report = compare(statistics, statistics)
    for name in NAMES:
        assert getattr(report, name).d2 == 0
        assert getattr(report, name).score is None
        assert getattr(report, name).scatter_ratio == 1
    assert report.overall == (1 if count >= 4 else None)


def test_a_larger_amplitude_is_a_shift_of_the_mean():
    """Statistics ten times as large everywhere are 1 further in log10, in every bin."""
    real = random_statistics(30, seed=1)
    fake = SetStatistics(10 * real.psd, real.mass, real.peak)
    report = compare(real, fake, floor=FLOOR)
    assert report.psd.d2 == pytest.approx(43, rel=0.05)  # 1e-5 of the largest bin is added
    assert report.mass.d2 == 0


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_an_amplitude_a_millionfold_off_is_scored(factor):
    real = set_statistics(clumpy_set(4, 32, 3, seed=1))
    fields = [factor * field.astype(np.float64) for field in clumpy_set(4, 32, 3, seed=2)]
    report = compare(real, set_statistics(fields))
    assert report.psd.d2 == pytest.approx(
        compare(real, set_statistics(clumpy_set(4, 32, 3, seed=2))).psd.d2, rel=1e-3
    )
    assert report.mass.d2 > 10
    assert ScoreReport.from_json(report.to_json()) == report


def test_collapse_shows_in_the_scatter_ratio():
    real, fake = random_statistics(200, seed=1), random_statistics(200, seed=2, scatter=0.01)
    assert compare(real, fake).psd.scatter_ratio == pytest.approx(0.01, rel=0.1)


def test_the_two_sets_do_not_play_the_same_part():
    a, b = random_statistics(30, seed=1), random_statistics(30, seed=2, shift=2)
    assert compare(a, b).psd.d2 != pytest.approx(compare(b, a).psd.d2, rel=1e-3)


def test_constant_fake_fields_are_scored():
    real = set_statistics(clumpy_set(4, 16, 3, seed=1))
    fake = set_statistics([np.full((16, 16, 16), value) for value in (9.0, 10.0, 11.0)])
    report = compare(real, fake)
    assert report.psd.d2 > 100
    assert report.peak.scatter_ratio == 0
    assert ScoreReport.from_json(report.to_json()) == report


def test_constant_real_fields_compare_with_nothing():
    real = set_statistics([np.full((16, 16, 16), 9.0)] * 4)
    fake = set_statistics(clumpy_set(4, 16, 3, seed=1))
    with pytest.raises(ValueError, match="psd is zero in every real field"):
        compare(real, fake)


def test_equal_real_fields_have_no_scatter_to_compare():
    (field,) = clumpy_set(1, 16, 3, seed=1)
    real = set_statistics([field] * 4)
    report = compare(real, set_statistics(clumpy_set(4, 16, 3, seed=2)))
    assert report.mass.scatter_ratio is None
    assert report.overall == 0
    assert compare(real, real).overall == 1


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (random_statistics(1, 1), random_statistics(4, 1), "at least 2 real fields, not 1"),
        (random_statistics(4, 1), random_statistics(1, 1), "at least 2 fake fields, not 1"),
        (
            random_statistics(4, 1, bins=(43, 20, 20)),
            random_statistics(4, 1, bins=(46, 20, 20)),
            "psd has 43 bins in the real set and 46 in the fake",
        ),
        (
            set_statistics(clumpy_set(2, 256, 2, seed=1)),
            set_statistics(clumpy_set(2, 64, 3, seed=1)),
            r"real fields of \(256, 256\) and fake of \(64, 64, 64\)",
        ),
    ],
)
def test_sets_that_do_not_fit_are_refused(real, fake, message):
    with pytest.raises(ValueError, match=message):
        compare(real, fake)
