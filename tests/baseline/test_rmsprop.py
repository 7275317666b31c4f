"""TensorFlow's RMSprop against its recurrence in closed form."""

import math

import pytest
import torch

from baseline.rmsprop import TensorFlowRMSprop


def test_constant_gradient_follows_the_closed_form():
    # a_t = g^2 + (1 - g^2) 0.9^t, started at 1; every step moves by rate g / sqrt(a_t + epsilon).
    gradient, rate, steps = 0.2, 0.01, 30
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimiser = TensorFlowRMSprop([weight], rate)
    expected = 1.0
    for step in range(1, steps + 1):
        weight.grad = torch.full_like(weight, gradient)
        optimiser.step()
        mean_square = gradient**2 + (1 - gradient**2) * 0.9**step
        expected -= rate * gradient / math.sqrt(mean_square + 1e-10)
    assert weight.item() == pytest.approx(expected, rel=1e-12)


def test_first_step_is_ten_times_shorter_than_pytorchs():
    # PyTorch starts from 0: its first step is rate / sqrt(0.1), whatever the gradient.
    ours, theirs = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    ours.grad, theirs.grad = torch.full((1,), 0.01), torch.full((1,), 0.01)
    TensorFlowRMSprop([ours], 1.0).step()
    torch.optim.RMSprop([theirs], 1.0, alpha=0.9).step()
    assert ours.item() == pytest.approx(-0.01 / math.sqrt(0.9 + 0.1 * 1e-4), rel=1e-5)
    assert theirs.item() == pytest.approx(-1 / math.sqrt(0.1), rel=1e-4)


def test_parameters_without_gradient_stay():
    weight = torch.nn.Parameter(torch.ones(2))
    TensorFlowRMSprop([weight], 0.1).step()
    assert weight.tolist() == [1, 1]
