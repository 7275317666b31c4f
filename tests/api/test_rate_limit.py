"""How much one address may ask."""

import httpx
import pytest

from api.rate_limit import Allowance
from tests.servers import Server


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_minute_s_requests_may_come_at_once_and_then_at_their_rate():
    clock = Clock()
    allowance = Allowance(60, clock)
    assert [allowance.take("a") for _ in range(60)] == [0.0] * 60
    assert allowance.take("a") == pytest.approx(1.0)
    assert allowance.take("b") == 0.0
    clock.now += 1.0
    assert allowance.take("a") == 0.0
    assert allowance.take("a") == pytest.approx(1.0)
    clock.now += 3600
    assert [allowance.take("a") for _ in range(60)] == [0.0] * 60


def test_of_many_addresses_those_are_forgotten_that_have_been_quiet():
    clock = Clock()
    allowance = Allowance(1, clock)
    for address in range(20_000):
        allowance.take(str(address))
    assert len(allowance._spent_until) == 10_000
    assert allowance.take("19999") > 0
    assert allowance.take("0") == 0.0


def test_an_address_that_asks_too_much_is_told_when_to_come_back(environment, board, tmp_path):
    """The proxy on this machine says for whom it asks; this machine itself is not limited."""
    limited = environment | {"COSMOBOARD_REQUESTS_PER_MINUTE": "20"}
    with (
        Server(limited, tmp_path / "log") as server,
        httpx.Client(base_url=server.url) as client,
    ):

        def ask(path: str, address: str) -> httpx.Response:
            return client.get(path, headers={"X-Forwarded-For": address})

        first = [ask("/api/v1/tracks", "192.0.2.1").status_code for _ in range(20)]
        refused = ask("/api/v1/tracks", "192.0.2.1")
        body = client.post(
            "/api/v1/submissions", content=b"x" * 10_000, headers={"X-Forwarded-For": "192.0.2.1"}
        )
        other = ask("/api/v1/tracks", "192.0.2.2")
        here = [client.get("/healthz").status_code for _ in range(30)]
    assert first == [200] * 20
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 0 < int(refused.headers["Retry-After"]) <= 3
    assert refused.headers["Content-Security-Policy"]
    assert body.status_code == 429
    assert other.status_code == 200
    assert here == [200] * 30
