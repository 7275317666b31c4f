"""Keep what takes long to make."""

import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def kept(maxsize: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Keep the latest results of a function, each made by one thread while others wait for it."""

    def decorate(make: Callable[P, T]) -> Callable[P, T]:
        cached = lru_cache(maxsize)(make)
        lock = threading.Lock()

        @wraps(make)
        def get(*args: P.args, **kwargs: P.kwargs) -> T:
            with lock:
                return cached(*args, **kwargs)  # type: ignore[arg-type]

        return get

    return decorate
