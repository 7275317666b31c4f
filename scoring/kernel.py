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
    fastmath = {"contract", "nnan", "nsz", "reassoc"}
    jit = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fastmath)
    return cast("Callable[P, R]", jit(function))
