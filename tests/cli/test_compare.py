"""`cosmoboard compare`: whether A is better than B, in a sentence."""

import json

import pytest

from scoring import compare
from tests.fields import random_statistics

REAL = random_statistics(12, 1)


@pytest.fixture
def scored(board):
    """Makes a scored submission whose fields are this far from the real ones."""

    def scored(name: str, shift: float, seed: int) -> str:
        report = compare(REAL, random_statistics(12, seed, shift))
        return str(board.reported(board.queued(name), report))

    return scored


def test_the_better_one_is_named_whichever_comes_first(run, scored):
    near, far = scored("bob", 0, 2), scored("eve", 2.0, 3)
    assert "A is better: overall of A is" in run("compare", near, far).stdout.replace("\n", " ")
    assert "B is better: overall of A is" in run("compare", far, near).stdout.replace("\n", " ")


def test_two_within_their_errors_are_not_told_apart(run, scored):
    done = run("compare", scored("bob", 0, 2), scored("eve", 0, 4))
    assert done.exit_code == 0
    assert "A and B cannot be told apart" in done.stdout.replace("\n", " ")


def test_json_is_what_the_board_says(run, client, scored):
    near, far = scored("bob", 0, 2), scored("eve", 0.5, 3)
    done = run("compare", near, far, "--json")
    board_says = client.get(f"/api/v1/submissions/{near}/comparison/{far}").json()
    assert json.loads(done.stdout) == board_says


def test_one_that_is_not_scored_is_refused_in_a_sentence(run, board, scored):
    waiting = board.queued()
    done = run("compare", waiting, scored("bob", 0, 2))
    assert done.exit_code == 1
    assert done.stderr == f"Error: Submission {waiting} is queued, not scored.\n"
