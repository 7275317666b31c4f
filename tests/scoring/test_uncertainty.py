import dataclasses
import time

import numpy as np
import pytest

from scoring import SetStatistics, compare
from scoring.frechet import frechet_distance, log_statistics
from scoring.inference import d2_interval
from scoring.uncertainty import leave_out
from tests.fields import random_statistics

NAMES = ("psd", "mass", "peak")


def d2(real, fake, name):
    return frechet_distance(*log_statistics(getattr(real, name), getattr(fake, name))).d2


def test_each_field_is_left_out_once_and_the_normaliser_with_it():
    real, fake = random_statistics(6, 1), random_statistics(5, 2, shift=0.2)
    left_out = leave_out(real, fake)
    for index, name in enumerate(NAMES):
        assert left_out.full[index] == pytest.approx(d2(real, fake, name))
        for i in range(6):
            fewer = real.take(np.arange(6) != i)
            assert left_out.without_real[i][index] == pytest.approx(d2(fewer, fake, name))
        for i in range(5):
            fewer = fake.take(np.arange(5) != i)
            assert left_out.without_fake[i][index] == pytest.approx(d2(real, fewer, name))


def test_fields_of_one_parent_are_left_out_together():
    real, fake = random_statistics(12, 1), random_statistics(9, 2)
    labels = np.array([7, 7, 3, 3, 3, 9, 9, 9, 3, 7, 9, 1])
    left_out = leave_out(dataclasses.replace(real, parents=labels), fake)
    assert len(left_out.without_real) == 4
    assert len(left_out.without_fake) == 9
    for row, label in zip(left_out.without_real, (1, 3, 7, 9), strict=True):
        assert row[1] == pytest.approx(d2(real.take(labels != label), fake, "mass"))


def test_large_sets_are_left_out_in_random_groups_the_same_every_time():
    real, fake = random_statistics(300, 1), random_statistics(200, 2)
    left_out = leave_out(real, fake)
    assert len(left_out.without_real) == len(left_out.without_fake) == 40
    assert leave_out(real, fake) == left_out


def test_groups_and_single_fields_give_the_same_error_bars():
    real, fake = random_statistics(120, 1), random_statistics(120, 2, shift=0.1)
    one_by_one = compare(real, fake)
    grouped = compare(dataclasses.replace(real, parents=np.arange(120) // 3), fake)
    for name in NAMES:
        low, high = getattr(one_by_one, name).ci95
        low_grouped, high_grouped = getattr(grouped, name).ci95
        assert high_grouped - low_grouped == pytest.approx(high - low, rel=0.3)


@pytest.mark.parametrize(("real", "fake"), [(2, 30), (30, 2), (2, 2)])
def test_two_fields_are_too_few_for_error_bars(real, fake):
    report = compare(random_statistics(real, 1), random_statistics(fake, 2))
    assert report.psd.d2 > 0
    assert report.psd.d2_jackknife is None
    assert report.psd.ci95 is None
    assert report.overall_ci95 is None
    assert report.leave_out is None


def test_three_fields_are_enough():
    report = compare(random_statistics(3, 1), random_statistics(3, 2))
    low, high = report.psd.ci95
    assert low < report.psd.d2_jackknife < high


def test_a_statistic_that_rests_on_one_real_field_has_no_error_bar():
    real, fake = random_statistics(5, 1), random_statistics(5, 2)
    peak = np.zeros((5, 20))
    peak[3, 4] = 1
    report = compare(SetStatistics(real.psd, real.mass, peak), fake)
    assert report.peak.d2 > 0
    assert report.leave_out is None


def test_error_bars_of_thirty_fields_take_milliseconds():
    real, fake = random_statistics(30, 1), random_statistics(30, 2)
    leave_out(real, fake)
    start = time.process_time()
    leave_out(real, fake)
    assert time.process_time() - start < 0.5


COVERAGE = {
    # name: (shift of every bin, ratio of scatters)
    "equal laws": (0.0, 1.0),
    "a shift": (0.05, 1.0),
    "collapse": (0.0, 0.4),
}


@pytest.mark.parametrize("law", COVERAGE)
def test_intervals_hold_the_true_distance(law):
    """Of Gaussian vectors the true d² is bins * (shift² + (s_r - s_f)²), s the scatter of a bin.

    The statistics are 10 to the power of such vectors, so far above 1e-5 of the largest that
    their log statistics are the vectors. With 100 intervals, a true coverage of 95 % gives fewer
    than 88 hits once in 500 times.
    """
    shift, ratio = COVERAGE[law]
    rng = np.random.default_rng(1)
    bins, scatter, trials, hits = 20, 0.1, 100, 0
    truth = bins * (shift**2 + (scatter - ratio * scatter) ** 2)
    for _ in range(trials):
        real, fake = scatter * rng.standard_normal((2, 20, bins))
        real, fake = 10**real, 10 ** (shift + ratio * fake)
        left_out = leave_out(SetStatistics(*[real] * 3), SetStatistics(*[fake] * 3))
        low, high = d2_interval(left_out, 0)[1]
        hits += low <= truth <= high
    assert hits >= 88
