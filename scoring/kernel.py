"""How the numeric kernels of this package are compiled."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function with Numba: one thread, the GIL released, the machine code cached.

    Loops vectorise because sums may be reordered and because no value may be NaN.
    """
    return _compiled(function, {"contract", "nnan", "nsz", "reassoc"})


def ordered_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function whose loops are too short to gain from vectors: sums stay in order."""
    return _compiled(function, {"contract"})


def _compiled(function: Callable[P, R], fastmath: set[str]) -> Callable[P, R]:
    jit = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fastmath)
    return cast("Callable[P, R]", jit(function))
