"""Sampling (Appendix D): the first scale from noise, then every up-scaling, patch by patch.

Every latent has a seed of its own, made of the sampling seed, the field's number, the stage and
the patch. So a field does not depend on how many are drawn with it, or in which order its patches
come.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from baseline.neighbours import split
from baseline.networks import PATCH, M1Generator, M2Generator, UniscaleGenerator
from baseline.small import SmallUpscaleGenerator

Position = tuple[int, int, int]
NeighbourGenerator = M2Generator | M1Generator | UniscaleGenerator


@dataclass(frozen=True)
class Latents:
    """The source of all randomness of one stage: a seed for every field and place."""

    seed: int
    stage: str

    def rng(self, field: int, place: Position = (0, 0, 0)) -> torch.Generator:
        """Return the generator of a field's noise, or that of one patch of it."""
        stage = int.from_bytes(self.stage.encode(), "big")
        state = np.random.SeedSequence([self.seed, stage, field, *place]).generate_state(2)
        return torch.Generator().manual_seed((int(state[0]) << 31) ^ int(state[1]))

    def of(self, generator: nn.Module, field: int, place: Position = (0, 0, 0)) -> Tensor:
        """Draw the latent of a field, or of one patch of it, in the generator's shape."""
        shape = generator.latent_shape
        assert isinstance(shape, tuple)  # noqa: S101
        return torch.randn(shape, generator=self.rng(field, place))

    def noise(self, field: int, shape: tuple[int, ...]) -> Tensor:
        """Draw the white noise of a whole field."""
        return torch.randn(shape, generator=self.rng(field))


def first_scale(generator: nn.Module, latents: Latents, fields: Sequence[int]) -> Tensor:
    """Draw whole fields from noise.

    Args:
        generator: Generator of a first scale or a 2D model.
        latents: Where latents come from.
        fields: Numbers of the fields.

    Returns:
        Network values, shape (n, 1, side, ...).
    """
    drawn = torch.stack([latents.of(generator, field) for field in fields])
    return _generated(generator, drawn)


def wavefronts(patches: int) -> Iterable[list[Position]]:
    """Group the positions of patches by i + j + k: those of a group do not need one another."""
    positions = [(x, y, z) for x, y, z in product(range(patches), repeat=3)]
    for front in range(3 * patches - 2):
        yield [position for position in positions if sum(position) == front]


def raster(patches: int) -> Iterable[list[Position]]:
    """List the positions of patches one by one, in the order of the paper."""
    return ([(x, y, z)] for x, y, z in product(range(patches), repeat=3))


def upscaled_by_neighbours(
    generator: NeighbourGenerator,
    coarse: Tensor | None,
    latents: Latents,
    fields: Sequence[int],
    *,
    patches: int,
    order: Iterable[list[Position]] | None = None,
    batch: int = 64,
) -> Tensor:
    """Grow fields patch by patch, each on the seven before it; zeros where there are none yet.

    Args:
        generator: Generator that is conditioned on its neighbourhood.
        coarse: The coarse fields, shape (n, 1, c, c, c); None for the uniscale model.
        latents: Where latents come from.
        fields: Numbers of the fields, n of them.
        patches: Patches along an axis.
        order: Groups of positions in an order that puts every patch after its neighbours;
            wavefronts if not given.
        batch: Patches that the generator makes at a time.

    Returns:
        Network values, shape (n, 1, 32 patches, ...).
    """
    # A patch of zeros before the first on every axis, so that all patches have neighbours.
    canvas = torch.zeros(len(fields), 1, *[(patches + 1) * PATCH] * 3)
    if coarse is not None:
        coarse_patch = coarse.shape[-1] // patches
        coarse = functional.pad(coarse, (coarse_patch, 0) * 3)
    for front in order or wavefronts(patches):
        places = [(i, at) for at in front for i in range(len(fields))]
        for start in range(0, len(places), batch):
            chosen = places[start : start + batch]
            latent = torch.stack([latents.of(generator, fields[i], at) for i, at in chosen])
            around = torch.stack([_cube(canvas[i], at, PATCH, 2 * PATCH) for i, at in chosen])
            condition = [split(around)[1]]
            if coarse is not None:
                regions = [_cube(coarse[i], at, coarse_patch, 2 * coarse_patch) for i, at in chosen]
                condition.append(torch.stack(regions))
            made = _generated(generator, latent, *condition)
            for (i, at), patch in zip(chosen, made, strict=True):
                after = tuple(n + 1 for n in at)
                _cube(canvas[i], after, PATCH, PATCH).copy_(patch)
    return canvas[..., PATCH:, PATCH:, PATCH:]


