import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest

from scoring import FieldStatistics, SetStatistics, field_statistics, set_statistics
from tests.fields import clumpy_set, random_statistics

NAMES = ("psd", "mass", "peak")


def assert_equal(ours, theirs):
    assert ours.shape == theirs.shape
    for name in NAMES:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_set_is_its_fields_one_by_one(ndim):
    fields = list(clumpy_set(3, 32, ndim, seed=1))
    together = set_statistics(fields)
    assert len(together) == 3
    assert together.shape == (32,) * ndim
    for row, field in enumerate(fields):
        alone = field_statistics(field)
        assert isinstance(alone, FieldStatistics)
        for name in NAMES:
            np.testing.assert_array_equal(getattr(together, name)[row], getattr(alone, name))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("side", [16, 48])
def test_a_stream_a_list_and_an_array_give_the_same(threads, side):
    fields = list(clumpy_set(7, side, 3, seed=2))
    expected = set_statistics(fields)
    for source in (fields, np.array(fields), clumpy_set(7, side, 3, seed=2)):
        assert_equal(set_statistics(source, threads=threads), expected)


@pytest.mark.parametrize("dtype", ["<u4", ">u4", "i8", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dtype_byte_order_and_memory_order_do_not_matter(dtype, order):
    fields = [np.rint(field) for field in clumpy_set(2, 32, 3, seed=3)]
    expected = set_statistics(fields)
    assert_equal(set_statistics(np.array(field, dtype, order=order) for field in fields), expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_fields_are_read_in_the_calling_thread_and_let_go(threads):
    side, count = 64, 12
    size = 4 * side**3
    readers = set()

    def fields():
        for field in clumpy_set(count, side, 3, seed=4):
            readers.add(threading.get_ident())
            yield field

    set_statistics(clumpy_set(2, side, 3, seed=4), threads=threads)  # plans, compiled kernels
    tracemalloc.start()
    try:
        set_statistics(fields(), threads=threads)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert readers == {threading.get_ident()}
    # Each worker holds a field and a ring of planes, the reader a field that it is making (which
    # takes a few copies in float64).
    assert peak < size * (threads + 8)


def test_an_error_names_the_field():
    fields = list(clumpy_set(4, 48, 3, seed=5))
    fields[2][3, 3, 3] = np.nan
    for threads in (1, 2):
        with pytest.raises(ValueError, match=r"field 2: .*NaN"):
            set_statistics(iter(fields), threads=threads)


def test_an_error_of_the_source_passes_through():
    def fields():
        yield from clumpy_set(3, 48, 3, seed=6)
        raise OSError("the archive ends early")

    for threads in (1, 2):
        with pytest.raises(OSError, match="ends early"):
            set_statistics(fields(), threads=threads)


def test_fields_of_another_shape_are_refused():
    fields = [*clumpy_set(1, 16, 3, seed=7), *clumpy_set(1, 32, 3, seed=7)]
    with pytest.raises(ValueError, match=r"field 1 is of shape \(32, 32, 32\)"):
        set_statistics(fields)


def test_no_fields_are_refused():
    with pytest.raises(ValueError, match="at least one field"):
        set_statistics([])


def test_an_unknown_device_is_refused():
    field = np.ones((8, 8))
    with pytest.raises(ValueError, match="'tpu'"):
        field_statistics(field, device="tpu")


def test_statistics_survive_storage():
    for statistics in (set_statistics(clumpy_set(3, 32, 2, seed=8)), random_statistics(4, seed=1)):
        assert_equal(SetStatistics.from_bytes(statistics.to_bytes()), statistics)


def test_stored_statistics_are_small():
    counts = set_statistics(clumpy_set(30, 32, 3, seed=9))
    assert len(counts.to_bytes()) < 8 * (counts.psd.size + counts.mass.size)


def test_bytes_of_anything_else_are_refused():
    packed = random_statistics(4, seed=1).to_bytes()
    pickled = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtins\x94."
    damaged = packed[:200] + bytes(40) + packed[240:]
    for bad in (b"", b"nonsense", packed[:-40], damaged, pickled):
        with pytest.raises(ValueError, match="no packed statistics"):
            SetStatistics.from_bytes(bad)


def test_some_of_the_fields_can_be_taken():
    statistics = random_statistics(5, seed=2)
    np.testing.assert_array_equal(statistics.take([3, 0]).mass, statistics.mass[[3, 0]])
    kept = statistics.take(np.arange(5) != 2)
    np.testing.assert_array_equal(kept.psd, np.delete(statistics.psd, 2, axis=0))


def test_statistics_cannot_be_changed_behind_their_back():
    mass = np.ones((2, 20))
    statistics = SetStatistics(np.ones((2, 9)), mass, np.ones((2, 20)))
    with pytest.raises(ValueError, match="read-only"):
        statistics.mass[0, 0] = 5
    mass[0, 0] = 5
    assert statistics.mass[0, 0] == 1


@pytest.mark.parametrize(
    ("psd", "message"),
    [
        (np.ones(9), "psd must have shape"),
        (np.ones((0, 9)), "psd must have shape"),
        (np.ones((3, 9)), "different numbers of fields: 3, 2 and 2"),
        (np.array([[1.0], [np.nan]]), "psd holds NaN"),
        (np.array([[1.0], [np.inf]]), "psd holds NaN, infinite"),
        (np.array([[1.0], [-1.0]]), "psd holds NaN, infinite or negative"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(psd, message):
    with pytest.raises(ValueError, match=message):
        SetStatistics(psd, np.ones((2, 20)), np.ones((2, 20)))


WARM = """
import time, numpy as np, scoring
scoring.warm_up((64, 64, 64))
whole = np.random.default_rng(1).integers(1, 9, (64, 64, 64)).astype("f4")
start = time.perf_counter()
scoring.field_statistics(whole)
scoring.field_statistics(whole + np.float64(2**-40))
first = time.perf_counter() - start
start = time.perf_counter()
scoring.field_statistics(whole)
scoring.field_statistics(whole + np.float64(2**-40))
print(first / (time.perf_counter() - start))
"""


def test_after_warming_up_the_first_field_is_as_fast_as_the_next():
    result = subprocess.run([sys.executable, "-c", WARM], capture_output=True, check=True)
    assert float(result.stdout) < 5  # compilation or planning would make it hundreds
