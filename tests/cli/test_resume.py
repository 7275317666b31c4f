"""An upload that is cut, on either side, goes on where it ended."""

import hashlib
import json
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.servers import Server

TRACK = ("--track", "3d-32", "--method", "My model")

SLOW_LINE = """
import sys, time
import cli.client
from cli.main import main

pieces = cli.client._pieces
cli.client._PIECE_BYTES = 50_000

def slowly(*arguments):
    for piece in pieces(*arguments):
        time.sleep(0.1)
        yield piece

cli.client._pieces = slowly
main(sys.argv[1:])
"""


class SlowSubmit:
    """`cosmoboard submit` in a process of its own, over a line of half a megabyte a second."""

    def __init__(self, archive_file, *words):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SLOW_LINE, "submit", archive_file, *TRACK, "--json", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self):
        """Return exit code, stdout and stderr."""
        stdout, stderr = self.process.communicate(timeout=60)
        return self.process.returncode, stdout, stderr


@pytest.fixture
def arrived(board):
    """Waits until some, but not all, of an upload has arrived."""

    def wait(at_least=1):
        deadline = time.monotonic() + 60
        while True:
            sizes = [path.stat().st_size for path in board.folder.glob("uploads/*")]
            if sizes and sizes[0] >= at_least:
                return sizes[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)

    return wait


def assert_queued_whole(board, archive_file, stdout):
    submission = json.loads(stdout)
    assert submission["state"] == "queued"
    assert submission["sha256"] == hashlib.sha256(archive_file.read_bytes()).hexdigest()
    kept = board.folder / "archives" / f"{submission['id']}.npz"
    assert kept.read_bytes() == archive_file.read_bytes()
    assert [str(submission_id) for submission_id in board.ids()] == [submission["id"]]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_same_command_goes_on_after_the_client_was_killed(
    run, archive_file, board, arrived, how
):
    first = SlowSubmit(archive_file)
    arrived()
    first.process.send_signal(how)
    code, stdout, stderr = first.end()
    assert stdout == ""
    if how == signal.SIGINT:
        assert code == 130
        assert "The same command goes on" in stderr

    done = run("submit", archive_file, *TRACK, "--json")
    assert done.exit_code == 0, done.stderr
    assert_queued_whole(board, archive_file, done.stdout)


def test_the_command_goes_on_by_itself_after_the_board_was_killed(
    run, environment, archive_file, board, arrived, tmp_path
):
    with Server(environment, tmp_path / "log") as server:
        submit = SlowSubmit(archive_file, "--url", server.url)
        arrived()
        server.kill()
        threading.Timer(1, server.start).start()
        code, stdout, stderr = submit.end()
        assert code == 0, stderr
        assert_queued_whole(board, archive_file, stdout)


def test_another_method_does_not_take_over_an_upload(run, archive_file, board, arrived):
    first = SlowSubmit(archive_file)
    arrived()
    first.process.kill()
    first.end()

    done = run("submit", archive_file, "--track", "3d-32", "--method", "Another")
    assert done.exit_code == 1
    assert "as 'My model' is under way" in done.stderr

    run("withdraw", board.ids()[0])
    done = run("submit", archive_file, "--track", "3d-32", "--method", "Another")
    assert done.exit_code == 0


def test_an_archive_that_the_board_refuses_at_its_end_fails_with_the_reason(
    run, archive_file, board, arrived
):
    """The file changes under the upload's feet."""
    submit = SlowSubmit(archive_file)
    arrived()
    with archive_file.open("r+b") as file:
        file.seek(-1000, 2)
        file.write(bytes(500))
    code, stdout, _ = submit.end()
    assert code == 1
    assert json.loads(stdout)["reason"] == "checksum_mismatch"
