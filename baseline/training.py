"""The state of a training run, and one iteration of it."""

import copy
import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from baseline.losses import critic_loss, energy_score, generator_loss, gradient_penalty
from baseline.rmsprop import TensorFlowRMSprop
from baseline.stages import Optimisation, Stage
from baseline.tensors import (
    TensorFileError,
    load_prefixed,
    prefixed,
    read_tensors,
    write_tensors,
)


class Training:
    """A generator, its running mean, a critic, their optimisers and the source of randomness.

    All that an iteration depends on is here, so that a run saved and loaded goes on to the same
    weights, bit for bit on a CPU with as many threads, as one that was never interrupted.

    Attributes:
        iteration: Generator updates done.
    """

    def __init__(self, stage: Stage, cubes: Tensor, seed: int, device: torch.device) -> None:
        self.stage, self.cubes, self.seed, self.device = stage, cubes, seed, device
        self.data = hashlib.sha256(cubes.contiguous().numpy().data).hexdigest()
        self.iteration = 0
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.generator = stage.generator()
            self.critic = stage.critic()
        stage.fit(self.generator, cubes)
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        for network in self._networks().values():
            _place(network, device)
        options = stage.optimisation
        self.generator_optimiser = _optimiser(options, self.generator, options.generator_rate)
        self.critic_optimiser = _optimiser(options, self.critic, options.critic_rate)
        self.rng = torch.Generator().manual_seed(seed)

    def step(self) -> dict[str, float]:
        """Do one iteration, and return its losses by name."""
        options = self.stage.optimisation
        real, condition = self.stage.examples(self.cubes, options.batch, self.rng)
        real = real.to(self.device)
        condition = tuple(given.to(self.device) for given in condition)
        if self.iteration < options.warm_up:
            losses = self._warm_up_step(real, condition)
        else:
            for _ in range(options.critic_steps):
                losses = self._critic_step(real, condition)
            losses |= self._generator_step(condition)
        self.iteration += 1
        self._update_average()
        return losses

    def _critic_step(self, real: Tensor, condition: tuple[Tensor, ...]) -> dict[str, float]:
        options = self.stage.optimisation
        with torch.no_grad(), self._lower_precision():
            fake = self.generator(self._latents(), *condition)
        mix = torch.rand(len(real), generator=self.rng).to(self.device)
        self.critic_optimiser.zero_grad()
        with self._lower_precision():
            penalty = gradient_penalty(lambda x: self.critic(x, *condition), real, fake, mix)
            of_real, of_fake = self.critic(real, *condition), self.critic(fake, *condition)
        loss = critic_loss(
            of_real.float(),
            of_fake.float(),
            penalty,
            weight=options.penalty,
            saturation=options.saturation,
        )
        loss.backward()  # type: ignore[no-untyped-call]
        self.critic_optimiser.step()
        distance = of_real.mean() - of_fake.mean()
        return {"distance": distance.item(), "penalty": penalty.item()}

    def _warm_up_step(self, real: Tensor, condition: tuple[Tensor, ...]) -> dict[str, float]:
        with self._lower_precision():
            first, second = (self.generator(self._latents(), *condition) for _ in range(2))
        energy = energy_score(first, second, real)
        self._update_generator(energy, self.stage.optimisation.warm_up_rate)
        return {"energy": energy.item()}

    def _generator_step(self, condition: tuple[Tensor, ...]) -> dict[str, float]:
        self.critic.requires_grad_(False)
        with self._lower_precision():
            scores = self.critic(self.generator(self._latents(), *condition), *condition)
        loss = generator_loss(scores.float())
        self._update_generator(loss, self.stage.optimisation.generator_rate)
        self.critic.requires_grad_(True)
        return {"generator": loss.item()}

    def _update_generator(self, loss: Tensor, rate: float) -> None:
        for group in self.generator_optimiser.param_groups:
            group["lr"] = rate
        self.generator_optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.generator_optimiser.step()

    def _latents(self) -> Tensor:
        return latent_batch(self.generator, self.stage.optimisation.batch, self.rng).to(self.device)

    def _lower_precision(self) -> torch.autocast:
        """Compute in bfloat16 on a GPU."""
        return torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda")

    @torch.no_grad()
    def _update_average(self) -> None:
        # A shorter memory at first, so that the mean forgets where training started.
        decay = min(self.stage.optimisation.averaging, self.iteration / (self.iteration + 10))
        pairs = zip(self.average.parameters(), self.generator.parameters(), strict=True)
        for mean, now in pairs:
            mean.lerp_(now, 1 - decay)
        buffers = zip(self.average.buffers(), self.generator.buffers(), strict=True)
        for kept, buffer in buffers:
            kept.copy_(buffer)

    def save(self, path: Path) -> None:
        """Write all of the state to one file."""
        tensors = {"rng": self.rng.get_state()}
        for name, network in self._networks().items():
            tensors |= prefixed(name, network)
        for name, optimiser in self._optimisers().items():
            for index, entries in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{key}": value for key, value in entries.items()}
        write_tensors(path, tensors, self._description() | {"iteration": self.iteration})

    def load(self, path: Path) -> None:
        """Go on from a saved state.

        Raises:
            TensorFileError: The file is damaged, or of another stage, data or seed.
        """
        tensors, description = read_tensors(path)
        for name, own in self._description().items():
            if description.get(name) != own:
                raise TensorFileError(
                    f"{path} was trained with {name} {description.get(name)!r}, not {own!r}: "
                    "use another folder, or the same arguments as before."
                )
        for name, network in self._networks().items():
            load_prefixed(name, network, tensors)
        for name, optimiser in self._optimisers().items():
            _load_optimiser(optimiser, name, tensors)
        self.rng.set_state(tensors["rng"])
        self.iteration = description["iteration"]

    def _networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "average": self.average, "critic": self.critic}

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "generator_optimiser": self.generator_optimiser,
            "critic_optimiser": self.critic_optimiser,
        }

    def _description(self) -> dict[str, Any]:
        stage = self.stage
        return {
            "configuration": stage.configuration,
            "stage": stage.name,
            "sizes": asdict(stage.sizes),
            "optimisation": asdict(replace(stage.optimisation, iterations=0)),
            "data": self.data,
            "seed": self.seed,
        }


def latent_batch(generator: nn.Module, count: int, rng: torch.Generator) -> Tensor:
    """Draw latents in the generator's shape."""
    shape = generator.latent_shape
    assert isinstance(shape, tuple)  # noqa: S101
    return torch.randn((count, *shape), generator=rng)


def _place(network: nn.Module, device: torch.device) -> None:
    """Bring a network to its device, channels last, which convolutions are fastest with."""
    flat = any(parameter.ndim == 4 for parameter in network.parameters())
    layout = torch.channels_last if flat else torch.channels_last_3d
    network.to(device).to(memory_format=layout)  # type: ignore[call-overload]


def _optimiser(options: Optimisation, network: nn.Module, rate: float) -> torch.optim.Optimizer:
    if options.method == "adam":
        return torch.optim.Adam(network.parameters(), rate, betas=(0.0, 0.9))
    return TensorFlowRMSprop(network.parameters(), rate)


def _load_optimiser(
    optimiser: torch.optim.Optimizer, name: str, tensors: dict[str, Tensor]
) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for full_name, value in tensors.items():
        owner, _, rest = full_name.partition(".")
        if owner == name:
            index, _, key = rest.partition(".")
            state.setdefault(int(index), {})[key] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
