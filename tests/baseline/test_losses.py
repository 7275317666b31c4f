"""Losses with closed forms: a linear critic's gradient is its weight everywhere."""

import math

import pytest
import torch

from baseline.losses import critic_loss, energy_score, generator_loss, gradient_penalty

SHAPE = (1, 4, 4, 4)


def fields(count, seed):
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(seed))


def test_penalty_of_a_linear_critic_is_the_distance_of_its_norm_from_one():
    weight = fields(1, seed=2)[0]
    penalty = gradient_penalty(
        lambda x: (x * weight).sum(dim=(1, 2, 3, 4)), fields(3, 0), fields(3, 1), torch.rand(3)
    )
    assert penalty.item() == pytest.approx((weight.norm().item() - 1) ** 2, rel=1e-5)


def test_penalty_is_per_sample_and_not_of_the_batch():
    # D(x) = s_i |x|_1-like with gradients of norms 1 and 3: mean of 0 and 4, where the norm over
    # the batch would give (sqrt(10) - 1)^2.
    unit = torch.zeros(SHAPE)
    unit[0, 0, 0, 0] = 1
    scale = torch.tensor([1.0, 3.0])
    penalty = gradient_penalty(
        lambda x: scale * (x * unit).sum(dim=(1, 2, 3, 4)),
        fields(2, 0),
        fields(2, 1),
        torch.rand(2),
    )
    assert penalty.item() == pytest.approx(2.0)


def test_penalty_is_taken_between_real_and_fake():
    # The gradient of |x|^2 / 2 is x itself, so that the penalty shows where it was taken.
    real, fake = torch.full((1, *SHAPE), 2.0), torch.zeros(1, *SHAPE)
    for mix in (0.0, 0.25, 1.0):
        penalty = gradient_penalty(
            lambda x: x.square().sum(dim=(1, 2, 3, 4)) / 2, real, fake, torch.tensor([mix])
        )
        assert penalty.item() == pytest.approx((mix * 2 * 8 - 1) ** 2, abs=1e-5)


def test_penalty_of_a_constant_critic_is_one_and_its_gradient_finite():
    constant = torch.zeros((), requires_grad=True)
    penalty = gradient_penalty(
        lambda x: (x * constant).sum(dim=(1, 2, 3, 4)), fields(2, 0), fields(2, 1), torch.rand(2)
    )
    penalty.backward()
    assert penalty.item() == pytest.approx(1, abs=1e-6)
    assert math.isfinite(constant.grad.item())


def test_penalty_reaches_the_critics_weights():
    weight = torch.ones(
        SHAPE, requires_grad=True
    )  # |w| = 8: d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|
    gradient_penalty(
        lambda x: (x * weight).sum(dim=(1, 2, 3, 4)), fields(2, 0), fields(2, 1), torch.rand(2)
    ).backward()
    torch.testing.assert_close(weight.grad, torch.full(SHAPE, 2 * 7 / 8))


@pytest.mark.parametrize(
    ("real", "fake", "extra"), [(2.0, -1.0, 0.0), (2.0, 1.0, 2.0), (-3.0, -1.0, 3.0)]
)
def test_saturation_acts_only_where_both_scores_have_one_sign(real, fake, extra):
    scores = torch.tensor([real - 1, real + 1]), torch.tensor([fake - 1, fake + 1])
    plain, regularised = (
        critic_loss(*scores, torch.tensor(0.5), weight=10, saturation=on) for on in (False, True)
    )
    assert plain.item() == pytest.approx(fake - real + 5)
    assert regularised.item() == pytest.approx(fake - real + 5 + extra)


def test_generator_wants_high_scores():
    assert generator_loss(torch.tensor([1.0, 3.0])).item() == -2


def test_energy_score_of_known_distances():
    # Blocks of 2^3 voxels that differ by 1 and 2 everywhere are sqrt(8) and 2 sqrt(8) apart:
    # (1 + 2 - 1) sqrt(8) / 2.
    real = torch.zeros(1, 1, 4, 4, 4)
    score = energy_score(real + 1, real + 2, real, block=2)
    assert score.item() == pytest.approx(math.sqrt(8))


def test_energy_score_judges_neighbours_together_across_the_faces_of_blocks():
    # Norms add up over blocks: less than twice one voxel's where two are in a block.
    def score(*voxels):
        wrong = torch.zeros(1, 1, 8, 8, 8)
        for voxel in voxels:
            wrong[0, 0, 4, 4, voxel] = 1
        return energy_score(wrong, wrong, torch.zeros_like(wrong)).item()

    assert score(3, 4) < 0.9 * (score(3) + score(4))
    assert score(0, 7) == pytest.approx(score(0) + score(7), abs=1e-5)


def test_energy_score_is_smallest_at_the_real_scatter():
    # Gaussian blocks of scatter s drawn for real ones of scatter 1.
    rng = torch.Generator().manual_seed(0)
    first, second, real = torch.randn(3, 400, 1, 8, 8, 8, generator=rng)
    scores = {s: energy_score(s * first, s * second, real).item() for s in (0.0, 0.7, 1.0, 1.4)}
    assert min(scores, key=scores.get) == 1.0


def test_energy_score_has_a_gradient_where_fields_agree():
    field = torch.zeros(1, 1, 4, 4, 4, requires_grad=True)
    energy_score(field, field, torch.zeros(1, 1, 4, 4, 4)).backward()
    assert field.grad.isfinite().all()
