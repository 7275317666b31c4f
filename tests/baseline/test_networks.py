"""Every layer's output shape and parameters against the paper's tables, errata applied."""

from itertools import pairwise

import pytest
import torch

from baseline import networks
from baseline.networks import (
    FlatCritic,
    FlatGenerator,
    FlatSizes,
    M1Critic,
    M1Generator,
    M1Sizes,
    M2Critic,
    M2Generator,
    M2Sizes,
    M3Critic,
    M3Generator,
    M3Sizes,
    UniscaleCritic,
    UniscaleGenerator,
    UniscaleSizes,
)

D = 4  # the tables' d, small enough to run
N = 2


def shapes_of(layers, run):
    """Output shapes of layers during a run, without the batch."""
    seen = []
    hooks = [
        layer.register_forward_hook(lambda _, __, output: seen.append(tuple(output.shape[1:])))
        for layer in layers
    ]
    result = run()
    for hook in hooks:
        hook.remove()
    return seen, result


def cube(channels, side):
    return (channels, side, side, side)


def numbers(module):
    return sum(parameter.numel() for parameter in module.parameters())


def convolution(inputs, outputs, kernel=4, ndim=3):
    return kernel**ndim * inputs * outputs + outputs


def inception(inputs, outputs):
    branches = sum(convolution(inputs, outputs, kernel) for kernel in (1, 2, 4))
    return branches + convolution(3 * outputs, outputs, kernel=1)


def dense(inputs, outputs):
    return inputs * outputs + outputs


@pytest.mark.parametrize("inception_modules", [False, True])
def test_table_3_generator_shapes(inception_modules):
    generator = M3Generator(M3Sizes(width=D, inception=inception_modules))
    seen, field = shapes_of(
        [generator.dense, *generator.deconvolutions], lambda: generator(torch.randn(N, 256))
    )
    assert seen == [
        (256 * D,),
        cube(4 * D, 8),
        cube(2 * D, 16),
        cube(D, 32),
        cube(D, 32),
        cube(1, 32),
    ]
    assert field.shape == (N, 1, 32, 32, 32)


def test_table_3_critic_shapes():
    critic = M3Critic(M3Sizes(width=D, inception=False, fourier=False))
    seen, scores = shapes_of(
        [*critic.convolutions, critic.dense], lambda: critic(torch.randn(N, 1, 32, 32, 32))
    )
    assert seen == [cube(D, 32), cube(D, 32), cube(2 * D, 16), cube(4 * D, 8), cube(8 * D, 4), (1,)]
    assert scores.shape == (N,)


def test_table_3_parameters():
    d = 64
    table = M3Sizes(width=d, inception=False, fourier=False)
    assert numbers(M3Generator(table)) == (
        dense(256, 256 * d)
        + convolution(4 * d, 4 * d)
        + convolution(4 * d, 2 * d)
        + convolution(2 * d, d)
        + convolution(d, d)
        + convolution(d, 1)
    )
    assert numbers(M3Critic(table)) == (
        convolution(1, d)
        + convolution(d, d)
        + convolution(d, 2 * d)
        + convolution(2 * d, 4 * d)
        + convolution(4 * d, 8 * d)
        + dense(512 * d, 1)
    )


def test_published_m3_critic_joins_464_psd_features_and_an_amplitude_channel():
    d = 64
    assert numbers(M3Critic(M3Sizes(width=d))) == (
        inception(2, d)
        + inception(d, d)
        + inception(d, 2 * d)
        + inception(2 * d, 4 * d)
        + inception(4 * d, 8 * d)
        + dense(512 * d + 464, 1)
    )


def test_table_4_generator_shapes():
    # 256 d / 16^3 channels are two at the paper's d alone, so the table is checked at that width.
    full = M2Generator(M2Sizes(width=32))
    assert full.latent_shape == (5120,)
    layers = [*full.encoder, full.dense, *full.deconvolutions]
    seen, field = shapes_of(
        layers,
        lambda: full(
            torch.randn(1, 5120), torch.randn(1, 7, 32, 32, 32), torch.randn(1, 1, 32, 32, 32)
        ),
    )
    d = 32
    assert seen == [
        cube(d, 16),
        cube(d, 8),
        cube(16, 4),
        (256 * d,),
        cube(d, 16),
        cube(d, 16),
        cube(4 * d, 32),
        cube(2 * d, 32),
        cube(1, 32),
    ]
    assert field.shape == (1, 1, 32, 32, 32)


def test_table_4_critic_shapes():
    critic = M2Critic(M2Sizes(width=D))
    seen, scores = shapes_of(
        [*critic.convolutions, *critic.dense],
        lambda: critic(
            torch.randn(N, 1, 32, 32, 32),
            torch.randn(N, 7, 32, 32, 32),
            torch.randn(N, 1, 32, 32, 32),
        ),
    )
    assert seen == [
        cube(D, 64),
        cube(2 * D, 32),
        cube(4 * D, 16),
        cube(D, 16),
        cube(D, 8),
        (256,),
        (1,),
    ]
    assert scores.shape == (N,)


