"""The reader of archives on mutated ones; `make fuzz` does it for hours."""

import os
import subprocess
import sys

SECONDS = 60


def test_nothing_comes_out_but_fields_or_an_archive_error() -> None:
    seed = os.environ.get("FUZZ_SEED", "350")
    child = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.archives"),
            *("--seconds", str(SECONDS), "--seed", seed),
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS + 120,
    )
    assert child.returncode == 0, child.stdout + child.stderr[-3000:]
    archives = int(child.stdout.split("\n")[1].split()[0])
    assert archives > 100
    assert child.stdout.count("\n") > 12  # many reasons are met
