"""`cosmoboard backup` and `cosmoboard restore`: a served board moves to a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.boards import Board, bearer, form

COSMOBOARD = Path(sys.executable).with_name("cosmoboard")


def run(environment: dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    """Run `cosmoboard` in a process of its own; its settings are the given ones alone."""
    inherited = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    command = [COSMOBOARD, *map(str, words)]
    return subprocess.run(command, env=inherited | environment, capture_output=True, text=True)


def test_a_served_board_moves_to_a_new_folder(
    environment: dict[str, str],
    board: Board,
    client: httpx.Client,
    archive: bytes,
    tmp_path: Path,
) -> None:
    sent = client.post("/api/v1/submissions", headers=bearer(board.token()), **form(archive))
    submission = sent.json()["id"]
    backup, data = tmp_path / "backup", tmp_path / "new"

    written = run(environment, "backup", backup, "--json")
    assert written.returncode == 0, written.stderr
    told = json.loads(written.stdout)
    assert (told["archives"], told["bytes"], told["lost"]) == (1, len(archive), {})
    assert told["rows"]["submissions"] == 1

    restored = run({}, "restore", backup, "--data", data)
    assert restored.returncode == 0, restored.stderr
    assert restored.stdout.startswith("1 submissions of 1 participants and 1 archives (")
    assert (data / "archives" / f"{submission}.npz").read_bytes() == archive

    again = run({}, "restore", backup, "--data", data)
    assert again.returncode == 1
    assert "The board is not empty" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_lost_archive_is_told_and_fails_the_command(
    environment: dict[str, str], board: Board, tmp_path: Path
) -> None:
    queued = board.queued()

    written = run(environment, "backup", tmp_path / "backup")
    assert written.returncode == 1
    assert f"The archive of submission {queued} is missing." in written.stderr
    assert (tmp_path / "backup" / "manifest.json").exists()


def test_tells_what_cannot_be_done(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for words in (
        ("backup", tmp_path / "file" / "backup"),
        ("restore", tmp_path, "--data", tmp_path / "new"),
    ):
        refused = run(environment, *words)
        assert refused.returncode == 1
        assert refused.stderr.lstrip().startswith("Error: ")
        assert "Traceback" not in refused.stderr
