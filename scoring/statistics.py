"""From a density field to its three summary statistics, and from a set of fields to theirs."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from scoring.density import Density, as_density
from scoring.mass_histogram import mass_histogram
from scoring.peak_histogram import peak_histogram
from scoring.power_spectrum import power_spectrum
from scoring.statistic_sets import SetStatistics

Array = npt.NDArray[Any]
A = TypeVar("A")
B = TypeVar("B")

_WORTH_A_THREAD = 1 << 16  # voxels: to hand over a smaller field takes longer than its statistics


@dataclass(frozen=True, eq=False)
class FieldStatistics:
    """The summary statistics of one field (paper, section 2.3).

    Attributes:
        psd: Power spectrum in (Mpc/h)^ndim, shape (35 to 46 by side,).
        mass: Mass histogram in voxels per bin, shape (20,).
        peak: Peak histogram in peaks per bin, shape (20,).
    """

    psd: Array
    mass: Array
    peak: Array


def field_statistics(
    field: npt.ArrayLike, *, device: str = "cpu", threads: int = 1
) -> FieldStatistics:
    """Compute the three summary statistics of one density field.

    Args:
        field: Density in particles per voxel, shape (side, side) or (side, side, side), any real
            dtype, byte order and memory order; finite, >= 0, not zero everywhere.
        device: Where the histograms are computed, "cpu" or "cuda"; the numbers are the same.
        threads: Threads that the Fourier transform may use.

    Raises:
        ValueError: If the field is not such a field, or the device is not there.
    """
    return _statistics(as_density(field), _histograms_on(device), threads)


Histograms = Callable[[Density], Callable[[], tuple[Array, Array]]]
"""Starts both histograms, and returns a function that waits for them."""


def _statistics(density: Density, start_histograms: Histograms, threads: int) -> FieldStatistics:
    histograms = start_histograms(density)
    psd = power_spectrum(density, threads=threads)
    mass, peak = histograms()
    return FieldStatistics(psd, mass, peak)


def _histograms_on(device: str) -> Histograms:
    if device == "cpu":
        return lambda density: lambda: (mass_histogram(density), peak_histogram(density))
    if device != "cuda":
        raise ValueError(f"device must be 'cpu' or 'cuda', not {device!r}")
    try:
        from scoring.device_histograms import require_device, start_histograms
    except ImportError as error:
        raise ValueError(f"device={device!r} needs PyTorch, which is not installed") from error
    require_device(device)
    return lambda density: start_histograms(density, device)


def set_statistics(
    fields: Iterable[npt.ArrayLike], *, device: str = "cpu", threads: int = 1
) -> SetStatistics:
    """Compute the summary statistics of a set of fields in one pass.

    Fields are taken from the iterable in the calling thread, and at most one more than `threads`
    of them is held at a time.

    Args:
        fields: Density fields of one shape, as `field_statistics` takes them: an array of shape
            (n, side, ...), a list, or a generator that reads an archive.
        device: Where the histograms are computed, "cpu" or "cuda"; the numbers are the same.
        threads: Fields that are worked on at a time; small fields are always taken one by one.

    Raises:
        ValueError: If there is no field, if shapes differ, or if a field is not valid; the message
            says which.
    """
    start_histograms = _histograms_on(device)
    densities = _densities(fields)
    first = next(densities, None)
    if first is None:
        raise ValueError("a set must hold at least one field, but it is empty")
    shape = (first.side,) * first.ndim
    if first.values.size < _WORTH_A_THREAD:
        threads = 1

    def statistics(density: Density) -> FieldStatistics:
        return _statistics(density, start_histograms, threads=1)

    remaining = itertools.chain([first], densities)
    del first  # a field may be large: nothing may hold on to it once it is done
    if threads == 1:
        done: Iterable[FieldStatistics] = map(statistics, remaining)
    else:
        done = _map_in_threads(statistics, remaining, threads)
    rows = [(field.psd, field.mass, field.peak) for field in done]
    psd, mass, peak = (np.array(column) for column in zip(*rows, strict=True))
    return SetStatistics(psd, mass, peak, shape)


def _densities(fields: Iterable[npt.ArrayLike]) -> Iterator[Density]:
    """Check and convert fields of one shape as they come."""
    index, shape = 0, None
    for field in fields:
        if shape not in (None, np.shape(field)):
            raise ValueError(f"field {index} is of shape {np.shape(field)}, but field 0 of {shape}")
        try:
            density = as_density(field)
        except ValueError as error:
            raise ValueError(f"field {index}: {error}") from error
        index, shape = index + 1, np.shape(field)
        del field
        yield density
        del density


def warm_up(shape: tuple[int, ...]) -> None:
    """Compile the kernels and plan the Fourier transform, so that no field has to wait for it.

    Args:
        shape: Shape of the fields to come.
    """
    ramp = np.arange(1.0, np.prod(shape) + 1, dtype=np.float32).reshape(shape)
    set_statistics([ramp])
    field_statistics(np.array([[1, 2], [3, 1 + 2**-40]]))  # the kernels for float64


def _map_in_threads(function: Callable[[A], B], items: Iterable[A], threads: int) -> Iterator[B]:
    """Map in order, taking from `items` only as fast as the results come."""
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[B]] = deque()
        for item in items:
            if len(pending) == threads:
                yield pending.popleft().result()
            pending.append(pool.submit(function, item))
            del item
        while pending:
            yield pending.popleft().result()
