"""The mass and the peak histogram in PyTorch, for workers with a GPU: equal bit for bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import max_pool3d

from scoring.density import Density
from scoring.histogram import BINS, MASS_BINS, PEAK_BINS, Bins, thresholds

Array = npt.NDArray[Any]


def start_histograms(density: Density, device: str) -> Callable[[], tuple[Array, Array]]:
    """Start both histograms on a device; the function that is returned waits for them.

    Meanwhile the CPU is free for the Fourier transform.

    Args:
        density: The field.
        device: PyTorch's name of a device.

    Returns:
        A function that returns `mass_histogram` and `peak_histogram`, shape (20,), float64.
    """
    values = torch.tensor(density.values, device=device)
    mass = _histogram(values.flatten(), MASS_BINS)
    peak = _histogram(_peaks(values), PEAK_BINS)
    return lambda: (_counts(mass), _counts(peak))


def require_device(device: str) -> None:
    """Raise ValueError unless PyTorch finds this device."""
    if not torch.cuda.is_available():
        raise ValueError(f"device={device!r} needs a CUDA GPU, and PyTorch finds none here")


def _peaks(values: torch.Tensor) -> torch.Tensor:
    """Return the values of all peaks, as `peak_histogram` defines them."""
    highest = _highest(values)
    lowest = -_highest(-values)
    return values[(values == highest) & (highest > lowest)]


def _highest(values: torch.Tensor) -> torch.Tensor:
    """Return the maximum of each 5^3 neighbourhood, which ends at the faces, axis by axis."""
    highest = values[None, None]
    for axis in range(3):
        window = [1, 1, 1]
        window[axis] = 5
        highest = max_pool3d(highest, window, stride=1, padding=[w // 2 for w in window])
    return highest[0, 0]


def _histogram(values: torch.Tensor, bins: Bins) -> torch.Tensor:
    dtype = np.dtype(np.float32 if values.dtype == torch.float32 else np.float64)
    levels = torch.tensor(thresholds(bins, dtype), device=values.device)
    indices = torch.bucketize(values, levels, right=True, out_int32=True)
    return torch.bincount(indices, minlength=BINS)


def _counts(histogram: torch.Tensor) -> Array:
    return histogram.cpu().numpy().astype(np.float64)
