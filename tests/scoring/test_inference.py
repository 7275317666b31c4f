import json
import math

import numpy as np
import pytest
from scipy import stats

from scoring import compare
from scoring.inference import (
    LeaveOut,
    compare_submissions,
    compare_with_leader,
    d2_interval,
    holm,
    overall_interval,
    student_cdf,
    student_quantile,
)
from tests.fields import random_statistics

FLOORS = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 10, 29, 30, 127])
def test_student_is_that_of_the_textbooks(degrees):
    for t in (-30.0, -2.0, -0.3, 0.0, 0.7, 1.96, 5.0):
        assert student_cdf(t, degrees) == pytest.approx(stats.t.cdf(t, degrees), abs=1e-12)
    for p in (0.5, 0.9, 0.975, 0.999):
        assert student_quantile(p, degrees) == pytest.approx(stats.t.ppf(p, degrees), abs=1e-9)


def test_holm_is_that_of_the_textbooks():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9, 0.02]) == pytest.approx([1.0, 1.0, 0.06])
    assert holm([]) == []


def linear(real, fake):
    """Distances that are mean(real) + mean(fake) in the first statistic, and its multiples."""

    def triple(x, y):
        d2 = np.mean(x) + np.mean(y)
        return (d2, 2 * d2, 3 * d2)

    return LeaveOut(
        triple(real, fake),
        tuple(triple(np.delete(real, i), fake) for i in range(len(real))),
        tuple(triple(real, np.delete(fake, i)) for i in range(len(fake))),
    )


def test_the_jackknife_of_means_is_exact():
    """For a sum of two means the error is sqrt(s_x²/n + s_y²/m), and there is no bias."""
    rng = np.random.default_rng(1)
    real, fake = rng.normal(50, 1, 12), rng.normal(30, 2, 20)
    value, (low, high) = d2_interval(linear(real, fake), 0)
    error = math.sqrt(real.var(ddof=1) / 12 + fake.var(ddof=1) / 20)
    reach = stats.t.ppf(0.975, 11) * error
    assert value == pytest.approx(real.mean() + fake.mean())
    assert value - low == pytest.approx(reach)
    # Wilson: the upper bound u satisfies u - value = reach * sqrt(u / value).
    assert high - value == pytest.approx(reach * math.sqrt(high / value))


def test_the_jackknife_takes_a_bias_of_one_over_n_away():
    """The mean square overestimates the squared mean by the variance of the mean."""
    real = np.random.default_rng(1).normal(3, 1, 15)

    def triple(x):
        return (x.mean() ** 2,) * 3

    left_out = LeaveOut(
        triple(real),
        tuple(triple(np.delete(real, i)) for i in range(15)),
        (triple(real),) * 15,
    )
    value, _ = d2_interval(left_out, 0)
    assert value == pytest.approx(real.mean() ** 2 - real.var(ddof=1) / 15)


def test_an_estimate_without_error_has_an_interval_without_width():
    left_out = linear(np.full(4, 2.0), np.full(4, 1.0))
    assert d2_interval(left_out, 0) == (3.0, (3.0, 3.0))
    left_out = linear(np.zeros(4), np.zeros(4))
    assert d2_interval(left_out, 0) == (0.0, (0.0, 0.0))


def test_a_distance_of_zero_has_a_finite_interval():
    rows = random_statistics(10, seed=1)
    report = compare(rows, rows)
    for name in ("psd", "mass", "peak"):
        low, high = getattr(report, name).ci95
        assert low <= 0 <= high < 1
    assert report.overall == 1
    assert 0 < report.overall_ci95[0] <= report.overall_ci95[1] == 1


def test_the_interval_of_overall_holds_it_and_stays_within_its_range():
    for seed, shift in ((1, 0.0), (2, 0.02), (3, 0.3), (4, 3.0)):
        report = compare(random_statistics(30, seed), random_statistics(30, seed + 10, shift))
        low, high = report.overall_ci95
        assert 0 < low <= report.overall <= high <= 1


