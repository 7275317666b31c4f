"""The pages as they leave the server."""

import re
from base64 import b64encode

import pytest
from sqlalchemy import func

from board.models import CopyCheck, Reference, Submission
from scoring import compare
from tests.boards import bearer
from tests.fields import random_statistics

EVIL = "<script>alert(1)</script>"
HTML = {"Accept": "text/html"}


def test_the_first_page_is_the_board_of_the_first_open_track(client, board):
    board.scored(0.25, "ada", parameters="1234567", training_compute="an hour")
    page = client.get("/").text
    assert "<h1>3d-32</h1>" in page
    assert "made for a test" in page
    assert "Real cubes (training set)" in page
    assert "25 %" in page
    assert "2.00" in page
    assert "1\u2009234\u2009567 parameters" in page
    assert "an hour" in page


def test_a_closed_track_says_so(client, board):
    assert "not open yet" in client.get("/?track=3d-256").text


def test_a_board_shows_its_first_rows_and_offers_the_rest(client, board):
    for i in range(105):
        board.scored(0.25, method=f"m{i}")
    page = client.get("/").text
    assert page.count("<tr role") == 101
    assert "Show 6 more rows" in page
    assert client.get("/?rows=all").text.count("<tr role") == 107


def test_a_submission_has_a_page(client, board):
    page = client.get(f"/submissions/{board.scored(0.25, url='https://example.org/m')}").text
    assert "25 %" in page
    assert "rank 1 of 1 on" in page
    assert 'href="https://example.org/m"' in page


def test_a_queued_submission_shows_its_place(client, board):
    board.queued("bob")
    submission_id = board.queued()
    page = client.get(f"/submissions/{submission_id}", headers=bearer(board.token())).text
    assert "Number 2 in the queue." in page
    assert "/static/follow.js" in page


def test_a_private_submission_has_a_page_for_its_owner_alone(client, board):
    submission_id = board.queued()
    board.failed(submission_id, "negative", "Field 3 is negative.")
    own = client.get(f"/submissions/{submission_id}", headers=bearer(board.token()))
    strange = client.get(f"/submissions/{submission_id}", headers=HTML)
    assert "Field 3 is negative." in own.text
    assert "<code>negative</code>" in own.text
    assert strange.status_code == 404
    assert "<h1>Not found</h1>" in strange.text
    assert "A submission is public once it is scored." in strange.text
    assert f'href="/sign-in?next=%2Fsubmissions%2F{submission_id}"' in strange.text
    assert "Field 3" not in strange.text


def test_an_upload_under_way_shows_how_much_has_arrived(client, board):
    headers = bearer(board.token()) | {"Tus-Resumable": "1.0.0"}
    metadata = f"track {b64encode(b'3d-32').decode()},method {b64encode(b'mine').decode()}"
    begun = client.post(
        "/api/v1/uploads",
        headers=headers | {"Upload-Length": "4000000", "Upload-Metadata": metadata},
    ).headers["Location"]
    piece = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    client.patch(begun, headers=headers | piece, content=bytes(1_500_000)).raise_for_status()
    page = client.get(begun.replace("/api/v1/uploads", "/submissions"), headers=headers).text
    assert "1.5 MB of 4.0 MB have arrived." in page
    assert '<progress id="progress" value="1500000" max="4000000"' in page


def test_a_row_that_is_behind_the_first_shows_by_how_much(client, board):
    real, near, far = (
        random_statistics(12, seed, shift) for seed, shift in ((1, 0), (2, 0), (3, 0.5))
    )
    first = board.reported(board.queued("ada"), compare(real, near))
    second = board.reported(board.queued("bob"), compare(real, far))
    page = client.get(f"/submissions/{second}").text
    assert f'times that of the first row, <a href="/submissions/{first}">' in page
    assert "rank 2 of 2 on" in page
    assert "times that of the first row" not in client.get(f"/submissions/{first}").text


def test_a_frozen_board_is_linked_on_its_track(client, board):
    board.scored(0.25)
    host = bearer(board.token("host", is_host=True))
    frozen = client.post("/api/v1/snapshots", params={"track": "3d-32"}, headers=host).json()
    assert f'href="{frozen["url"]}"' in client.get("/").text
    assert f'href="{frozen["url"]}?format=csv"' in client.get("/").text


def test_a_hidden_submission_is_on_no_page_of_others(client, board):
    submission_id = board.scored(0.25)
    with board.session() as session:
        session.query(Submission).update({"hidden": True})
    assert str(submission_id) not in client.get("/").text
    assert client.get(f"/submissions/{submission_id}", headers=HTML).status_code == 404
    own = client.get(f"/submissions/{submission_id}", headers=bearer(board.token()))
    assert "hidden from the board by the host" in own.text


def test_the_form_knows_how_many_submissions_are_left_today(client, board):
    headers = bearer(board.token())
    assert 'data-left="5"' in client.get("/submit", headers=headers).text
    board.queued("ada")
    board.failed(board.queued("ada"), "infrastructure", "Ours.")
    assert 'data-left="4"' in client.get("/submit", headers=headers).text


def test_copies_are_shown_with_their_evidence_and_flagged_on_the_board(client, board):
    submission_id = board.scored(0.25)
    page = f"/submissions/{submission_id}"
    assert "Copies" not in client.get(page).text
    with board.session() as session:
        evidence = {
            "field": 3,
            "original": 7,
            "kind": "partial",
            "symmetry": "-z+y+x",
            "shift": [1, 0, 31],
            "correlation": 0.93,
            "significance": 120.0,
        }
        session.add(
            CopyCheck(
                submission_id=submission_id,
                reference_id=session.query(Reference.id).scalar(),
                checked_at=func.now(),
                copies=[evidence | {"source": "training"}],
                held_out_copies=[evidence | {"source": "held-out", "original": 9}],
            )
        )
    shown = client.get(page).text
    assert "1 of its fields look like copies" in shown
    assert "training field 7" in shown
    assert "held-out field 9" not in shown
    assert (
        "held-out field 9" in client.get(page, headers=bearer(board.token("h", is_host=True))).text
    )
    assert f'href="{page}#copies"' in client.get("/").text


def test_a_page_without_secrets_is_gzipped(client, board):
    board.scored(0.25)
    anonymous = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert anonymous.headers["Content-Encoding"] == "gzip"
    own = client.get("/", headers={"Accept-Encoding": "gzip"} | bearer(board.token()))
    assert "Content-Encoding" not in own.headers
    sign_in = client.get("/sign-in", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in sign_in.headers


@pytest.mark.parametrize("path", ["/me", "/submit", "/submit?track=3d-32"])
def test_what_is_ones_own_asks_to_sign_in_first(client, board, path):
    answer = client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=%2F")


def test_names_are_text_wherever_they_appear(client, board):
    fields = ("method", "description", "parameters", "extra_data", "training_compute")
    submission_id = board.scored(0.25, EVIL, **dict.fromkeys(fields, EVIL))
    headers = bearer(board.token(EVIL))
    for path in ("/", f"/submissions/{submission_id}", "/me"):
        page = client.get(path, headers=headers).text
        assert EVIL not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_nothing_is_inline(client, board):
    headers = bearer(board.token())
    submission_id = board.scored(0.25)
    for path in ("/", f"/submissions/{submission_id}", "/nothing", "/submit", "/me", "/about"):
        page = client.get(path, headers=HTML | headers).text
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page)
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)
        assert "<style" not in page
        assert not re.search(r'(src|href)="https?://(?!arxiv\.org)', page)
