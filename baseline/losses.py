"""The Wasserstein losses with gradient penalty and the paper's saturation regulariser.

And the energy score, by which a conditional generator is brought near before a critic takes over.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

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


def energy_score(first: Tensor, second: Tensor, real: Tensor, *, block: int = 4) -> Tensor:
    """Return the energy score of two generated fields for a real one, over blocks of voxels.

    E|X - x| - E|X - X'| / 2 with the Euclidean norm of a block is smallest where blocks are
    distributed as the real ones are (Gneiting and Raftery 2007): a generator learns to be right in
    the mean and in the scatter, without a critic. Blocks overlap by half, so that the faces of
    coarse voxels are inside of some.

    Args:
        first: Fields drawn on the real ones' condition, shape (n, 1, side, side, side).
        second: Fields drawn again, from other noise.
        real: The real fields.
        block: Side of a block, even, a divisor of the side.
    """
    pairs = (first - real, second - real, first - second)
    to_first, to_second, apart = (_block_norms(pair, block).mean() for pair in pairs)
    return (to_first + to_second - apart) / 2


def _block_norms(fields: Tensor, block: int) -> Tensor:
    squares = functional.avg_pool3d(fields.float().square(), block, block // 2) * block**3
    return (squares + 1e-12).sqrt()
