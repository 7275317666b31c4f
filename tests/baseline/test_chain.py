"""Chains: stage after stage from the same seeds, each on the fields of the one before."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from baseline.calibration import Calibration
from baseline.chain import CHAINS, Chain, read_chain
from baseline.neighbours import shrunk
from baseline.small import SmallFirstGenerator, SmallFirstSizes
from baseline.stages import STAGES
from baseline.tensors import TensorFileError
from baseline.weights import Weights
from cubes.tracks import TRACKS
from tests.baseline.tiny_run import TINY

FIRST_SIZES = SmallFirstSizes(side=8, width=4)
FIRST = replace(
    STAGES["small", "m3"],
    side=8,
    sizes=FIRST_SIZES,
    generator=partial(SmallFirstGenerator, FIRST_SIZES),
)


@pytest.fixture(scope="module")
def chain():
    torch.manual_seed(0)
    first = FIRST.generator()
    first.fit(torch.rand(3, 8, 8, 8) + 1)
    return Chain((Weights(FIRST, first, None, {}), Weights(TINY, TINY.generator(), None, {})))


def test_every_track_has_a_chain_of_stages_in_the_paper_configuration():
    assert set(CHAINS) == set(TRACKS)
    for track, stages in CHAINS.items():
        last = STAGES["paper", stages[-1]]
        assert getattr(last.sizes, "side", last.side) == TRACKS[track].side


def test_fields_are_densities_of_the_last_stages_side(chain):
    fields = list(chain.densities(3, seed=0))
    assert len(fields) == 3
    for field in fields:
        assert field.shape == (16, 16, 16)
        assert field.dtype == np.float32
        assert field.min() >= 0


def test_every_stage_starts_from_the_fields_of_the_one_before(chain):
    first = Chain(chain.stages[:1]).values([0, 1], seed=4)
    both = chain.values([0, 1], seed=4)
    torch.testing.assert_close(shrunk(both, 2), first)


def test_the_same_number_and_seed_give_the_same_field(chain):
    three = list(chain.densities(3, seed=1))
    again = list(chain.densities(3, seed=1))
    assert all(np.array_equal(a, b) for a, b in zip(three, again, strict=True))
    np.testing.assert_allclose(list(chain.densities(2, seed=1)), three[:2], rtol=1e-5)
    assert not np.array_equal(three[0], next(chain.densities(1, seed=2)))


def test_a_stage_passes_its_calibrated_fields_on(chain):
    calibration = Calibration(8)
    values = Chain(chain.stages[:1]).values(range(4), seed=0)
    calibration.fit(values, values[:, 0] + 0.5, passes=8)
    first = replace(chain.stages[0], calibration=calibration)
    both = Chain((first, chain.stages[1])).values([0], seed=0)
    assert shrunk(both, 2).mean() == pytest.approx(values[0].mean().item() + 0.5, abs=0.05)


def test_weights_that_are_not_there_get_a_sentence(tmp_path):
    with pytest.raises(TensorFileError, match="small-m3"):
        read_chain(CHAINS["3d-32"], "small", tmp_path)