def test_far_above_the_floor_the_interval_of_overall_is_that_of_the_mean_logarithm():
    real, fake = np.random.default_rng(1).normal(50, 1, (2, 12))
    left_out = linear(real, fake)
    low, high = overall_interval(left_out, (1e-3, 1e-3, 1e-3))
    # d(log overall) is -d(log d2), the same for the three multiples.
    error = math.sqrt((real.var(ddof=1) + fake.var(ddof=1)) / 12) / left_out.full[0]
    assert math.log(high / low) == pytest.approx(2 * stats.t.ppf(0.975, 11) * error, rel=0.01)


def test_far_below_the_floor_overall_is_certain():
    left_out = linear(np.array([1.0, 1.1, 0.9]), np.array([1.0, 1.1, 0.9]))
    low, high = overall_interval(left_out, (1e9, 1e9, 1e9))
    assert low == pytest.approx(1)
    assert high == 1


def test_a_floor_of_zero_has_no_interval():
    left_out = linear(np.arange(4.0), np.arange(4.0))
    assert overall_interval(left_out, (1.0, 0.0, 1.0)) is None
    with pytest.raises(ValueError, match="floor of zero"):
        compare_submissions(left_out, left_out, (1.0, 0.0, 1.0))


def test_what_two_submissions_owe_to_the_same_real_fields_cancels():
    rng = np.random.default_rng(2)
    real = rng.normal(50, 20, 30)  # whatever the real fields add, they add to both
    a, b = rng.normal(30, 1, 30), rng.normal(32, 1, 30)
    comparison = compare_submissions(linear(real, a), linear(real, b), FLOORS)
    error = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 30)
    t = (a.mean() - b.mean()) / error
    assert comparison.psd.value == pytest.approx(a.mean() - b.mean())
    assert comparison.psd.p == pytest.approx(2 * stats.t.sf(abs(t), 29))
    assert comparison.psd.p < 1e-6
    low, high = comparison.psd.ci95
    assert low < a.mean() - b.mean() < high < 0
    assert comparison.peak.value == pytest.approx(3 * comparison.psd.value)


def test_the_difference_of_overall_is_the_logarithm_of_the_ratio():
    real, a, b = np.random.default_rng(3).normal(50, 1, (3, 30))
    first, second = linear(real, a), linear(real, b + 20)
    comparison = compare_submissions(first, second, FLOORS)
    assert comparison.log_overall.value == pytest.approx(math.log(second.full[0] / first.full[0]))
    assert comparison.log_overall.p < 1e-6
    reverse = compare_submissions(second, first, FLOORS)
    assert reverse.log_overall.value == pytest.approx(-comparison.log_overall.value)
    assert reverse.log_overall.p == pytest.approx(comparison.log_overall.p)


def test_a_submission_is_tied_with_itself():
    report = compare(random_statistics(20, 1), random_statistics(20, 2))
    comparison = compare_submissions(report.leave_out, report.leave_out, FLOORS)
    assert comparison.log_overall.value == 0
    assert comparison.log_overall.p == 1
    json.dumps(comparison.to_dict(), allow_nan=False)


def test_a_clearly_worse_submission_is_told_from_the_leader_and_an_equal_one_is_not():
    real = random_statistics(30, 1)
    leader, equal, worse = (
        compare(real, random_statistics(30, seed, shift)).leave_out
        for seed, shift in ((2, 0.1), (3, 0.1), (4, 0.3))
    )
    p_equal, p_worse = compare_with_leader(leader, [equal, worse], FLOORS)
    assert p_equal > 0.05
    assert p_worse < 1e-3


def test_submissions_against_different_real_fields_do_not_compare():
    a = compare(random_statistics(20, 1), random_statistics(20, 2)).leave_out
    b = compare(random_statistics(21, 1), random_statistics(20, 2)).leave_out
    with pytest.raises(ValueError, match="same real fields"):
        compare_submissions(a, b, FLOORS)


def test_leave_out_distances_survive_json():
    left_out = compare(random_statistics(5, 1), random_statistics(6, 2)).leave_out
    assert LeaveOut.from_dict(json.loads(json.dumps(left_out.to_dict()))) == left_out
    for bad in ({}, {"full": 1}, {"full": ["a"], "without_real": [], "without_fake": []}):
        with pytest.raises(ValueError, match="no leave-out distances"):
            LeaveOut.from_dict(bad)
