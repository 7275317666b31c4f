"""The power spectrum: how much structure there is at each scale, by FFTW."""

import contextlib
import functools
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyfftw

from cubes.tracks import box_side
from scoring.density import Density
from scoring.kernel import kernel

Array = npt.NDArray[Any]

BINS = 49
"""Logarithmic bins of |k|, before those that hold no mode of the grid are dropped."""


def power_spectrum(density: Density, *, threads: int = 1) -> Array:
    """Average the power of the overdensity over the Fourier modes of each bin of |k|.

    Modes are those of the half spectrum as stored, each with weight one.

    Args:
        density: The field; its overdensity is taken about its own mean.
        threads: Threads that FFTW may use.

    Returns:
        P(k) in (Mpc/h)^ndim, shape (bins,), float64, at `wavenumbers`. (Paper, section 2.3,
        statistic 2.)
    """
    side, ndim = density.side, density.ndim
    shells = _shells(side, ndim)
    if density.constant:
        return np.zeros(len(shells.modes))
    with _workspace(density.values.shape, threads) as workspace:
        _overdensity(density.values, density.mean, workspace.rows)
        workspace.transform.execute()
        power = _shell_power(workspace.rows, shells.bin_of, shells.first)
    volume = box_side(ndim, side) ** ndim
    return power / shells.modes * (volume / density.values.size**2)


def wavenumbers(shape: tuple[int, ...]) -> Array:
    """Return the middle of each bin of `power_spectrum` in h/Mpc, for one field of this shape."""
    return _shells(shape[0], len(shape)).k.copy()


@dataclass(frozen=True, eq=False)
class _Shells:
    """The bins of |k| on one grid, empty ones dropped.

    Wavenumbers are looked up by the squared length of a mode in units of the fundamental one.

    Attributes:
        bin_of: Bin of each squared length, shape (longest + 1,); the constant mode has the bin
            one past the last.
        first: Smallest squared length in each bin, and one past the longest, shape (bins + 1,).
        modes: Modes of the half spectrum in each bin, shape (bins,).
        k: Middle of each bin in h/Mpc, shape (bins,).
    """

    bin_of: Array
    first: Array
    modes: Array
    k: Array


def _shells(side: int, ndim: int) -> _Shells:
    with _planner:  # two threads must not both do the work
        return _cached_shells(side, ndim)


@functools.cache
def _cached_shells(side: int, ndim: int) -> _Shells:
    half = side // 2 + 1
    frequency = 2 * np.pi * np.fft.fftfreq(side, d=box_side(ndim, side) / side)[:half]
    # Both ends are rounded outwards, so that the shortest and the longest mode fall inside.
    shortest, longest = np.sqrt(frequency[1] ** 2), np.sqrt(sum([frequency[-1] ** 2] * ndim))
    low = np.floor(np.log10(shortest) * 1e15) / 1e15
    high = np.ceil(np.log10(longest) * 1e15) / 1e15
    edges = np.logspace(low, high, BINS + 1)

    # A frequency and its negative are two modes, except along the last, halved axis.
    twice = np.where((2 * np.arange(half)) % side == 0, 1, 2)
    lengths = ndim * (half - 1) ** 2 + 1
    bin_of = np.full(lengths, BINS)
    modes_of = np.zeros(lengths)
    for plane in range(half) if ndim == 3 else [0]:  # one at a time: a cube of them is large
        k = np.sqrt(frequency[plane] ** 2 + frequency[:, None] ** 2 + frequency**2)
        squares = plane**2 + np.arange(half)[:, None] ** 2 + np.arange(half) ** 2
        weights = twice[plane] * twice[:, None] * np.ones(half)
        bin_of[squares] = np.searchsorted(edges, k, side="right") - 1
        modes_of += np.bincount(squares.ravel(), weights.ravel(), lengths)

    inside = (modes_of > 0) & (bin_of >= 0) & (bin_of < BINS)
    modes = np.bincount(bin_of[inside], modes_of[inside], BINS)
    kept = np.flatnonzero(modes)
    numbers = np.where(inside, np.searchsorted(kept, bin_of), len(kept))
    beyond = np.flatnonzero((modes_of > 0) & (bin_of >= BINS)).min(initial=lengths)
    return _Shells(
        bin_of=numbers.astype(np.uint8),
        first=np.array([*(np.argmax(numbers == b) for b in range(len(kept))), beyond], np.int64),
        modes=modes[kept],
        k=((edges[:-1] + edges[1:]) / 2)[kept],
    )


