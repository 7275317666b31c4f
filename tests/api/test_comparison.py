"""Whether one submission is better than another, as the API tells it."""

from uuid import uuid4

import pytest

from api.published import decimals
from scoring import compare, compare_submissions
from tests.fields import random_statistics

REAL, NEAR, FAR = (random_statistics(12, seed, shift) for seed, shift in ((1, 0), (2, 0), (3, 0.5)))
NEAR_REPORT, FAR_REPORT = compare(REAL, NEAR), compare(REAL, FAR)


@pytest.fixture
def near(board):
    return board.reported(board.queued("ada"), NEAR_REPORT)


@pytest.fixture
def far(board):
    return board.reported(board.queued("bob"), FAR_REPORT)


def read(client, a, b):
    return client.get(f"/api/v1/submissions/{a}/comparison/{b}")


def test_the_difference_is_that_of_the_paired_jackknife(client, near, far):
    answer = read(client, near, far)
    expected = compare_submissions(NEAR_REPORT.leave_out, FAR_REPORT.leave_out, (0.1, 0.1, 0.1))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {"psd", "mass", "peak", "log_overall"}
    for name, found in body.items():
        difference = getattr(expected, name)
        places = decimals(difference.value, difference.ci95)
        assert found == {
            "value": round(difference.value, places),
            "ci95": [round(end, places) for end in difference.ci95],
            "p": pytest.approx(difference.p, rel=5e-3),
        }
    assert body["mass"]["value"] < 0
    assert body["log_overall"]["value"] > 0


def test_the_other_way_round_the_sign_changes(client, near, far):
    one, other = read(client, near, far).json(), read(client, far, near).json()
    assert other["psd"]["value"] == pytest.approx(-one["psd"]["value"])
    assert other["log_overall"]["p"] == pytest.approx(one["log_overall"]["p"])


def test_a_submission_does_not_differ_from_itself(client, near):
    body = read(client, near, near).json()
    assert (body["log_overall"]["value"], body["log_overall"]["p"]) == (0, 1)


def test_what_was_never_scored_on_one_reference_is_not_compared(client, board, near):
    board.open_track("3d-32", content="b")
    later = board.reported(board.queued("eve"), FAR_REPORT)
    answer = read(client, near, later)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_comparable")
    assert "ask the host to re-score" in answer.json()["detail"]


def test_only_scored_submissions_that_one_may_see_are_compared(client, board, near):
    board.queued("eve")
    assert read(client, near, uuid4()).json()["code"] == "not_found"
    assert read(client, uuid4(), near).json()["code"] == "not_found"
    mine = board.queued("ada")
    assert read(client, near, mine).json()["code"] == "not_found"
