"""The pages as they leave the server."""

import re

from tests.boards import bearer

EVIL = "<script>alert(1)</script>"


def test_the_first_page_is_the_board_of_the_first_open_track(client, board):
    board.scored(0.25, "ada")
    page = client.get("/").text
    assert "<h1>3d-32</h1>" in page
    assert "Real cubes (training set)" in page
    assert "25.0 %" in page
    assert "2.00" in page


def test_a_closed_track_says_so(client, board):
    assert "not open yet" in client.get("/?track=3d-256").text


def test_a_submission_has_a_page(client, board):
    page = client.get(f"/submissions/{board.scored(0.25, url='https://example.org/m')}").text
    assert "25.0 %" in page
    assert 'href="https://example.org/m"' in page


def test_a_private_submission_has_a_page_for_its_owner_alone(client, board):
    submission_id = board.queued()
    board.failed(submission_id, "negative", "Field 3 is negative.")
    own = client.get(f"/submissions/{submission_id}", headers=bearer(board.token()))
    strange = client.get(f"/submissions/{submission_id}", headers={"Accept": "text/html"})
    assert "Field 3 is negative." in own.text
    assert strange.status_code == 404
    assert "<h1>Not found</h1>" in strange.text
    assert "Field 3" not in strange.text


def test_names_are_text_wherever_they_appear(client, board):
    submission_id = board.scored(
        0.25,
        EVIL,
        **dict.fromkeys(("method", "description", "parameters", "extra_data"), EVIL),
    )
    for path in ("/", f"/submissions/{submission_id}"):
        page = client.get(path).text
        assert EVIL not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_nothing_is_inline(client, board):
    for path in ("/", f"/submissions/{board.scored(0.25)}", "/nothing"):
        page = client.get(path, headers={"Accept": "text/html"}).text
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page)
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)
        assert "<style" not in page
