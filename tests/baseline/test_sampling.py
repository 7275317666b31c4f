"""Sampling: any order of patches, any batch and any patch side give the same fields."""

import pytest
import torch

from baseline.networks import (
    FlatGenerator,
    FlatSizes,
    M1Generator,
    M1Sizes,
    M2Generator,
    M2Sizes,
    UniscaleGenerator,
    UniscaleSizes,
)
from baseline.sampling import (
    Latents,
    first_scale,
    raster,
    stage_fields,
    upscaled_by_neighbours,
    upscaled_in_context,
    wavefronts,
)
from baseline.small import SmallUpscaleGenerator, SmallUpscaleSizes

LATENTS = Latents(seed=7, stage="m2")


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def coarse_fields(count, side):
    return torch.rand(count, 1, side, side, side, generator=torch.Generator().manual_seed(1))


def generator_of(kind):
    return {
        "m2": lambda: M2Generator(M2Sizes(width=16)),
        "m1": lambda: M1Generator(M1Sizes(width=2)),
        "uniscale": lambda: UniscaleGenerator(UniscaleSizes(width=2)),
    }[kind]().eval()


def coarse_for(kind, count):
    return {"m2": coarse_fields(count, 32), "m1": coarse_fields(count, 16), "uniscale": None}[kind]


def test_wavefronts_hold_every_patch_once_and_after_its_neighbours():
    fronts = list(wavefronts(8))
    assert len(fronts) == 22
    done = set()
    for front in fronts:
        for x, y, z in front:
            for dx, dy, dz in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)):
                before = (x - dx, y - dy, z - dz)
                assert before in done or min(before) < 0
        done |= set(front)
    assert len(done) == 512


@pytest.mark.parametrize("kind", ["m2", "m1", "uniscale"])
def test_wavefronts_give_what_raster_order_gives(kind):
    generator, coarse = generator_of(kind), coarse_for(kind, 1)
    by_front = upscaled_by_neighbours(generator, coarse, LATENTS, [0], patches=2)
    one_by_one = upscaled_by_neighbours(
        generator, coarse, LATENTS, [0], patches=2, order=raster(2), batch=1
    )
    assert by_front.shape == (1, 1, 64, 64, 64)
    torch.testing.assert_close(by_front, one_by_one, rtol=1e-4, atol=1e-5)


def test_a_patch_depends_on_the_patches_before_it_and_not_on_those_after():
    generator = generator_of("m1")
    coarse = coarse_fields(1, 16)
    grown = upscaled_by_neighbours(generator, coarse, LATENTS, [0], patches=2)
    changed = coarse.clone()
    changed[..., 8:, 8:, 8:] += 1  # under the last patch
    again = upscaled_by_neighbours(generator, changed, LATENTS, [0], patches=2)
    assert torch.equal(again[..., :32, :, :], grown[..., :32, :, :])
    assert not torch.equal(again[..., 32:, 32:, 32:], grown[..., 32:, 32:, 32:])
    changed = coarse.clone()
    changed[..., :8, :8, :8] += 1  # under the first patch, which all others see
    again = upscaled_by_neighbours(generator, changed, LATENTS, [0], patches=2)
    assert not torch.equal(again[..., 32:, 32:, 32:], grown[..., 32:, 32:, 32:])


def test_a_field_does_not_depend_on_those_drawn_with_it():
    generator, coarse = generator_of("m1"), coarse_for("m1", 3)
    together = upscaled_by_neighbours(generator, coarse, LATENTS, [4, 5, 6], patches=2)
    alone = upscaled_by_neighbours(generator, coarse[1:2], LATENTS, [5], patches=2)
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


def test_uniscale_drops_the_patches_that_had_no_neighbours():
    generator = generator_of("uniscale")
    grown = upscaled_by_neighbours(generator, None, LATENTS, [0], patches=2)
    kept = stage_fields(generator, None, LATENTS, [0], side=32)
    assert torch.equal(kept, grown[..., 32:, 32:, 32:])


@pytest.mark.parametrize("factor", [2, 4])
def test_patches_in_context_fit_together_whatever_their_side(factor):
    sizes = SmallUpscaleSizes(factor=factor, layers=4, coarse_width=4, width=4)
    generator = SmallUpscaleGenerator(sizes).eval()
    coarse = coarse_fields(1, 64 // factor)
    fields = [
        upscaled_in_context(generator, coarse, LATENTS, [3], patch=patch) for patch in (16, 32, 64)
    ]
    for field in fields[1:]:
        torch.testing.assert_close(field, fields[0], rtol=1e-4, atol=1e-5)


def test_a_field_in_context_is_periodic():
    # Shifting coarse field and noise together shifts the result: no face is special.
    sizes = SmallUpscaleSizes(coarse_width=4, width=4)
    generator = SmallUpscaleGenerator(sizes).eval()

    class Shifted(Latents):
        def noise(self, field, shape):
            return super().noise(field, shape).roll(32, dims=-1)

    coarse = coarse_fields(1, 32)
    plain = upscaled_in_context(generator, coarse, LATENTS, [0])
    shifted = upscaled_in_context(generator, coarse.roll(16, dims=-1), Shifted(7, "m2"), [0])
    torch.testing.assert_close(shifted, plain.roll(32, dims=-1), rtol=1e-4, atol=1e-5)


def test_first_scale_draws_each_field_from_its_own_seed():
    generator = FlatGenerator(FlatSizes(side=32))
    three = first_scale(generator, LATENTS, [0, 1, 2])
    torch.testing.assert_close(first_scale(generator, LATENTS, [1]), three[1:2])
    assert not torch.equal(three[0], three[1])
    other = first_scale(generator, Latents(8, "m2"), [0])
    assert not torch.equal(other, three[:1])


def test_stages_and_patches_have_seeds_of_their_own():
    first = torch.randn(4, generator=Latents(1, "m2").rng(0))
    for other in (
        Latents(1, "m1").rng(0),
        Latents(1, "m2").rng(0, (0, 0, 1)),
        Latents(2, "m2").rng(0),
    ):
        assert not torch.equal(torch.randn(4, generator=other), first)
    assert torch.equal(torch.randn(4, generator=Latents(1, "m2").rng(0)), first)
