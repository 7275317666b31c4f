import numpy as np
import pytest

from scoring import SetStatistics, compare, diagnose
from scoring.frechet import frechet_distance, log_statistics
from tests.fields import random_statistics

NAMES = ("psd", "mass", "peak")


@pytest.mark.parametrize(("n", "m"), [(30, 30), (2, 5), (5, 2), (8, 300), (60, 3)])
def test_parts_and_bins_add_up_to_the_distance(n, m):
    real, fake = random_statistics(n, 1), random_statistics(m, 2, shift=0.1, scatter=0.2)
    report, diagnosis = compare(real, fake), diagnose(real, fake)
    for name in NAMES:
        d2, parts = getattr(report, name).d2, getattr(diagnosis, name)
        assert parts.mean + parts.covariance == pytest.approx(d2)
        assert parts.bins.sum() == pytest.approx(d2)
        assert parts.bins.min() >= 0
        assert parts.bins.shape == getattr(real, name).shape[1:]


def test_a_bin_that_is_off_is_found():
    real, fake = random_statistics(40, 1), random_statistics(40, 2)
    mass = fake.mass.copy()
    mass[:, 3] *= 3
    mass[:, 11] = mass[:, 11].mean()
    bins = diagnose(real, SetStatistics(fake.psd, mass, fake.peak)).mass.bins
    assert np.argmax(bins) == 3
    assert bins[3] == pytest.approx(np.log10(3) ** 2, rel=0.2)
    assert np.argsort(bins)[-2] == 11  # its scatter is gone: 0.1² in log10


def test_a_shift_is_of_the_mean_and_a_collapse_of_the_covariance():
    real = random_statistics(40, 1)
    shifted = SetStatistics(10 * real.psd, real.mass, real.peak)
    parts = diagnose(real, shifted).psd
    assert parts.mean == pytest.approx(43, rel=0.05)
    assert parts.covariance < 1e-3 * parts.mean
    parts = diagnose(real, random_statistics(40, 2, scatter=0.001)).psd
    assert parts.covariance > 5 * parts.mean


@pytest.mark.parametrize("m", [3, 7, 30, 70])
def test_fields_are_left_out_exactly(m):
    real, fake = random_statistics(20, 1), random_statistics(m, 2, shift=0.1)
    diagnosis = diagnose(real, fake)
    for name in NAMES:
        log_real, log_fake = log_statistics(getattr(real, name), getattr(fake, name))
        d2 = frechet_distance(log_real, log_fake).d2
        expected = [
            d2 - frechet_distance(log_real, np.delete(log_fake, i, axis=0)).d2 for i in range(m)
        ]
        np.testing.assert_allclose(getattr(diagnosis, name).fields, expected, rtol=1e-6, atol=1e-9)


def test_the_field_that_spoils_a_submission_is_found():
    real, fake = random_statistics(30, 1), random_statistics(30, 2)
    psd = fake.psd.copy()
    psd[17] *= 5
    fields = diagnose(real, SetStatistics(psd, fake.mass, fake.peak)).psd.fields
    assert np.argmax(fields) == 17
    assert fields[17] > 10 * np.abs(np.delete(fields, 17)).max()


def test_two_fields_cannot_be_left_out():
    assert diagnose(random_statistics(5, 1), random_statistics(2, 2)).psd.fields is None


def test_a_set_against_itself_has_nothing_to_diagnose():
    rows = random_statistics(10, 1)
    parts = diagnose(rows, rows).psd
    assert parts.mean == 0
    np.testing.assert_allclose(parts.bins, 0, atol=1e-12)
    assert parts.covariance == pytest.approx(0, abs=1e-12)


def test_equal_fake_fields_are_diagnosed():
    real, fake = random_statistics(10, 1), random_statistics(1, 2)
    same = fake.take([0] * 6)
    parts = diagnose(real, same).mass
    # Without a field nothing changes: the others are the same.
    np.testing.assert_allclose(parts.fields, 0, atol=1e-12)
