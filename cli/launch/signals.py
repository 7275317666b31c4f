"""Stop on Ctrl-C, SIGTERM or a closed terminal, once, and never in the middle of stopping."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first stop signal within the block into a KeyboardInterrupt.

    All later ones are ignored, also after the block and until the process ends: by then it is
    stopping, which takes bounded time and must not be cut short. A SIGHUP that was ignored before
    (nohup) stays so.
    """
    stopping = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            raise KeyboardInterrupt

    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        stopping = True


def wait_for_interrupt() -> NoReturn:
    """Do nothing until a stop signal comes."""
    while True:
        # A signal that comes right before a wait begins does not end it, so none may be endless.
        time.sleep(0.2)
