"""What a monitor reads, and what the logs say of a request."""

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from board.models import Submission
from tests.boards import bearer


@pytest.fixture
def numbers(client, board):
    """Reads every number, as Prometheus does: by name and labels."""

    def read() -> dict[tuple[str, ...], float]:
        answer = client.get("/metrics", headers=bearer(board.token("hostess", is_host=True)))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/plain")
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    return read


def test_only_a_host_reads_them(client, board):
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=bearer(board.token("ada"))).status_code == 403


def test_they_tell_what_waits_and_for_how_long(board, numbers):
    board.queued()
    waiting = board.queued("eve")
    board.running(3, board.queued("bob"))
    with board.session() as session:
        session.query(Submission).filter_by(id=waiting).update({"queued_at": "2026-01-01"})
    found = numbers()
    assert found["cosmoboard_submissions_under_way", "queued", "3d-32"] == 2
    assert found["cosmoboard_submissions_under_way", "running", "3d-32"] == 1
    assert found["cosmoboard_submissions_under_way", "uploading", "3d-32"] == 0
    assert found["cosmoboard_oldest_queued_seconds", "3d-32"] > 86_400
    assert found["cosmoboard_database_up",] == 1


def test_they_tell_how_submissions_ended_and_how_long_each_stage_took(board, numbers):
    scored = board.scored(0.5)
    for _ in range(2):
        board.failed(board.queued(), "not_finite", "Field 3 is NaN.")
    with board.session() as session:
        times = {"claimed_at": "2026-01-01T00:00:10Z", "finished_at": "2026-01-01T00:00:13Z"}
        session.query(Submission).filter_by(id=scored).update(
            {"queued_at": "2026-01-01T00:00:00Z", **times}
        )
    found = numbers()
    ended = "cosmoboard_submissions_ended"
    assert found[ended, "", "scored", "3d-32"] == 1
    assert found[ended, "not_finite", "failed", "3d-32"] == 2
    stage = "cosmoboard_stage_seconds"
    assert found[f"{stage}_sum", "scoring", "3d-32"] == 3
    assert found[f"{stage}_count", "scoring", "3d-32"] == 1
    assert found[f"{stage}_bucket", "1.0", "scoring", "3d-32"] == 0
    assert found[f"{stage}_bucket", "5.0", "scoring", "3d-32"] == 1
    assert found[f"{stage}_sum", "waiting", "3d-32"] == 10


def test_they_count_requests_by_route_so_that_there_are_few(client, board, numbers):
    route = "/api/v1/submissions/{submission_id}"
    key = ("cosmoboard_requests_total", "GET", route, "200")
    before = numbers().get(key, 0)
    for _ in range(3):
        client.get(f"/api/v1/submissions/{board.scored(0.5)}")
    client.request("BREW", "/nothing/at/all")
    found = numbers()
    assert found[key] == before + 3
    assert found["cosmoboard_request_seconds_count", "GET", route] >= 3
    assert not any("nothing" in label for sample in found for label in sample)


def lines(server):
    return [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]


def test_each_request_has_an_id_and_a_line(client, server, board):
    submission_id = str(board.scored(0.5))
    answer = client.get(f"/api/v1/submissions/{submission_id}", headers={"X-Request-ID": "mine-1"})
    assert answer.headers["X-Request-ID"] == "mine-1"
    (line,) = [line for line in lines(server) if line.get("request") == "mine-1"]
    assert line["message"] == f"GET /api/v1/submissions/{submission_id} 200"
    assert line["submission"] == submission_id
    assert 0 < line["seconds"] < 10


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "é"])
def test_an_id_that_is_none_is_replaced(client, given):
    answer = client.get("/healthz", headers={"X-Request-ID": given.encode()})
    assert len(answer.headers["X-Request-ID"]) == 32
