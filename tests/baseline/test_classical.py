"""The classical models: exact one-point distributions, powers reached, same seeds."""

import numpy as np
import pytest

from baseline.classical import (
    CLASSICAL_MODELS,
    clipped_gaussian,
    lognormal,
    rank_matched_gaussian,
)
from baseline.shells import Shells
from cubes.demo import demo_fields


@pytest.fixture(scope="module")
def train():
    return np.stack(list(demo_fields("3d-32", "train")))


def test_rank_matching_keeps_the_training_values_and_reaches_the_training_power(train):
    fields = rank_matched_gaussian(train, len(train), seed=3)
    np.testing.assert_allclose(np.sort(fields, axis=None), np.sort(train, axis=None), rtol=1e-12)
    shells = Shells.of_side(train.shape[1])
    known = shells.modes > 0
    known[0] = False
    reached, target = shells.mean_power(fields)[known], shells.mean_power(train)[known]
    assert np.abs(np.log(reached / target)).max() < 0.05


def test_rank_matching_draws_any_number_of_fields(train):
    fields = rank_matched_gaussian(train[:4], 2, seed=0)
    assert fields.shape == (2, 32, 32, 32)
    assert train[:4].min() <= fields.min() < fields.max() <= train[:4].max()


def test_lognormal_fields_have_mean_and_power_of_the_training_fields(train):
    fields = lognormal(train, 60, seed=5)
    assert fields.min() > 0
    assert fields.mean() == pytest.approx(train.mean(), rel=0.01)
    shells = Shells.of_side(train.shape[1])
    middle = slice(20, 200)  # many modes each, so that the sampling error is small
    ratio = shells.mean_power(fields)[middle].sum() / shells.mean_power(train)[middle].sum()
    assert ratio == pytest.approx(1, abs=0.05)


def test_clipping_leaves_no_negative_density_and_raises_the_mean(train):
    fields = clipped_gaussian(train, 4, seed=5)
    assert fields.min() == 0
    assert fields.mean() > train.mean()


@pytest.mark.parametrize("model", CLASSICAL_MODELS, ids=lambda model: model.name)
def test_same_seed_draws_the_same_fields_and_another_seed_others(model, train):
    few = train[:3]
    first, again, other = (model.draw(few, 2, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
