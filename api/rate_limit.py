"""So many requests a minute from one address, before anything else is done for them."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import Refusal, problem_response, refusal

_ADDRESSES = 10_000
"""Addresses that are remembered: those that have not asked for the longest are forgotten."""

_HERE = {"127.0.0.1", "::1"}
"""This machine: its own processes, but not whoever comes through a proxy on it."""


class Allowance:
    """How much each address may still ask (the generic cell rate algorithm).

    Each request takes `60 / per_minute` seconds off an allowance of one minute, which time gives
    back. One number is kept of each address.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._cost = 60 / per_minute
        self._clock = clock
        self._spent_until: OrderedDict[str, float] = OrderedDict()

    def take(self, address: str) -> float:
        """Take one request; return 0.0, or, if it may not be, the seconds until it may."""
        now = self._clock()
        until = max(self._spent_until.get(address, now), now) + self._cost
        if until - now > 60 + self._cost / 2:
            return until - now - 60
        self._spent_until[address] = until
        self._spent_until.move_to_end(address)
        if len(self._spent_until) > _ADDRESSES:
            self._spent_until.popitem(last=False)
        return 0.0


class RateLimit:
    """Refuses the requests of an address that asks too much, with 429 and `Retry-After`."""

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self._app = app
        self._per_minute = per_minute
        self._allowance = Allowance(per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it."""
        address = (scope.get("client") or ("", 0))[0]
        if scope["type"] == "http" and address not in _HERE:
            seconds = self._allowance.take(address)
            if seconds:
                await problem_response(self._refusal(seconds))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, seconds: float) -> Refusal:
        known = refusal(
            "rate_limited",
            f"More than {self._per_minute} requests a minute came from your address: ask less "
            "often.",
        )
        return Refusal(known.problem, {"Retry-After": str(math.ceil(seconds))})
