import numpy as np
import pytest
from scipy import ndimage

from scoring import PEAK_BINS
from scoring.density import as_density
from scoring.histogram import thresholds
from scoring.peak_histogram import peak_histogram


def by_definition(field):
    field = np.asarray(field, np.float64)
    highest = ndimage.maximum_filter(field, 5, mode="reflect")
    lowest = ndimage.minimum_filter(field, 5, mode="reflect")
    peaks = field[(field == highest) & (highest > lowest)]
    edges = np.linspace(1.5, 13, 21)
    return np.histogram(np.clip(np.log(peaks + np.e), edges[0], edges[-1]), edges)[0]


@pytest.mark.parametrize("dtype", ["f4", "f8", "u2"])
@pytest.mark.parametrize("side", [2, 3, 4, 5, 6, 11, 32])
@pytest.mark.parametrize("ndim", [2, 3])
def test_counts_are_those_of_the_definition(dtype, side, ndim):
    rng = np.random.default_rng(side)
    smooth = rng.lognormal(3, 2, (side,) * ndim).astype(dtype)
    ties = rng.integers(0, 4, (side,) * ndim).astype(dtype)
    sparse = (ties * (rng.random(ties.shape) < 0.02)).astype(dtype)
    sparse.flat[0] = 1
    for field in (smooth, ties, sparse):
        np.testing.assert_array_equal(peak_histogram(as_density(field)), by_definition(field))


@pytest.mark.parametrize("ndim", [2, 3])
def test_one_voxel_stands_out_at_a_face_as_well_as_within(ndim):
    for place in (0, 4, 8):
        field = np.ones((9,) * ndim)
        field[(place,) * ndim] = 100
        counts = peak_histogram(as_density(field))
        # Voxels out of its reach see a flat neighbourhood, those within are not its maximum.
        assert counts.sum() == 1
        assert counts[np.searchsorted(PEAK_BINS.edges, np.log(100 + np.e)) - 1] == 1


def test_peaks_do_not_wrap_around_the_box():
    field = np.ones((12, 12))
    field[0, 0] = 9
    field[11, 11] = 8
    assert peak_histogram(as_density(field)).sum() == 2


def test_tied_voxels_are_each_a_peak():
    field = np.ones((12, 12, 12))
    field[5, 5, 5:7] = 50
    assert peak_histogram(as_density(field)).sum() == 2


@pytest.mark.parametrize("value", [1e-3, 1.0, 64.0])
def test_a_constant_field_has_no_peak(value):
    assert peak_histogram(as_density(np.full((8, 8, 8), value))).sum() == 0


@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")])
def test_a_bin_begins_exactly_where_the_logarithm_reaches_its_edge(dtype):
    first = thresholds(PEAK_BINS, dtype)
    before = np.nextafter(first, np.array(0, dtype))
    for x, bins in ((first, range(1, 20)), (before, range(19))):
        field = np.full((6, 6 * 19), 1e-3, dtype)
        field[2, 2::6] = x  # 6 apart: out of one another's reach
        square = np.full((6 * 19, 6 * 19), 1e-3, dtype)
        square[:6] = field
        expected = np.zeros(20)
        expected[bins] = 1
        np.testing.assert_array_equal(peak_histogram(as_density(square)), expected)
