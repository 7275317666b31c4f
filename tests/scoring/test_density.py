import numpy as np
import pytest

from scoring.density import as_density
from tests.fields import clumpy


@pytest.mark.parametrize(
    "dtype", ["u1", "i2", "<u4", ">u4", "i8", "f2", "<f4", ">f4", "f8", ">f8", "g"]
)
@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_whole_numbers_stay_what_they_are_in_every_dtype_and_order(dtype, order):
    whole = np.random.default_rng(1).integers(0, 100, (6, 6, 6))
    field = np.array(whole, dtype, order="F" if order == "F" else "C")
    if order == "strided":
        field = np.repeat(field, 2, axis=1)[:, ::2]
    density = as_density(field)
    assert density.values.dtype == np.float32
    assert density.values.flags.c_contiguous
    np.testing.assert_array_equal(density.values, whole)
    assert density.mean == whole.mean()


def test_a_value_that_float32_would_change_stays_float64():
    field = np.ones((4, 4))
    field[1, 2] = 2**24 + 1
    for dtype in ("f8", "i4", "u8"):
        density = as_density(field.astype(dtype))
        assert density.values.dtype == np.float64
        assert density.values[0, 1, 2] == 2**24 + 1


def test_a_square_is_one_plane():
    density = as_density(np.arange(16.0).reshape(4, 4))
    assert density.values.shape == (1, 4, 4)
    assert (density.ndim, density.side) == (2, 4)


def test_a_field_in_memory_is_not_copied():
    field = clumpy(16, 3, seed=1)
    assert np.shares_memory(as_density(field).values, field)


def test_a_misaligned_field_is_copied():
    field = np.frombuffer(b"\0" + np.arange(1, 65, dtype="f4").tobytes(), "f4", 64, 1)
    density = as_density(field.reshape(8, 8))
    assert density.values.flags.aligned
    assert density.mean == 32.5


@pytest.mark.parametrize(("last", "constant"), [(3.0, True), (4.0, False)])
def test_a_constant_field_is_known(last, constant):
    field = np.full((9, 9, 9), 3.0)
    field[-1, -1, -1] = last
    assert as_density(field).constant is constant


def test_minus_zero_is_zero():
    field = np.ones((4, 4), np.float32)
    field[2, 2] = -0.0
    values = as_density(field).values
    assert not np.signbit(values).any()
    assert np.signbit(field[2, 2])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "NaN or infinite"),
        (np.inf, "NaN or infinite"),
        (-np.inf, "NaN or infinite"),
        (-0.5, "down to -0.5"),
    ],
)
def test_one_bad_voxel_is_found_wherever_it_is(dtype, value, message):
    for place in (0, 4095, 4096, 16**3 * 8 - 1):
        field = np.ones(32**3, dtype)
        field[place] = value
        with pytest.raises(ValueError, match=message):
            as_density(field.reshape(32, 32, 32))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (np.zeros((8, 8)), "every voxel is zero"),
        (np.ones(8), "square or a cube"),
        (np.ones((8, 9)), "square or a cube"),
        (np.ones((2, 2, 2, 2)), "square or a cube"),
        (np.ones((1, 1)), "square or a cube"),
        (np.ones((8, 8), complex), "real numbers"),
        (np.full((8, 8), None), "real numbers"),
    ],
)
def test_what_is_no_density_field_is_refused(field, message):
    with pytest.raises(ValueError, match=message):
        as_density(field)
