"""The stages of each configuration: networks, examples and optimisation, in one table."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from baseline.data import (
    Example,
    neighbourhoods,
    patches_in_context,
    squares,
    whole_cubes,
)
from baseline.networks import (
    PATCH,
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
from baseline.small import (
    SmallCritic,
    SmallCriticSizes,
    SmallFirstGenerator,
    SmallFirstSizes,
    SmallUpscaleCritic,
    SmallUpscaleGenerator,
    SmallUpscaleSizes,
)


@dataclass(frozen=True)
class Optimisation:
    """How a stage is trained.

    Attributes:
        method: TensorFlow's RMSprop, or Adam with betas (0, 0.9).
        generator_rate: Learning rate of the generator.
        critic_rate: Learning rate of the critic.
        critic_steps: Critic updates for one of the generator; they share one real batch.
        batch: Examples in a batch.
        penalty: Weight of the gradient penalty.
        saturation: Whether the loss has the regulariser of equation 9.
        averaging: Decay of the running mean of the generator's weights that is scored, sampled
            and shipped; 0 takes the weights as they are.
        iterations: Generator updates in all.
        warm_up: Iterations, the first ones, in which the generator minimises the energy score on
            real conditions instead, and the critic waits.
        warm_up_rate: Learning rate of the generator in them.
    """

    method: Literal["rmsprop", "adam"] = "rmsprop"
    generator_rate: float = 3e-5
    critic_rate: float = 3e-5
    critic_steps: int = 5
    batch: int = 8
    penalty: float = 10.0
    saturation: bool = True
    averaging: float = 0.0
    iterations: int = 100_000
    warm_up: int = 0
    warm_up_rate: float = 1e-3


def _nothing_to_fit(generator: nn.Module, cubes: Tensor) -> None:
    """Leave the generator as it is."""


@dataclass(frozen=True)
class Stage:
    """One Wasserstein GAN of a configuration.

    Attributes:
        configuration: `paper` or `small`.
        name: `m3`, `m2`, `m1`, `uniscale` or `2d-…`.
        side: Side of the real cubes that it learns.
        sizes: Sizes of the generator, frozen.
        generator: Makes the generator.
        critic: Makes the critic.
        examples: Draws real examples from cubes of network values.
        optimisation: How it is trained.
        fit: Sets what the generator takes from training cubes without being trained.
        passes: In how many the filter of its calibration on training cubes is found; None if its
            samples are not calibrated.
    """

    configuration: str
    name: str
    side: int
    sizes: Any
    generator: Callable[[], nn.Module]
    critic: Callable[[], nn.Module]
    examples: Callable[[Tensor, int, torch.Generator], Example]
    optimisation: Optimisation
    fit: Callable[[Any, Tensor], None] = _nothing_to_fit
    passes: int | None = None


def _paper_stages() -> list[Stage]:
    m3, m2, m1, uniscale = M3Sizes(), M2Sizes(), M1Sizes(), UniscaleSizes()
    return [
        Stage(
            "paper",
            "m3",
            32,
            m3,
            partial(M3Generator, m3),
            partial(M3Critic, m3),
            whole_cubes,
            Optimisation(iterations=34_000),
        ),
        Stage(
            "paper",
            "m2",
            64,
            m2,
            partial(M2Generator, m2),
            partial(M2Critic, m2),
            partial(neighbourhoods, patch=PATCH, factor=m2.factor),
            Optimisation(saturation=False, iterations=92_000),
        ),
        Stage(
            "paper",
            "m1",
            256,
            m1,
            partial(M1Generator, m1),
            partial(M1Critic, m1),
            partial(neighbourhoods, patch=PATCH, factor=m1.factor),
            Optimisation(iterations=76_000),
        ),
        Stage(
            "paper",
            "uniscale",
            256,
            uniscale,
            partial(UniscaleGenerator, uniscale),
            partial(UniscaleCritic, uniscale),
            partial(neighbourhoods, patch=PATCH, factor=None),
            Optimisation(),
        ),
        *[
            Stage(
                "paper",
                f"2d-{flat.side}",
                256,
                flat,
                partial(FlatGenerator, flat),
                partial(FlatCritic, flat),
                partial(squares, side=flat.side),
                Optimisation(saturation=False, batch=32),
            )
            for flat in map(FlatSizes, (32, 64, 128, 256))
        ],
    ]


def _small_stages() -> list[Stage]:
    adam = Optimisation(
        method="adam",
        generator_rate=5e-5,
        critic_rate=2e-4,
        critic_steps=3,
        batch=4,
        averaging=0.999,
        iterations=10_000,
    )
    m3 = SmallFirstSizes()
    m2 = SmallUpscaleSizes(factor=2)
    m1 = SmallUpscaleSizes(factor=4, layers=4)
    return [
        Stage(
            "small",
            "m3",
            32,
            m3,
            partial(SmallFirstGenerator, m3),
            partial(SmallCritic, SmallCriticSizes(heights=(2.8, 6.0))),
            whole_cubes,
            replace(adam, generator_rate=1e-4),
            fit=SmallFirstGenerator.fit,
            passes=8,
        ),
        *[
            Stage(
                "small",
                name,
                side,
                sizes,
                partial(SmallUpscaleGenerator, sizes),
                partial(SmallUpscaleCritic, sizes, critic),
                partial(
                    patches_in_context,
                    patch=sizes.patch,
                    factor=sizes.factor,
                    context=sizes.context,
                ),
                optimisation,
                passes=passes,
            )
            for name, side, sizes, critic, optimisation, passes in (
                (
                    "m2",
                    64,
                    m2,
                    SmallCriticSizes(heights=(2.8, 8.8), channels=3),
                    replace(adam, warm_up=500),
                    8,
                ),
                (
                    "m1",
                    256,
                    m1,
                    SmallCriticSizes(heights=(2.0, 11.6), channels=3, halvings=3),
                    replace(adam, warm_up=1000, generator_rate=1e-4),
                    0,  # a filter would fill the voids, where the lowest maxima are
                ),
            )
        ],
    ]


STAGES = MappingProxyType(
    {(stage.configuration, stage.name): stage for stage in (*_paper_stages(), *_small_stages())}
)
"""Every stage by configuration and name."""
