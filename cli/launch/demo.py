"""The rows that a new board shows: the shipped archives, submitted over HTTP like anyone's."""

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.orm import Session

from baseline.shipped import SAMPLES, Sample
from board.database import transaction
from board.errors import NoReferenceError
from board.participants import create_participant, issue_token
from board.references import current_reference
from board.settings import get_settings
from board.storage import open_storage
from cli.client import Client, ProblemError, Submission, UnreachableError
from cli.follow import FINAL_STATES, standing
from cli.launch.errors import LaunchError
from cubes.demo import DEMO_TRACKS

PARTICIPANT = "baseline"
"""Who submits the shipped archives."""

STALL_TIMEOUT = 300.0
"""Seconds without any progress after which waiting is given up."""

_POLL_SECONDS = 0.2
_PATIENCE = 60.0
"""Seconds for which an API that does not answer is asked again: it may be restarting."""

T = TypeVar("T")
Check = Callable[[], None]
"""Raises a LaunchError where waiting longer is of no use."""


def open_tracks(notify: Callable[[str], None]) -> None:
    """Give each demo track that has no reference yet the demo's."""
    with transaction() as session:
        closed = [track for track in DEMO_TRACKS if not _is_open(session, track)]
    for track in closed:
        # Numba and more: a second start is spared
        from cli.build_reference import build_reference, keep_reference
        from cli.real_cubes import demo_source

        notify(f"Building the reference of {track} from the demo's fields.")
        storage = open_storage(get_settings())
        keep_reference(build_reference(track, demo_source(), storage), storage)


def baseline_token() -> str:
    """Return a token of the baseline's participant, good for a day."""
    with transaction() as session:
        participant = create_participant(session, PARTICIPANT, is_baseline=True)
        return issue_token(session, participant, datetime.now(UTC) + timedelta(days=1))


def submit_samples(client: Client, samples: Sequence[Sample], check: Check) -> list[Submission]:
    """Submit the shipped archives that were not yet, and return the submissions of all.

    One that failed is submitted again, and an upload that was cut goes on; one that was withdrawn
    stays so, and is left out.
    """
    earlier = _patiently(lambda: list(client.submissions()), check)
    known = {
        (submission["track"], submission["sha256"]): submission
        for submission in earlier
        if submission["state"] not in ("uploading", "failed")
    }
    submissions = []
    for sample in samples:
        key = sample.track, _sha256(sample)
        submissions.append(known.get(key) or _submit(client, sample, check))
    return [submission for submission in submissions if submission["state"] != "cancelled"]


def wait_until_ended(
    client: Client, submissions: Sequence[Submission], check: Check
) -> list[Submission]:
    """Follow submissions, with a progress bar for each, until all are scored or have failed.

    Raises:
        LaunchError: `check` raised it, the API stays away, or nothing has moved for a while.
    """
    now = list(submissions)
    moved_at = time.monotonic()
    columns = (
        TextColumn("{task.fields[track]}  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[standing]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bars = [
            progress.add_task(
                it["method"],
                track=it["track"],
                total=it["progress"]["total"],
                standing=standing(it),
            )
            for it in now
        ]
        while True:
            for bar, it in zip(bars, now, strict=True):
                done = it["progress"]["total" if it["state"] == "scored" else "done"]
                progress.update(bar, completed=done, standing=standing(it))
                if it["state"] in FINAL_STATES:
                    progress.stop_task(bar)
            if all(it["state"] in FINAL_STATES for it in now):
                return now
            if time.monotonic() - moved_at > STALL_TIMEOUT:
                raise LaunchError(
                    f"Nothing has been scored for {STALL_TIMEOUT:.0f} s:"
                    f"{_listed([it for it in now if it['state'] not in FINAL_STATES])}"
                )
            time.sleep(_POLL_SECONDS)
            check()
            before = now
            now = [
                it if it["state"] in FINAL_STATES else _read_again(client, it, check) for it in now
            ]
            if now != before:
                moved_at = time.monotonic()


def require_scored(submissions: Sequence[Submission]) -> None:
    """Raise a LaunchError that tells which submissions are not scored, and why."""
    unscored = [submission for submission in submissions if submission["state"] != "scored"]
    if unscored:
        raise LaunchError(f"Not every row is scored:{_listed(unscored)}")


def _is_open(session: Session, track: str) -> bool:
    try:
        current_reference(session, track)
    except NoReferenceError:
        return False
    return True


def _submit(client: Client, sample: Sample, check: Check) -> Submission:
    form = {
        "track": sample.track,
        "method": sample.method,
        "description": sample.description,
        "parameters": str(sample.parameters),
        "training_compute": sample.training_compute,
        "extra_data": sample.extra_data or "",
        "url": sample.url or "",
    }
    form = {name: text for name, text in form.items() if text}

    def submit() -> Submission:
        try:
            return client.submit(SAMPLES / sample.file, form, lambda arrived: None)
        except ProblemError as error:
            if error.code != "duplicate_archive":
                raise
            return client.submission(error.details["submission"])  # a try whose answer was lost

    return _patiently(submit, check)


def _read_again(client: Client, submission: Submission, check: Check) -> Submission:
    return _patiently(lambda: client.submission(submission["id"]), check)


def _patiently(ask: Callable[[], T], check: Check) -> T:
    """Ask the API, over a restart of it or of what it needs."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return ask()
        except UnreachableError as error:
            if time.monotonic() > deadline:
                raise LaunchError(str(error)) from error
        except ProblemError as error:
            if error.status < 500 or time.monotonic() > deadline:
                raise LaunchError(f"The API refused: {error}") from error
        check()
        time.sleep(_POLL_SECONDS)


def _listed(submissions: Sequence[Submission]) -> str:
    """Return a line for each submission: what it is, where it stands, and why."""
    return "".join(
        f"\n  {it['method']} on {it['track']}: {standing(it)}. {it['message'] or ''}".rstrip()
        for it in submissions
    )


def _sha256(sample: Sample) -> str:
    with (SAMPLES / sample.file).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
