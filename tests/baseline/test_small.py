"""The small networks: exact projection, the coloured noise, and the pieces they are made of."""

import numpy as np
import pytest
import torch

from baseline.data import from_network, to_network
from baseline.neighbours import enlarged, shrunk
from baseline.shells import Shells
from baseline.small import (
    ColouredNoise,
    SmallCritic,
    SmallCriticSizes,
    SmallFirstGenerator,
    SmallFirstSizes,
    SmallUpscaleCritic,
    SmallUpscaleGenerator,
    SmallUpscaleSizes,
    crop,
    interpolate,
    shuffle,
)
from cubes.demo import demo_fields

HEIGHTS = (2.8, 6.0)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def train():
    return np.stack(list(demo_fields("3d-32", "train")))


@pytest.fixture(scope="module")
def noise(train):
    noise = ColouredNoise(32)
    noise.fit(to_network(train))
    return noise


def test_coloured_noise_has_unit_variance_and_the_training_values(noise, train):
    gaussian, values = noise(torch.randn(60, 1, 32, 32, 32))
    assert gaussian.std().item() == pytest.approx(1, abs=0.02)
    levels = [0.01, 0.1, 0.5, 0.9, 0.99]
    np.testing.assert_allclose(
        np.quantile(from_network(values), levels), np.quantile(train, levels), rtol=0.02
    )


def test_coloured_noise_has_the_training_power(noise, train):
    _, values = noise(torch.randn(30, 1, 32, 32, 32))
    shells = Shells.of_side(32)
    middle = slice(20, 200)
    drawn = shells.mean_power(from_network(values[:, 0]))[middle].sum()
    assert drawn / shells.mean_power(train)[middle].sum() == pytest.approx(1, abs=0.05)


def test_first_generator_starts_from_the_coloured_noise(train):
    generator = SmallFirstGenerator(SmallFirstSizes(width=4))
    generator.fit(to_network(train[:4]))
    latent = torch.randn(2, *generator.latent_shape)
    torch.testing.assert_close(generator(latent), generator.noise(latent[:, :1])[1])


def test_first_generator_is_periodic():
    # A shifted noise gives a shifted field: no face of the cube is special.
    sizes = SmallFirstSizes(side=8, width=4)
    generator = SmallFirstGenerator(sizes)
    generator.fit(torch.rand(2, 8, 8, 8))
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    latent = torch.randn(1, *generator.latent_shape)
    shift = {"shifts": (1, 5, 3), "dims": (-3, -2, -1)}
    torch.testing.assert_close(
        generator(latent.roll(**shift)), generator(latent).roll(**shift), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(("factor", "layers"), [(2, 3), (2, 2), (4, 4)])
def test_upscaled_patch_shrinks_back_to_its_coarse_input_exactly(factor, layers):
    sizes = SmallUpscaleSizes(factor=factor, layers=layers, coarse_width=4, width=4, patch=8)
    generator = SmallUpscaleGenerator(sizes)
    coarse = torch.rand(2, 1, *[8 // factor + 2 * sizes.context] * 3)
    patch = generator(torch.randn(2, *generator.latent_shape), coarse)
    assert patch.shape == (2, 1, 8, 8, 8)
    assert (patch - enlarged(shrunk(patch, factor), factor)).std() > 0.01
    torch.testing.assert_close(shrunk(patch, factor), crop(coarse, 8 // factor))
    critic = SmallUpscaleCritic(sizes, SmallCriticSizes(HEIGHTS, channels=3, width=4))
    assert critic(patch, coarse).shape == (2,)


def test_critic_scores_each_field_alone():
    critic = SmallCritic(SmallCriticSizes(HEIGHTS, width=4))
    fields = torch.randn(3, 1, 8, 8, 8)
    together = critic(fields)
    alone = torch.cat([critic(field[None]) for field in fields])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize(("halvings", "width"), [(2, 9), (3, 17)])
def test_a_critic_that_halves_once_more_sees_twice_as_far(halvings, width):
    critic = SmallCritic(SmallCriticSizes(HEIGHTS, width=4, halvings=halvings))
    field = torch.randn(1, 1, 32, 32, 32, requires_grad=True)
    features = critic.features(field)
    middle = features.shape[-1] // 2
    features[0, :, middle, middle, middle].sum().backward()
    assert field.grad[0, 0].abs().sum(dim=(1, 2)).count_nonzero() == width


def test_critic_tells_fields_by_a_single_maximum(train):
    critic = SmallCritic(SmallCriticSizes(HEIGHTS, width=4))
    field = to_network(train[:1])[:, None]
    lowered = field.clone()
    lowered[field == field.max()] = field.median()
    apart = (critic(field) - critic(lowered)).abs().item()
    for parameter in critic.verdict_on_peaks.parameters():
        torch.nn.init.zeros_(parameter)
    assert apart > 2 * (critic(field) - critic(lowered)).abs().item()


def test_interpolation_is_numpys_inside_and_linear_beyond():
    nodes, values = torch.linspace(-1, 1, 5), torch.tensor([0.0, 1.0, 1.5, 3.0, 7.0])
    x = torch.linspace(-1, 1, 40)
    expected = np.interp(x.numpy(), nodes.numpy(), values.numpy())
    np.testing.assert_allclose(
        interpolate(x, nodes, values).numpy(), expected, rtol=1e-5, atol=1e-6
    )
    beyond = interpolate(torch.tensor([-1.5, 1.5]), nodes, values)
    torch.testing.assert_close(beyond, torch.tensor([-1.0, 11.0]))


def test_shuffling_puts_the_channels_of_a_voxel_into_its_block():
    features = torch.arange(16.0).reshape(1, 16, 1, 1, 1)
    fine = shuffle(features, 2)
    assert fine.shape == (1, 2, 2, 2, 2)
    assert torch.equal(fine[0, 0].flatten(), torch.arange(8.0))
    assert torch.equal(fine[0, 1].flatten(), torch.arange(8.0, 16.0))
