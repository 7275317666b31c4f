"""`cosmoboard submit`: an archive from this machine to a board."""

import hashlib
import json
import threading
import time

import pytest

from board.models import Submission

TRACK = ("--track", "3d-32", "--method", "My model")


def test_an_archive_is_submitted_with_all_that_is_said_of_it(run, archive_file, board, client):
    done = run(
        *("submit", archive_file, *TRACK, "--json"),
        *("--description", "two\nlines", "--link", "https://example.org", "--parameters", "4 M"),
        *("--training-compute", "3 GPU hours", "--extra-data", "none"),
    )
    assert done.exit_code == 0, done.stderr
    submission = json.loads(done.stdout)
    assert submission["state"] == "queued"
    assert submission["sha256"] == hashlib.sha256(archive_file.read_bytes()).hexdigest()
    with board.session() as session:
        kept = session.query(Submission).one()
        assert (kept.description, kept.url) == ("two\nlines", "https://example.org")
        assert (kept.parameters, kept.training_compute) == ("4 M", "3 GPU hours")
        assert kept.extra_data == "none"


def test_without_json_the_id_comes_first_and_the_address_on_stderr(run, archive_file, server):
    done = run("submit", archive_file, *TRACK)
    first, second = done.stdout.splitlines()
    assert first.endswith("  My model on 3d-32")
    assert second == "queued, number 1"
    assert done.stderr.strip().endswith(f"{server.url}/submissions/{first.split()[0]}")


@pytest.fixture
def worker(board):
    """Ends the first submission that is queued, as the test says."""
    threads = []

    def end_with(end):
        def work():
            deadline = time.monotonic() + 20
            while board.states() != ["queued"]:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            end(board.ids()[0])

        threads.append(threading.Thread(target=work))
        threads[0].start()

    yield end_with
    for thread in threads:
        thread.join()


def test_wait_follows_to_the_scores(run, archive_file, board, worker):
    worker(lambda submission_id: board.finished(submission_id, 0.25))
    done = run("submit", archive_file, *TRACK, "--wait")
    assert done.exit_code == 0
    assert "scored, overall 25 %" in done.stdout
    assert "Power spectrum" in done.stdout
    assert "0.25 to 1" in done.stdout


def test_wait_ends_with_one_where_the_submission_fails(run, archive_file, board, worker):
    worker(lambda submission_id: board.failed(submission_id, "negative", "Field 3 is negative."))
    done = run("submit", archive_file, *TRACK, "--wait", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["message"] == "Field 3 is negative."


def test_an_archive_that_the_board_would_refuse_is_not_sent(run, tmp_path, board):
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    done = run("submit", tmp_path / "bad.npz", *TRACK)
    assert done.exit_code == 1
    assert "Error: This is not an .npz archive" in done.stderr
    assert board.ids() == []


def test_a_refusal_is_told_in_its_sentence(run, archive_file):
    run("submit", archive_file, *TRACK)
    done = run("submit", archive_file, *TRACK)
    assert done.exit_code == 1
    assert "You have already submitted this archive" in done.stderr
    assert done.stdout == ""


def test_without_a_token_it_ends_with_three(run, archive_file, monkeypatch):
    monkeypatch.delenv("COSMOBOARD_TOKEN")
    done = run("submit", archive_file, *TRACK)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "token" in done.stderr


def test_without_a_board_it_ends_with_four(run, archive_file):
    done = run("submit", archive_file, *TRACK, "--url", "http://127.0.0.1:1")
    assert done.exit_code == 4
    assert "The board at http://127.0.0.1:1 cannot be reached" in done.stderr


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.org", "http://[::1"])
def test_an_address_that_is_none_is_said(run, archive_file, url):
    done = run("submit", archive_file, *TRACK, "--url", url)
    assert done.exit_code == 4
    assert "cannot be reached" in done.stderr


@pytest.mark.parametrize(
    "words", [(), ("nowhere.npz", *TRACK), ("nowhere.npz", "--track", "4d", "--method", "x")]
)
def test_wrong_usage_ends_with_two(run, words):
    assert run("submit", *words).exit_code == 2
