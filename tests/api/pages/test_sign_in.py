"""Signing in on the pages: the cookie, the proof of origin, and where one ends up."""

import re

import httpx
import pytest

from tests.boards import bearer


def csrf_of(page: str) -> str:
    return re.search(r'name="csrf" value="([0-9a-f]{64})"', page)[1]


def sign_in(client: httpx.Client, token: str, following: str = "/me") -> httpx.Response:
    page = client.get("/sign-in", params={"next": following}).text
    form = {"csrf": csrf_of(page), "token": token, "next": following}
    return client.post("/sign-in", data=form)


def test_a_token_signs_in_and_the_cookie_is_out_of_reach_of_scripts(client, board):
    answer = sign_in(client, board.token())
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    (cookie,) = [c for c in answer.headers.get_list("set-cookie") if "cosmoboard_session=" in c]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie  # this connection is not encrypted
    page = client.get("/me")
    assert "Your submissions" in page.text
    assert page.headers["Cache-Control"] == "private, no-cache"


def test_a_wrong_token_is_told_and_signs_nobody_in(client, board):
    answer = sign_in(client, "cosmoboard_wrong")
    assert answer.status_code == 401
    assert "The token is unknown, revoked or expired" in answer.text
    assert client.get("/me").status_code == 303


def test_each_sign_in_gets_a_new_session_and_ends_the_old_one(client, board):
    """Whoever plants a cookie of theirs gains nothing."""
    sign_in(client, board.token("eve"))
    planted = client.cookies["cosmoboard_session"]
    page = client.get("/sign-in?next=/me")
    assert page.status_code == 303  # already somebody: sign out first
    client.post("/sign-out", data={"csrf": csrf_of(client.get("/me").text)})
    sign_in(client, board.token("ada"))
    assert client.cookies["cosmoboard_session"] != planted


def test_signing_out_ends_the_session_on_the_server_too(client, board):
    sign_in(client, board.token())
    secret = client.cookies["cosmoboard_session"]
    answer = client.post("/sign-out", data={"csrf": csrf_of(client.get("/me").text)})
    assert answer.status_code == 303
    assert "cosmoboard_session" not in client.cookies
    client.cookies.set("cosmoboard_session", secret)
    assert client.get("/me").status_code == 303


@pytest.mark.parametrize("form", [{"x": "y"}, {"csrf": ""}, {"csrf": "0" * 64}])
def test_a_form_without_proof_changes_nothing(client, board, form):
    sign_in(client, board.token())
    submission_id = board.queued()
    answer = client.post(f"/submissions/{submission_id}/withdraw", data=form)
    assert answer.status_code == 403
    assert board.states() == ["queued"]


def test_a_sign_in_form_of_another_browser_is_refused(client, server, board):
    page = client.get("/sign-in").text
    with httpx.Client(base_url=server.url) as other:
        form = {"csrf": csrf_of(page), "token": board.token(), "next": "/me"}
        assert other.post("/sign-in", data=form).status_code == 403
        other.get("/sign-in")
        assert other.post("/sign-in", data=form).status_code == 403


def test_the_api_takes_the_cookie_for_changes_only_with_proof(client, board):
    sign_in(client, board.token())
    submission_id = board.queued()
    url = f"/api/v1/submissions/{submission_id}"
    assert client.get(url).status_code == 200
    answer = client.delete(url)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    proof = csrf_of(client.get("/me").text)
    assert client.delete(url, headers={"X-CSRF-Token": proof}).status_code == 200


def test_a_session_is_no_token(client, board):
    sign_in(client, board.token())
    secret = client.cookies["cosmoboard_session"]
    client.cookies.clear()
    assert client.get("/api/v1/whoami", headers=bearer(secret)).status_code == 401


def test_one_withdraws_by_the_page(client, board):
    sign_in(client, board.token())
    submission_id = board.queued()
    page = client.get(f"/submissions/{submission_id}").text
    form = {"csrf": csrf_of(page)}
    answer = client.post(f"/submissions/{submission_id}/withdraw", data=form)
    assert answer.headers["location"] == f"/submissions/{submission_id}"
    assert "Withdrawn by the participant." in client.get(answer.headers["location"]).text


def test_one_does_not_withdraw_what_is_not_ones_own(client, board):
    submission_id = board.scored(0.5, "bob")
    sign_in(client, board.token("eve"))
    form = {"csrf": csrf_of(client.get("/me").text)}
    assert client.post(f"/submissions/{submission_id}/withdraw", data=form).status_code == 404
    assert board.states() == ["scored"]


@pytest.mark.parametrize(
    "following",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:x", ""],
)
def test_one_never_ends_up_elsewhere(client, board, following):
    assert sign_in(client, board.token(), following).headers["location"] == "/me"


def test_one_ends_up_where_one_wanted_to_be(client, board):
    wanted = client.get("/submit?track=3d-32").headers["location"]
    page = client.get(wanted).text
    form = {
        "csrf": csrf_of(page),
        "token": board.token(),
        "next": re.search(r'name="next" value="([^"]*)"', page)[1],
    }
    assert client.post("/sign-in", data=form).headers["location"] == "/submit?track=3d-32"


def test_a_form_that_is_no_form_is_refused(client, board):
    for arguments in (
        {"json": {"token": "x"}},
        {"content": b"token=" + b"x" * 100_000, "headers": {"Content-Type": FORM}},
        {"content": b"token=\xff", "headers": {"Content-Type": FORM}},
    ):
        answer = client.post("/sign-in", **arguments)
        assert answer.status_code in (413, 415, 422)


FORM = "application/x-www-form-urlencoded"
