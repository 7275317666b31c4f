"""RMSprop as TensorFlow 1 has it, which the published learning rates were found with."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class TensorFlowRMSprop(torch.optim.Optimizer):
    """RMSprop with epsilon inside the root and the accumulator started at 1.

    a <- decay a + (1 - decay) g^2, then w <- w - rate g / sqrt(a + epsilon). PyTorch's own starts
    at 0 and adds epsilon outside, so that its first steps are ten times as long.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        rate: float,
        *,
        decay: float = 0.9,
        epsilon: float = 1e-10,
    ) -> None:
        super().__init__(parameters, {"lr": rate, "decay": decay, "epsilon": epsilon})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Change every parameter that has a gradient."""
        if closure is not None:
            raise TypeError("this optimiser takes no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["mean_square"] = torch.ones_like(parameter)
                mean_square = state["mean_square"]
                mean_square.lerp_(parameter.grad.square(), 1 - group["decay"])
                root = (mean_square + group["epsilon"]).sqrt_()
                parameter.addcdiv_(parameter.grad, root, value=-group["lr"])
