import numpy as np
import pytest

from scoring import MASS_BINS
from scoring.density import as_density
from scoring.histogram import thresholds
from scoring.mass_histogram import mass_histogram


def by_definition(field):
    scaled = np.log10(np.asarray(field, np.float64) + 1).ravel()
    edges = np.linspace(np.log10(2), np.log10(250884 / 3), 21)
    return np.histogram(np.clip(scaled, edges[0], edges[-1]), edges)[0]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(33, 33), (17, 17, 17)])
def test_counts_are_those_of_the_definition(dtype, shape):
    field = np.random.default_rng(1).lognormal(2, 4, shape).astype(dtype)
    np.testing.assert_array_equal(mass_histogram(as_density(field)), by_definition(field))


@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")])
def test_a_bin_begins_exactly_where_the_logarithm_reaches_its_edge(dtype):
    first = thresholds(MASS_BINS, dtype)
    before = np.nextafter(first, np.array(0, dtype))
    assert (MASS_BINS.scale(first.astype(np.float64)) >= MASS_BINS.edges[1:-1]).all()
    assert (MASS_BINS.scale(before.astype(np.float64)) < MASS_BINS.edges[1:-1]).all()
    for x, bins in ((first, range(1, 20)), (before, range(19))):
        field = np.repeat(x, 19).reshape(19, 19)
        expected = np.zeros(20)
        expected[bins] = 19
        np.testing.assert_array_equal(mass_histogram(as_density(field)), expected)


def test_values_outside_join_the_end_bins():
    field = np.array([[0, 0.5], [1e5, 1e30]])
    counts = mass_histogram(as_density(field))
    assert counts[0] == counts[-1] == 2
    assert counts.sum() == 4
