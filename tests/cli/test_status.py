"""`cosmoboard status`, `submissions` and `leaderboard`: what the board tells."""

import csv
import io
import json
import threading
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from board.models import CopyCheck
from board.references import current_reference
from cli.follow import standing
from tests.servers import Server


def test_status_says_how_far_a_submission_is(run, board):
    submission_id = board.queued()
    board.running(7, submission_id)
    done = run("status", submission_id)
    assert done.exit_code == 0
    assert "scoring, 7 of 30 fields" in done.stdout


def test_status_of_a_failure_says_why_and_ends_with_one(run, board):
    submission_id = board.queued()
    board.failed(submission_id, "negative", "Field 3 is negative.")
    done = run("status", submission_id)
    assert done.exit_code == 1
    assert "failed (negative)\nField 3 is negative." in done.stdout


def test_status_in_json_is_what_the_board_says(run, board, client):
    submission_id = board.scored(0.25)
    done = run("status", submission_id, "--json")
    assert json.loads(done.stdout) == client.get(f"/api/v1/submissions/{submission_id}").json()


def test_status_says_which_fields_look_copied(run, board):
    submission_id = board.scored(0.25)
    assert "look like copies" not in run("status", submission_id).stdout
    evidence = {
        "original": 7,
        "source": "training",
        "kind": "exact",
        "symmetry": "+x +y +z",
        "shift": [0, 0, 0],
        "correlation": 1.0,
        "significance": 47.0,
    }
    with board.session() as session:
        reference = current_reference(session, "3d-32")
        found = [{**evidence, "field": field} for field in (12, 3, 12)]
        session.add(
            CopyCheck(
                submission_id=submission_id,
                reference_id=reference.id,
                checked_at=datetime.now(UTC),
                copies=found,
                held_out_copies=[],
            )
        )
    told = run("status", submission_id).stdout
    assert "2 fields look like copies of training fields or of each other: 3, 12." in told


def test_status_of_nothing_is_a_sentence(run):
    done = run("status", uuid4())
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: There is no submission")
    assert run("status", "my-submission").exit_code == 2


def test_submissions_lists_every_page(run, board):
    ids = [str(board.queued()) for _ in range(103)]
    listed = json.loads(run("submissions", "--limit", 1000, "--json").stdout)
    assert [submission["id"] for submission in listed] == ids[::-1]
    table = run("submissions", "--limit", 2).stdout
    assert ids[-1] in table
    assert ids[0] not in table


def test_submissions_of_nobody_says_how_to_begin(run):
    done = run("submissions")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "cosmoboard submit --help" in done.stderr


def test_leaderboard_shows_the_rows_in_order(run, board):
    board.scored(0.2, "ada", method="[red]plain text[/red]")
    board.scored(0.4, "bob")
    lines = run("leaderboard", "--track", "3d-32").stdout.splitlines()
    rows = [line for line in lines if "%" in line]
    assert "Real cubes" in rows[0]
    assert "bob" in rows[1]
    assert "[red]plain text[/red]" in rows[2]


def test_leaderboard_in_json_and_csv(run, board, client):
    board.scored(0.2)
    params = {"track": "3d-32", "sort": "psd"}
    body = client.get("/api/v1/leaderboard", params=params).json()
    words = ("leaderboard", "--track", "3d-32", "--sort", "psd")
    assert json.loads(run(*words, "--json").stdout) == body
    rows = list(csv.DictReader(io.StringIO(run(*words, "--csv").stdout)))
    assert [row["rank"] for row in rows] == ["", "1"]
    assert run(*words, "--csv", "--json").exit_code == 2


def test_status_waits_over_a_restart_of_the_board(run, board, environment, tmp_path, monkeypatch):
    """A board that is away for a while is asked again."""
    submission_id = board.queued()
    with Server(environment, tmp_path / "log") as server:

        def restart():
            board.finished(submission_id, 0.5)
            server.start()

        def standing_as_the_board_dies(submission):
            if server.process.poll() is None and submission["state"] == "queued":
                server.kill()
                threading.Timer(0.5, restart).start()
            return standing(submission)

        monkeypatch.setattr("cli.follow.standing", standing_as_the_board_dies)
        done = run("status", submission_id, "--wait", "--url", server.url)
    assert done.exit_code == 0, done.stderr
    assert "scored, overall 50 %" in done.stdout


@pytest.mark.parametrize("command", ["auth", "leaderboard", "status", "submissions", "submit"])
def test_every_command_explains_itself(run, command):
    done = run(command, "--help")
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


def test_withdraw_takes_a_submission_back(run, board):
    submission_id = board.queued()
    done = run("withdraw", submission_id)
    assert done.exit_code == 0
    assert "cancelled (withdrawn)" in done.stdout
    assert run("withdraw", submission_id).exit_code == 1
    assert run("status", submission_id).exit_code == 1
