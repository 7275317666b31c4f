"""The power spectrum: how much structure there is at each scale, by FFTW."""

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyfftw

from cubes.tracks import box_side
from scoring.density import Density
from scoring.kernel import kernel, ordered_kernel
from scoring.shells import shells

Array = npt.NDArray[Any]


def power_spectrum(density: Density, *, threads: int = 1) -> Array:
    """Average the power of the overdensity over the Fourier modes of each bin of |k|.

    Modes are those of the half spectrum as stored, each with weight one.

    Args:
        density: The field; its overdensity is taken about its own mean.
        threads: Threads that FFTW may use.

    Returns:
        P(k) in (Mpc/h)^ndim, shape (bins,), float64, at `scoring.wavenumbers`. (Paper, section 2.3,
        statistic 2.)
    """
    side, ndim = density.side, density.ndim
    bins = shells(side, ndim)
    if density.constant:
        return np.zeros(len(bins.modes))
    with _workspace(density.values.shape, threads) as workspace:
        _overdensity(density.values, density.mean, workspace.rows)
        workspace.transform.execute()
        power = _shell_power(workspace.rows, bins.bin_of, bins.first)
    volume = box_side(ndim, side) ** ndim
    return power / bins.modes * (volume / density.values.size**2)


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


@ordered_kernel
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
                for i in range(x, end):
                    real, imaginary = np.float64(row[2 * i]), np.float64(row[2 * i + 1])
                    total += real * real + imaginary * imaginary
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
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named) / "cosmoboard"
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