def upscaled_in_context(
    generator: SmallUpscaleGenerator,
    coarse: Tensor,
    latents: Latents,
    fields: Sequence[int],
    *,
    patch: int | None = None,
) -> Tensor:
    """Grow fields patch by patch, each in the periodic coarse field and the noise around it.

    Args:
        generator: Generator that is conditioned on the coarse field alone.
        coarse: The coarse fields, shape (n, 1, c, c, c).
        latents: Where the noise comes from.
        fields: Numbers of the fields, n of them.
        patch: Side of a patch in fine voxels, a divisor of the result's: it decides the memory
            needed, not the result; that of training if not given.

    Returns:
        Network values, shape (n, 1, factor c, ...).

    Raises:
        ValueError: The result does not divide into such patches.
    """
    sizes = generator.sizes
    patch = patch or sizes.patch
    side, coarse_patch = coarse.shape[-1] * sizes.factor, patch // sizes.factor
    if side % patch or patch % sizes.factor:
        raise ValueError(f"A cube of side {side} does not divide into patches of side {patch}.")
    result = torch.empty(len(fields), 1, side, side, side)
    for i, field in enumerate(fields):
        noise = _wrapped(latents.noise(field, (sizes.noise, side, side, side)), sizes.layers)
        around = _wrapped(coarse[i], sizes.context)
        for at in product(range(side // patch), repeat=3):
            latent = _cube(noise, at, patch, patch + 2 * sizes.layers)
            region = _cube(around, at, coarse_patch, coarse_patch + 2 * sizes.context)
            made = _generated(generator, latent[None], region[None])
            _cube(result[i], at, patch, patch).copy_(made[0])
    return result


def stage_fields(
    generator: nn.Module,
    coarse: Tensor | None,
    latents: Latents,
    fields: Sequence[int],
    *,
    side: int,
) -> Tensor:
    """Draw fields of one stage, in the way that its generator needs.

    Args:
        generator: Generator of any stage.
        coarse: The coarse fields that an up-scaling stage starts from, shape (n, 1, c, c, c).
        latents: Where latents come from.
        fields: Numbers of the fields, n of them.
        side: Side of the result.
    """
    if isinstance(generator, SmallUpscaleGenerator):
        assert coarse is not None  # noqa: S101
        # Large patches waste less on what surrounds them, and still fit in memory.
        patch = max(generator.sizes.patch, side // 4)
        return upscaled_in_context(generator, coarse, latents, fields, patch=patch)
    if isinstance(generator, M2Generator | M1Generator):
        patches = side // PATCH
        return upscaled_by_neighbours(generator, coarse, latents, fields, patches=patches)
    if isinstance(generator, UniscaleGenerator):
        # The first patches had no neighbours: they are dropped, as in the published code.
        patches = side // PATCH + 1
        grown = upscaled_by_neighbours(generator, None, latents, fields, patches=patches)
        return grown[..., PATCH:, PATCH:, PATCH:]
    return first_scale(generator, latents, fields)


def _generated(generator: nn.Module, latent: Tensor, *condition: Tensor) -> Tensor:
    """Run a generator on its own device, and bring the result back."""
    device = next(generator.parameters()).device
    with torch.no_grad():
        made: Tensor = generator(latent.to(device), *[given.to(device) for given in condition])
    return made.float().cpu()


def _cube(field: Tensor, at: tuple[int, ...], step: int, side: int) -> Tensor:
    """Return a view of the cube of a field (1, ...) that starts at `step` times `at`."""
    x, y, z = (slice(n * step, n * step + side) for n in at)
    return field[..., x, y, z]


def _wrapped(field: Tensor, halo: int) -> Tensor:
    """Pad a periodic field (channels, side, side, side) by itself."""
    return functional.pad(field[None], (halo,) * 6, mode="circular")[0]
