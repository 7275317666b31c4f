"""The map of Appendix A against its formulas, and down-scaling against itself and the mean."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cubes.transform import backward, downscale, forward

C, S = 20_000.0, 3.0


def written_forward(x: float) -> float:
    """Equations (5) and (6), letter by letter."""

    def inner(x: float) -> float:
        if x <= C:
            return 3 * math.log(x + 1)
        return 3 * (math.log(C + 1) + x / C - 1)

    return inner(x + S) - inner(S)


def written_backward(y: float) -> float:
    """Equations (7) and (8), letter by letter."""

    def inner(y: float) -> float:
        if y <= 3 * math.log(C + 1):
            return math.exp(y / 3) - 1
        return C * (y / 3 + 1 - math.log(C + 1))

    return inner(y + 3 * math.log(S + 1)) - S


@given(st.floats(0, 1e7))
def test_forward_is_the_paper_s(x: float) -> None:
    assert float(forward(x)) == pytest.approx(written_forward(x), rel=1e-12, abs=1e-13)


@given(st.floats(0, 1000))
def test_backward_is_the_paper_s(y: float) -> None:
    assert float(backward(y)) == pytest.approx(written_backward(y), rel=1e-12, abs=1e-13)


def test_known_values() -> None:
    assert float(forward(0)) == 0
    assert float(forward(4)) == pytest.approx(3 * math.log(2), rel=1e-15)
    assert float(forward(C - S)) == pytest.approx(3 * math.log((C + 1) / 4), rel=1e-15)
    assert float(forward(2 * C - S)) == pytest.approx(3 * (math.log((C + 1) / 4) + 1), rel=1e-15)


@given(st.floats(0, 1e7))
def test_a_density_comes_back_from_its_mapped_value(x: float) -> None:
    assert float(backward(forward(x))) == pytest.approx(x, rel=1e-12, abs=1e-14)


@given(st.floats(max_value=-1e-300, allow_infinity=False))
def test_negative_mapped_values_become_empty_voxels(y: float) -> None:
    assert float(backward(y)) == 0


@pytest.mark.parametrize("function", [forward, backward])
def test_single_precision_stays_and_all_else_becomes_double(function: Any) -> None:
    assert function(np.ones(3, np.float32)).dtype == np.float32
    for dtype in (np.uint8, np.uint32, np.int64, np.float64, np.float16):
        assert function(np.ones(3, dtype)).dtype == np.float64
    single, double = (function(np.arange(40, dtype=kind)) for kind in (np.float32, np.float64))
    np.testing.assert_allclose(single, double, rtol=5e-6)


densities = hnp.arrays(
    np.float64,
    st.sampled_from([(4, 8), (8, 8), (4, 4, 8), (8, 8, 8)]),
    elements=st.floats(0, 1e5),
)


@given(densities)
def test_down_scaling_is_the_mapped_block_mean(field: np.ndarray[Any, Any]) -> None:
    small = downscale(field, 4)
    for index in np.ndindex(small.shape):
        block = field[tuple(slice(4 * i, 4 * i + 4) for i in index)]
        mean = np.mean([written_forward(x) for x in block.ravel()])
        assert small[index] == pytest.approx(written_backward(float(mean)), rel=1e-11, abs=1e-12)


@given(densities)
def test_down_scaling_composes(field: np.ndarray[Any, Any]) -> None:
    np.testing.assert_allclose(
        downscale(downscale(field, 2), 2), downscale(field, 4), rtol=1e-11, atol=1e-12
    )


def test_a_uniform_field_keeps_its_value_and_integers_are_taken() -> None:
    np.testing.assert_allclose(downscale(np.full((8, 8, 8), 64, np.uint32), 4), 64, rtol=1e-14)


def test_down_scaling_by_one_changes_nothing() -> None:
    field = np.arange(16.0).reshape(4, 4)
    assert np.array_equal(downscale(field, 1), field)


@pytest.mark.parametrize("factor", [0, -2, 3, 16])
def test_blocks_must_fit(factor: int) -> None:
    with pytest.raises(ValueError, match="blocks of side"):
        downscale(np.ones((8, 8)), factor)
