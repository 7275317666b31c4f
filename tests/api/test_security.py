"""What an attacker tries: with whose rights, through which header, by whose browser.

Signing in itself (cookies, proof of origin, where one ends up) is in pages/test_sign_in.py.
"""

import http.client
import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
import pytest

from board.hosting import revoke_tokens
from board.participants import create_participant, issue_token
from tests.boards import bearer, form
from tests.processes import eventually

SUBMISSIONS = "/api/v1/submissions"


def csrf_of(page: str) -> str:
    return re.search(r'name="csrf" value="([0-9a-f]{64})"', page)[1]


def sign_in(client: httpx.Client, token: str, following: str = "/me") -> httpx.Response:
    page = client.get("/sign-in", params={"next": following}).text
    fields = {"csrf": csrf_of(page), "token": token, "next": following}
    return client.post("/sign-in", data=fields)


def own_token(board, name: str, **options) -> str:
    with board.session() as session:
        return issue_token(session, create_participant(session, name), **options)


def test_a_token_that_only_reads_reads_and_changes_nothing(client, board, archive):
    headers = bearer(own_token(board, "ada", read_only=True))
    submission_id = board.queued("ada")
    assert client.get(f"{SUBMISSIONS}/{submission_id}", headers=headers).status_code == 200
    for answer in (
        client.post(SUBMISSIONS, headers=headers, **form(archive)),
        client.delete(f"{SUBMISSIONS}/{submission_id}", headers=headers),
        client.post("/api/v1/uploads", headers=headers | {"Tus-Resumable": "1.0.0"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert board.states() == ["queued"]


def test_a_read_only_token_of_a_host_is_enough_for_a_monitor(client, board):
    with board.session() as session:
        host = create_participant(session, "hostess", is_host=True)
        token = issue_token(session, host, read_only=True)
    assert client.get("/metrics", headers=bearer(token)).status_code == 200
    assert sign_in(client, token).status_code == 401


def test_an_expired_token_is_none(client, board):
    past = datetime.now(UTC) - timedelta(seconds=1)
    token = own_token(board, "ada", expires_at=past)
    assert client.get("/api/v1/whoami", headers=bearer(token)).status_code == 401


def test_to_revoke_tokens_ends_all_that_began_with_them(client, board):
    token = board.token()
    sign_in(client, token)
    assert client.get("/me").status_code == 200
    with board.session() as session:
        assert revoke_tokens(session, create_participant(session, "ada").id) == 1
    assert client.get("/api/v1/whoami", headers=bearer(token)).status_code == 401
    assert client.get("/me").status_code == 303


def test_a_session_that_was_planted_never_becomes_one(client, board):
    """Session fixation: the attacker's cookie neither survives the sign-in nor means anything."""
    planted = "attackers-choice"
    client.cookies.set("cosmoboard_session", planted)
    answer = sign_in(client, board.token())
    assert answer.status_code == 303
    issued = [c for c in answer.headers.get_list("set-cookie") if "cosmoboard_session=" in c]
    assert len(issued) == 1
    assert planted not in issued[0]
    with httpx.Client(base_url=client.base_url, cookies={"cosmoboard_session": planted}) as thief:
        assert thief.get("/me").status_code == 303


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_another_site_changes_nothing_through_a_browser(client, board, archive, origin):
    """CSRF: the browser sends the cookie along, but the other site cannot know the proof."""
    sign_in(client, board.token())
    submission_id = board.queued()
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    attempts = [
        client.post(f"/submissions/{submission_id}/withdraw", headers=headers, data={"x": "y"}),
        client.post("/sign-out", headers=headers, data={"x": "y"}),
        client.delete(f"{SUBMISSIONS}/{submission_id}", headers=headers),
        client.post(SUBMISSIONS, headers=headers, **form(archive)),
    ]
    assert [answer.status_code for answer in attempts] == [403] * 4
    assert board.states() == ["queued"]
    assert client.get("/me").status_code == 200


def test_no_answer_lets_another_site_read_it(client, board):
    sign_in(client, board.token())
    answer = client.get("/api/v1/whoami", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_what_belongs_to_another_is_as_if_it_were_not_there(client, board):
    """IDOR: each address that names a submission, asked by somebody else, for both kinds of id."""
    others, nobodys = board.queued("ada"), uuid4()
    headers = bearer(board.token("eve")) | {"Tus-Resumable": "1.0.0"}
    addresses = [
        ("GET", f"{SUBMISSIONS}/{{}}"),
        ("DELETE", f"{SUBMISSIONS}/{{}}"),
        ("GET", f"{SUBMISSIONS}/{{}}/statistics"),
        ("GET", f"{SUBMISSIONS}/{{}}/preview"),
        ("HEAD", "/api/v1/uploads/{}"),
        ("DELETE", "/api/v1/uploads/{}"),
        ("PATCH", "/api/v1/uploads/{}"),
        ("GET", "/submissions/{}"),
    ]
    piece = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    for method, address in addresses:
        answers = [
            client.request(method, address.format(one), headers=headers | piece)
            for one in (others, nobodys)
        ]
        assert [answer.status_code for answer in answers] == [404, 404], (method, address)
        one, other = (
            answer.text.replace(str(id_), "ID")
            for answer, id_ in zip(answers, (others, nobodys), strict=True)
        )
        assert one == other, address
    assert board.states() == ["queued"]


def test_a_page_of_another_s_list_cannot_be_asked_for(client, board):
    board.queued("ada")
    theirs = board.queued("ada").hex
    answer = client.get(
        SUBMISSIONS, headers=bearer(board.token("eve")), params={"page_token": theirs}
    )
    assert answer.status_code == 422


@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: x=y", "a\nX: y", "\r\n\r\n<script>"])
def test_no_text_of_a_client_becomes_a_header(server, client, board, text):
    encoded = quote(text)
    for path in (
        f"/sign-in?next=/{encoded}",
        f"/submit?track={encoded}",
        f"/api/v1/leaderboard?track={encoded}",
        f"/api/v1/tracks/{encoded}",
        f"/?track={encoded}",
    ):
        answer = client.get(path)
        assert answer.status_code < 500
        assert "x" not in answer.cookies
        assert "set-cookie: x" not in str(answer.headers).lower()
        assert "\n" not in "".join(answer.headers.values())
    raw = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    raw.putrequest("GET", "/healthz")
    raw._output(b"X-Request-ID: a\r\n b")  # a folded header: past http.client's own check
    raw.endheaders()
    answered = raw.getresponse()
    assert answered.status in (200, 400)
    assert "\n" not in (answered.getheader("X-Request-ID") or "")
    raw.close()


@pytest.mark.parametrize(
    "text", ['x\n{"level": "error", "message": "forged"}', "\x1b[2J", "\u2028"]
)
def test_no_text_of_a_client_becomes_a_line_of_the_log(server, client, text):
    def said() -> list[str]:
        return [line for line in server.log().splitlines() if "forger" in line]

    before = len(said())
    client.get(f"/api/v1/tracks/{quote(text)}", headers={"X-Request-ID": "forger"})
    assert eventually(lambda: len(said()) > before, 5)  # it is written once the answer is sent
    for line in said():
        assert json.loads(line)["message"].startswith("GET /api/v1/tracks/")
        assert line.isascii()
        assert line.isprintable()
    assert not any(line.startswith('{"level": "error", "message": "forged"') for line in said())


@pytest.mark.parametrize(
    "following",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "/%0d%0a"],
)
def test_one_is_never_sent_to_another_site(client, board, following):
    sign_in(client, board.token())
    for answer in (
        client.get("/sign-in", params={"next": following}),
        client.get(f"//evil.example/%2e%2e{quote(following)}"),
        client.get("/me/"),
    ):
        target = urlsplit(answer.headers.get("location", "/"))
        ours = urlsplit(str(client.base_url)).netloc
        assert target.netloc in ("", ours), answer.headers["location"]
        assert not answer.headers.get("location", "/").startswith("//")


def test_a_token_is_nowhere_in_the_logs(server, client, board, archive):
    token = board.token()
    sign_in(client, token)
    secret = client.cookies["cosmoboard_session"]
    client.post(SUBMISSIONS, headers=bearer(token), **form(archive))
    client.get("/api/v1/whoami", headers=bearer(f"{token}x"))
    assert token not in server.log()
    assert secret not in server.log()
