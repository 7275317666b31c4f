"""The Wasserstein losses with gradient penalty and the paper's saturation regulariser."""

from collections.abc import Callable

import torch
from torch import Tensor

Critic = Callable[[Tensor], Tensor]


def critic_loss(
    real_scores: Tensor, fake_scores: Tensor, penalty: Tensor, *, weight: float, saturation: bool
) -> Tensor:
    """Return the critic's loss (equation 4 with the sign of a minimisation, and equation 9).

    Args:
        real_scores: D of real fields, shape (n,).
        fake_scores: D of generated fields, shape (n,).
        penalty: The gradient penalty.
        weight: Its weight, 10 in the paper.
        saturation: Whether to add relu(D_real D_fake), of the batch means.
    """
    real, fake = real_scores.mean(), fake_scores.mean()
    loss = fake - real + weight * penalty
    return loss + torch.relu(real * fake) if saturation else loss


def generator_loss(fake_scores: Tensor) -> Tensor:
    """Return the generator's loss: minus the mean score of its fields."""
    return -fake_scores.mean()


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """Return E[(|grad D| - 1)^2], per sample, between real and fake fields (equation 4).

    Args:
        critic: D with its condition fixed; scores of different samples must not interact.
        real: Real fields, shape (n, ...).
        fake: Generated fields, same shape.
        mix: The share of the real field in each mixture, uniform in (0, 1), shape (n,).
    """
    share = mix.reshape(-1, *[1] * (real.ndim - 1))
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # The root's own gradient is infinite at zero, where a flat critic starts.
    norm = (gradient.float().flatten(1).square().sum(dim=1) + 1e-16).sqrt()
    return (norm - 1).square().mean()