@kernel
def _overdensity(values: Array, mean: float, rows: Array) -> None:
    """Write x / mean - 1 to the front of each padded row."""
    depth, height, width = values.shape
    for z in range(depth):
        for y in range(height):
            source = values[z, y]
            target = rows[z, y]
            for x in range(width):
                target[x] = np.float32(source[x] / mean - 1)


@kernel
def _shell_power(rows: Array, bin_of: Array, first: Array) -> Array:
    """Sum |delta_k|^2 over each bin; rows hold real and imaginary parts in turn.

    Along a row |k| only grows, so that a row is a few runs of modes that share a bin.
    """
    depth, height, width = rows.shape
    bins = first.size - 1
    power = np.zeros(bins)
    for z in range(depth):
        for y in range(height):
            base = min(z, depth - z) ** 2 + min(y, height - y) ** 2
            row = rows[z, y]
            x = 1 if base == 0 else 0  # the constant mode is left out
            while 2 * x < width:
                b = bin_of[base + x * x]
                if b == bins:
                    break
                end = int(np.sqrt(float(first[b + 1] - base - 1))) + 1
                end = min(end, width // 2)
                total = 0.0
                for i in range(2 * x, 2 * end):
                    part = np.float64(row[i])
                    total += part * part
                power[b] += total
                x = end
    return power


class _Workspace:
    """An FFTW plan and the buffer that it transforms in place, for one field at a time."""

    def __init__(self, shape: tuple[int, ...], threads: int) -> None:
        self.key = (shape, threads)
        spectrum = pyfftw.empty_aligned((*shape[:-1], shape[-1] // 2 + 1), np.complex64)
        self.rows: Array = spectrum.view(np.float32)
        axes = tuple(axis for axis, length in enumerate(shape) if length > 1)
        with _planner, _wisdom_kept():
            self.transform = pyfftw.FFTW(
                self.rows[..., : shape[-1]],
                spectrum,
                axes=axes,
                flags=("FFTW_MEASURE", "FFTW_DESTROY_INPUT"),
                threads=threads,
            )


_planner = threading.Lock()
_idle: list[_Workspace] = []
_idle_lock = threading.Lock()


@contextlib.contextmanager
def _workspace(shape: tuple[int, ...], threads: int) -> Iterator[_Workspace]:
    """Lend a workspace to one thread; idle ones are kept for the latest shape only."""
    with _idle_lock:
        _idle[:] = [workspace for workspace in _idle if workspace.key == (shape, threads)]
        workspace = _idle.pop() if _idle else None
    workspace = workspace or _Workspace(shape, threads)
    try:
        yield workspace
    finally:
        with _idle_lock:
            _idle.append(workspace)


def _default_cache() -> Path | None:
    with contextlib.suppress(RuntimeError):  # an account without a home
        home = Path.home()
        caches = home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache"
        return caches / "cosmoboard"
    return None


_cache = _default_cache()


def use_cache(directory: str | os.PathLike[str] | None) -> None:
    """Keep FFTW's measured plans below a directory; None keeps them for this process only.

    The default is the user's cache folder. A folder that cannot be written costs time, no error.
    """
    global _cache
    _cache = None if directory is None else Path(directory)


@contextlib.contextmanager
def _wisdom_kept() -> Iterator[None]:
    """Plan with what earlier processes measured, and leave them what this one measures."""
    path = _cache and _cache / "fftwf-wisdom"
    known = _load_wisdom(path)
    yield
    if path and pyfftw.export_wisdom()[1] != known:
        _load_wisdom(path)  # what others added meanwhile
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(pyfftw.export_wisdom()[1])
            os.replace(file.name, path)


def _load_wisdom(path: Path | None) -> bytes:
    if path:
        with contextlib.suppress(OSError):
            pyfftw.import_wisdom((b"", path.read_bytes(), b""))
    return bytes(pyfftw.export_wisdom()[1])
