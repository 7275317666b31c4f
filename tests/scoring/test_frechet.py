import numpy as np
import pytest
from scipy import linalg

from scoring.frechet import frechet_distance, log_statistics


def gaussian(count, bins, seed, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal((count, bins))


def by_matrix_root(real, fake):
    root = linalg.sqrtm(np.cov(real, rowvar=False) @ np.cov(fake, rowvar=False))
    difference = real.mean(axis=0) - fake.mean(axis=0)
    traces = np.trace(np.cov(real, rowvar=False)) + np.trace(np.cov(fake, rowvar=False))
    return difference @ difference + traces - 2 * np.trace(root).real


@pytest.mark.parametrize(("n", "m"), [(100, 100), (1000, 60), (51, 4000)])
def test_distance_is_that_of_the_matrix_root(n, m):
    mixing = gaussian(12, 12, seed=3)
    real, fake = gaussian(n, 12, seed=1) @ mixing, gaussian(m, 12, seed=2) + 0.3
    assert frechet_distance(real, fake).d2 == pytest.approx(by_matrix_root(real, fake), rel=1e-9)


def test_one_bin_has_a_closed_form():
    """In one dimension d² = (m_r - m_f)² + (s_r - s_f)²."""
    real, fake = gaussian(9, 1, seed=1), gaussian(7, 1, seed=2, scale=3) + 5
    distance = frechet_distance(real, fake)
    spread = real.std(ddof=1) - fake.std(ddof=1)
    assert distance.mean == pytest.approx((real.mean() - fake.mean()) ** 2)
    assert distance.covariance == pytest.approx(spread**2)
    assert distance.d2 == pytest.approx((real.mean() - fake.mean()) ** 2 + spread**2)


@pytest.mark.parametrize("count", [2, 5, 40, 300])
def test_a_shift_and_a_stretch_have_a_closed_form(count):
    """Y = a X + b: C_f = a² C_r, so that d² = |m_f - m_r|² + (a - 1)² Tr C_r, at any rank."""
    real = gaussian(count, 20, seed=1)
    fake = 1.5 * real + np.linspace(0, 1, 20)
    distance = frechet_distance(real, fake)
    shift = fake.mean(axis=0) - real.mean(axis=0)
    trace = real.var(axis=0, ddof=1).sum()
    assert distance.trace_real == pytest.approx(trace)
    assert distance.trace_fake == pytest.approx(2.25 * trace)
    assert distance.mean == pytest.approx(shift @ shift)
    assert distance.covariance == pytest.approx(0.25 * trace)


def test_covariances_without_a_common_direction_do_not_cancel():
    """C_r C_f = 0 leaves Tr C_r + Tr C_f."""
    real, fake = np.zeros((30, 6)), np.zeros((30, 6))
    real[:, :3], fake[:, 3:] = gaussian(30, 3, seed=1), gaussian(30, 3, seed=2)
    distance = frechet_distance(real, fake)
    assert distance.covariance == pytest.approx(distance.trace_real + distance.trace_fake)


@pytest.mark.parametrize("count", [2, 3, 30, 500])
@pytest.mark.parametrize("scale", [1e-8, 1, 1e8])
def test_a_set_is_at_zero_from_itself_in_any_order(count, scale):
    rows = gaussian(count, 43, seed=1, scale=scale)
    assert frechet_distance(rows, rows).d2 == 0
    assert frechet_distance(rows, rows[::-1]).d2 == 0


def test_distance_is_symmetric():
    real, fake = gaussian(30, 43, seed=1), gaussian(25, 43, seed=2) + 0.1
    assert frechet_distance(real, fake).d2 == pytest.approx(frechet_distance(fake, real).d2)


def test_rows_of_equal_values_are_a_point():
    real, fake = np.full((3, 4), 0.1), np.full((5, 4), 0.3)
    assert frechet_distance(real, fake).d2 == pytest.approx(4 * 0.2**2)
    assert frechet_distance(real, np.full((7, 4), 0.1)).d2 == 0


def test_a_small_but_real_distance_is_kept():
    rows = gaussian(30, 10, seed=1)
    shifted = rows.copy()
    shifted[:, 0] += 1e-4
    assert frechet_distance(rows, shifted).d2 == pytest.approx(1e-8, rel=1e-5)


def test_log_statistics_are_relative_to_the_largest_real_mean():
    real = np.array([[10.0, 0.0], [30.0, 2.0]])
    fake = np.array([[20.0, 0.2], [0.0, 2000.0]])
    log_real, log_fake = log_statistics(real, fake)
    np.testing.assert_allclose(log_real, np.log10([[0.5 + 1e-5, 1e-5], [1.5 + 1e-5, 0.1 + 1e-5]]))
    np.testing.assert_allclose(log_fake, np.log10([[1 + 1e-5, 0.01 + 1e-5], [1e-5, 100 + 1e-5]]))


def test_a_statistic_that_is_zero_in_all_real_fields_compares_with_nothing():
    with pytest.raises(ValueError, match="zero in every real field"):
        log_statistics(np.zeros((3, 20)), np.ones((3, 20)))
