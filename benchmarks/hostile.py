"""Send every archive of the hostile corpus to a running board, and watch what becomes of it.

Needs a board on this machine and a participant's token in COSMOBOARD_TOKEN, with room for as many
submissions (COSMOBOARD_DAILY_LIMIT=500 make run). Exits 1 if an archive was scored, if one ended
without a reason, if a process took more than 1 GiB, or if a good archive was not scored afterwards.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import psutil

from cubes.archive import write_archive
from cubes.demo import demo_fields
from cubes.tracks import TRACKS
from tests.hostile import HOSTILE

TRACK = TRACKS["3d-64"]
PROCESSES = {"worker": "worker.app", "api": "api.app"}
MEMORY_LIMIT = 2**30


def main() -> int:
    """Print what became of the archives; return 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="address of the board")
    url = f"{parser.parse_args().url}/api/v1/submissions"
    headers = {"Authorization": f"Bearer {os.environ['COSMOBOARD_TOKEN']}"}
    with (
        tempfile.TemporaryDirectory() as folder,
        httpx.Client(headers=headers, timeout=120) as client,
        peak_memory() as peaks,
    ):
        path = Path(folder) / "cubes.npz"
        ends: Counter[str] = Counter()
        for hostile in HOSTILE.values():
            hostile.write(path, TRACK)
            ends[end_of(client, url, path)] += 1
        write_archive(path, (field + np.float32(0.125) for field in demo_fields("3d-64", "train")))
        began = time.monotonic()
        last = end_of(client, url, path)
        seconds = time.monotonic() - began
    print(f"{len(HOSTILE)} hostile archives: {dict(ends)}")
    print(f"a good one afterwards: {last} after {seconds:.1f} s")
    print({name: f"at most {peak / 2**20:.0f} MiB" for name, peak in peaks.items()})
    kept = not ends["scored"] and not ends["failed without a reason"] and last == "scored"
    return 0 if kept and max(peaks.values()) < MEMORY_LIMIT else 1


def end_of(client: httpx.Client, url: str, path: Path) -> str:
    """Submit an archive and return how it ended."""
    with path.open("rb") as file:
        form = {"track": TRACK.name, "method": "hostile"}
        answer = client.post(url, data=form, files={"archive": file})
    if answer.status_code != 201:
        return f"refused with {answer.status_code}"
    while True:
        submission = client.get(f"{url}/{answer.json()['id']}").raise_for_status().json()
        if submission["state"] == "failed":
            return "failed" if submission["message"] else "failed without a reason"
        if submission["state"] == "scored":
            return "scored"
        time.sleep(0.1)


@contextmanager
def peak_memory() -> Iterator[dict[str, int]]:
    """Keep the largest resident size in bytes of the board's processes."""
    peaks = dict.fromkeys(PROCESSES, 0)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            for process in psutil.process_iter(["cmdline", "memory_info"]):
                words = process.info["cmdline"] or []
                for name, part in PROCESSES.items():
                    if any(part in word for word in words) and process.info["memory_info"]:
                        peaks[name] = max(peaks[name], process.info["memory_info"].rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peaks
    finally:
        over.set()
        watching.join()


if __name__ == "__main__":
    sys.exit(main())
