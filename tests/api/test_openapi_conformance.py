"""Requests generated from the OpenAPI document: every answer is one that it describes."""

import os
import subprocess
import sys
from pathlib import Path

from tests.boards import bearer
from tests.servers import Server

HERE = Path(__file__).parent
SECONDS = 15


def test_generated_requests_get_only_answers_that_the_document_describes(
    environment, board, tmp_path
):
    board.scored(0.5)
    board.queued("eve")
    hostess = bearer(board.token("hostess", is_host=True))
    limits = {"COSMOBOARD_STALL_SECONDS": "5", "COSMOBOARD_SWEEP_SECONDS": "3600"}
    with Server(environment | limits, tmp_path / "log") as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli"),
                *("--config-file", str(HERE / "schemathesis.toml"), "run"),
                f"{server.url}/api/v1/openapi.json",
                *("--header", f"Authorization:{hostess['Authorization']}"),
                *("--phases", "examples,coverage,fuzzing"),
                # What is valid may still be refused: a track is closed, an upload does not exist.
                # The framework's `Allow` names the methods of one of a path's routes.
                *("--exclude-checks", "positive_data_acceptance,allow_header_conformance"),
                *("--generation-deterministic", "--max-examples", "20", "--no-color"),
                *("--max-time", str(SECONDS), "--request-timeout", "20"),
            ],
            capture_output=True,
            text=True,
            env=os.environ
            | {"COLUMNS": "120", "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks"},
            timeout=SECONDS + 200,
        )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert "Traceback" not in server.log(), server.log()
