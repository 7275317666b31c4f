import numpy as np
import pytest

from scoring import Floor, Level, compare, floor_from_halves, floor_from_pool
from tests.fields import random_statistics

NAMES = ("psd", "mass", "peak")
ANY = Floor(Level(1, 0), Level(1, 0), Level(1, 0))


def expected_d2(count, repeats):
    """Mean d² of two fresh sets of this size, over fresh draws."""
    reports = [
        compare(random_statistics(count, (1, i)), random_statistics(count, (2, i)), floor=ANY)
        for i in range(repeats)
    ]
    return {name: np.mean([getattr(report, name).d2 for report in reports]) for name in NAMES}


def test_the_floor_of_a_pool_is_the_distance_of_fresh_sets():
    floor = floor_from_pool(random_statistics(40, seed=3), random_statistics(40, seed=4))
    for name, d2 in expected_d2(count=40, repeats=20).items():
        assert getattr(floor, name).mean == pytest.approx(d2, rel=0.2)


def test_the_floor_of_halves_is_that_of_whole_sets():
    floor = floor_from_halves(random_statistics(60, seed=5))
    for name, d2 in expected_d2(count=60, repeats=20).items():
        assert getattr(floor, name).mean == pytest.approx(d2, rel=0.25)


def test_a_floor_is_the_same_every_time():
    train, held_out = random_statistics(20, seed=1), random_statistics(20, seed=2)
    assert floor_from_pool(train, held_out) == floor_from_pool(train, held_out)
    assert floor_from_halves(train) == floor_from_halves(train)


def test_a_small_submission_has_a_higher_floor():
    train, held_out = random_statistics(40, seed=1), random_statistics(40, seed=2)
    whole, few = floor_from_pool(train, held_out), floor_from_pool(train, held_out, count=10)
    for name in NAMES:
        assert getattr(few, name).mean > 1.5 * getattr(whole, name).mean


def test_compare_takes_halves_where_it_is_given_no_floor():
    real, fake = random_statistics(20, seed=1), random_statistics(20, seed=2)
    assert compare(real, fake) == compare(real, fake, floor=floor_from_halves(real))


def test_too_few_fields_are_refused():
    with pytest.raises(ValueError, match="at least 4 real fields, not 3"):
        floor_from_halves(random_statistics(3, seed=1))
    with pytest.raises(ValueError, match="at least 2 fields, 1 and 5"):
        floor_from_pool(random_statistics(5, seed=1), random_statistics(1, seed=2))
    with pytest.raises(ValueError, match="5 and 9, out of 10"):
        floor_from_pool(random_statistics(5, 1), random_statistics(5, 2), count=9)


def test_sets_of_different_shapes_are_not_pooled():
    with pytest.raises(ValueError, match="cannot be pooled"):
        floor_from_pool(
            random_statistics(5, 1, bins=(43, 20, 20)), random_statistics(5, 2, bins=(46, 20, 20))
        )