@pytest.mark.parametrize("hidden", [0, 256])
def test_table_4_parameters(hidden):
    d = 32
    sizes = M2Sizes(width=d, dense=hidden)
    assert numbers(M2Generator(sizes)) == (
        convolution(7, d)
        + convolution(d, d)
        + convolution(d, 16)
        + dense(2048, 256 * d)
        + convolution(4, d)
        + convolution(d, d)
        + convolution(d, 4 * d)
        + convolution(4 * d, 2 * d)
        + convolution(2 * d, 1)
    )
    verdict = dense(512 * d, 256) + dense(256, 1) if hidden else dense(512 * d, 1)
    assert numbers(M2Critic(sizes)) == (
        convolution(3, d)
        + convolution(d, 2 * d)
        + convolution(2 * d, 4 * d)
        + convolution(4 * d, d)
        + convolution(d, d)
        + verdict
    )


def test_table_5_shapes():
    generator, critic = M1Generator(M1Sizes(width=D)), M1Critic(M1Sizes(width=D))
    borders, coarse = torch.randn(N, 7, 32, 32, 32), torch.randn(N, 1, 16, 16, 16)
    seen, field = shapes_of(
        generator.inceptions, lambda: generator(torch.randn(N, 1, 32, 32, 32), borders, coarse)
    )
    assert seen == [cube(D, 32)] * 7 + [cube(1, 32)]
    assert field.min() >= 0
    seen, scores = shapes_of(
        [*critic.inceptions, *critic.dense], lambda: critic(field, borders, coarse)
    )
    assert seen == [
        cube(2 * D, 32),
        cube(2 * D, 32),
        cube(D, 32),
        cube(D, 32),
        cube(D, 32),
        cube(D, 32),
        cube(D, 16),
        cube(D, 8),
        (64,),
        (16,),
        (1,),
    ]
    assert scores.shape == (N,)


def test_table_5_parameters_need_d_of_32():
    d = 32
    generator, critic = M1Generator(M1Sizes()), M1Critic(M1Sizes())
    assert numbers(generator) == inception(9, d) + 6 * inception(d, d) + inception(d, 1)
    assert critic.dense[0].weight.shape == (64, 18298)
    assert numbers(critic) == (
        inception(3, 2 * d)
        + inception(2 * d, 2 * d)
        + inception(2 * d, d)
        + 5 * inception(d, d)
        + dense(18298, 64)
        + dense(64, 16)
        + dense(16, 1)
    )


def test_uniscale_shapes():
    sizes = UniscaleSizes(width=D)
    generator, critic = UniscaleGenerator(sizes), UniscaleCritic(sizes)
    borders = torch.randn(N, 7, 32, 32, 32)
    field = generator(torch.randn(N, 1, 32, 32, 32), borders)
    assert field.shape == (N, 1, 32, 32, 32)
    seen, scores = shapes_of(critic.inceptions, lambda: critic(field, borders))
    assert [shape[1] for shape in seen] == [32, 16, 8, 8, 8, 8]
    assert critic.dense[0].weight.shape == (64, 2 * 8**3 + 1914)
    assert scores.shape == (N,)


@pytest.mark.parametrize("side", [32, 64])
def test_flat_shapes_and_parameters(side):
    sizes = FlatSizes(side=side)
    generator, critic = FlatGenerator(sizes), FlatCritic(sizes)
    seen, field = shapes_of(generator.deconvolutions, lambda: generator(torch.randn(N, 2 * side)))
    assert [shape[0] for shape in seen] == [32, 64, 128, 64, 1]
    assert field.shape == (N, 1, side, side)
    seen, scores = shapes_of(critic.convolutions, lambda: critic(field))
    assert [shape[0] for shape in seen] == [32, 64, 128, 64, 32]
    assert scores.shape == (N,)
    widths = [8, 32, 64, 128, 64, 1]
    assert numbers(generator) == dense(2 * side, side**2 // 8) + sum(
        convolution(i, o, ndim=2) for i, o in pairwise(widths)
    )


def test_spectral_norm_is_where_the_published_code_has_it():
    def normed(network):
        return sum(name.endswith("_u") for name, _ in network.named_buffers())

    assert normed(M3Generator(M3Sizes(width=D, inception=False))) == 5
    assert normed(M3Critic(M3Sizes(width=D, inception=False))) == 5
    assert normed(M2Generator(M2Sizes(width=D))) == 5  # the border encoder has none
    assert normed(M2Critic(M2Sizes(width=D))) == 5
    assert normed(M1Generator(M1Sizes(width=D))) == normed(M1Critic(M1Sizes(width=D))) == 0
    assert normed(UniscaleCritic(UniscaleSizes(width=D))) == 6 * 4
    assert normed(FlatCritic(FlatSizes())) == 0


def test_patches_are_of_the_papers_side():
    assert networks.PATCH == 32
