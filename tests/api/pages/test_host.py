"""What the host sees and does."""

import csv
import hashlib
import io
import json
import re

import httpx
import pytest

from board.models import Submission
from tests.api.pages.test_sign_in import csrf_of, sign_in
from tests.boards import bearer


@pytest.fixture
def host(client, board):
    """A browser in which the host is signed in."""
    sign_in(client, board.token("hostess", is_host=True))
    return client


def press(host: httpx.Client, path: str, **fields: str) -> httpx.Response:
    form = {"csrf": csrf_of(host.get("/host").text)} | fields
    return host.post(path, data=form)


def test_the_page_is_for_hosts_alone(client, board):
    assert client.get("/host").status_code == 303
    sign_in(client, board.token("ada"))
    assert client.get("/host").status_code == 403
    proof = csrf_of(client.get("/me").text)
    for path in (
        "/host/participants",
        "/host/participants/1/token",
        "/host/participants/1/revoke",
        f"/host/submissions/{board.queued()}/hide",
        "/host/tracks/3d-32/freeze",
        "/host/tracks/3d-32/rescore",
    ):
        assert client.post(path, data={"csrf": proof, "name": "x"}).status_code == 403


def test_the_host_sees_what_waits_and_that_no_worker_is_there(host, board):
    board.queued("ada", method="waits")
    board.running(7, board.queued("bob", method="runs"))
    page = host.get("/host").text
    assert "waits" in page
    assert "7 of 30" in page
    assert "none answers" in page


def test_a_new_participant_gets_a_token_that_is_shown_once(host, server):
    page = press(host, "/host/participants", name="Ada L").text
    token = re.search(r"cosmoboard_[\w-]{43}", page)[0]
    whoami = httpx.get(f"{server.url}/api/v1/whoami", headers=bearer(token))
    assert whoami.json() == {"name": "Ada L", "is_host": False, "is_baseline": False}
    assert token not in host.get("/host").text
    again = press(host, "/host/participants", name=" Ada L ")
    assert again.status_code == 422


def test_a_further_token_works_beside_the_first_until_all_are_revoked(host, board, server):
    first = board.token("ada")
    page = host.get("/host").text
    number = re.search(r"/host/participants/(\d+)/revoke", page)[1]
    second = re.search(
        r"cosmoboard_[\w-]{43}", press(host, f"/host/participants/{number}/token").text
    )[0]

    def works(token: str) -> bool:
        answer = httpx.get(f"{server.url}/api/v1/whoami", headers=bearer(token))
        return answer.status_code == 200

    assert works(first)
    assert works(second)
    press(host, f"/host/participants/{number}/revoke")
    assert not works(first)
    assert not works(second)


def test_revoking_signs_browsers_out(host, board, server):
    with httpx.Client(base_url=server.url) as other:
        sign_in(other, board.token("ada"))
        number = re.search(r"/host/participants/(\d+)/revoke", host.get("/host").text)[1]
        press(host, f"/host/participants/{number}/revoke")
        assert other.get("/me").status_code == 303


def test_hosts_cannot_lock_themselves_out(host):
    number = re.search(r"/host/participants/(\d+)/token", host.get("/host").text)[1]
    assert press(host, f"/host/participants/{number}/revoke").status_code == 422


def test_a_submission_is_hidden_and_shown_again(host, board):
    submission_id = str(board.scored(0.5, "ada"))

    def rows():
        params = {"track": "3d-32"}
        return [
            row["submission"]
            for row in host.get("/api/v1/leaderboard", params=params).json()["rows"]
        ]

    press(host, f"/host/submissions/{submission_id}/hide")
    assert rows() == [None]
    press(host, f"/host/submissions/{submission_id}/show")
    assert rows() == [None, submission_id]


@pytest.mark.parametrize(
    "path",
    [
        "/host/participants/999999/token",
        "/host/submissions/00000000-0000-0000-0000-000000000000/hide",
    ],
)
def test_what_does_not_exist_is_not_found(host, path):
    assert press(host, path).status_code == 404


def test_a_re_score_is_announced_to_the_workers(host, environment):
    import redis

    with redis.Redis.from_url(environment["BROKER_URL"]) as broker:
        broker.delete("cosmoboard")
        assert press(host, "/host/tracks/3d-32/rescore").status_code == 303
        assert b"rescore_track" in broker.lindex("cosmoboard", 0)
    assert press(host, "/host/tracks/3d-256/rescore").status_code == 409


def test_a_frozen_board_stays_as_it_was(host, board):
    submission_id = str(board.scored(0.5, "ada"))
    press(host, "/host/tracks/3d-32/freeze")
    (entry,) = host.get("/api/v1/snapshots").json()

    board.scored(0.9, "bob")
    answer = host.get(entry["url"])

    assert hashlib.sha256(answer.content).hexdigest() == entry["sha256"]
    assert entry["url"].endswith(entry["sha256"])
    document = answer.json()
    assert (document["track"], document["reference"]) == ("3d-32", "a" * 64)
    assert [row["submission"] for row in document["rows"]] == [None, submission_id]
    with board.session() as session:
        kept = session.query(Submission).filter_by(method="mine").first()
    assert document["rows"][1]["archive_sha256"] == kept.sha256
    assert document["rows"][1]["scorer_version"] == "1"
    table = host.get(entry["url"], params={"format": "csv"}).text
    assert table.splitlines()[2].startswith(f"1,{submission_id},mine,ada,false,0.5,")
    row = list(csv.DictReader(io.StringIO(table)))[1]
    assert row["archive_sha256"] == kept.sha256
    assert row["reference"] == "a" * 64
    assert row["scorer_version"] == "1"
    assert row["scored_at"] == document["rows"][1]["scored_at"]


def test_the_same_board_is_frozen_once(host, board):
    board.scored(0.5)
    for _ in range(2):
        press(host, "/host/tracks/3d-32/freeze")
    assert len(host.get("/api/v1/snapshots").json()) == 1
    press(host, "/host/tracks/3d-256/freeze")
    assert len(host.get("/api/v1/snapshots").json()) == 1


def test_a_host_freezes_by_the_api_too(client, board):
    params = {"track": "3d-32"}
    assert client.post("/api/v1/snapshots", params=params).status_code == 401
    headers = bearer(board.token("ada"))
    assert client.post("/api/v1/snapshots", params=params, headers=headers).status_code == 403
    headers = bearer(board.token("hostess", is_host=True))
    answer = client.post("/api/v1/snapshots", params=params, headers=headers)
    assert answer.status_code == 201
    document = client.get(answer.headers["location"]).text
    assert json.loads(document)["rows"][0]["method"] == "Real cubes (training set)"
    assert client.get("/api/v1/snapshots/" + "0" * 64).status_code == 404
    assert client.get("/api/v1/snapshots/nonsense").status_code == 422
