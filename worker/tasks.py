"""The task: claim a submission, evaluate its archive, record the outcome."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from board.copy_checks import begin_copy_check, open_copy_check, record_copies
from board.database import transaction
from board.errors import BoardError, LeaseLostError
from board.lifecycle import (
    Claim,
    claim_submission,
    fail_submission,
    finish_submission,
    release_submission,
    renew_lease,
)
from board.queue import COPIES_TASK, RESCORE_TASK, SCORE_TASK
from board.references import current_reference, held_out_statistics
from board.settings import Settings, get_settings
from board.storage import open_storage
from cubes.archive import ArchiveError
from cubes.tracks import TRACKS
from scoring import Floor, SetStatistics
from worker.app import app, deadline
from worker.copies import search_for_copies
from worker.evaluate import evaluate_archive
from worker.rescore import rescore_track

_log = logging.getLogger(__name__)

_RENEW_SECONDS = 0.25  # the smallest fields take a millisecond, a renewal as long


class TooSlowError(Exception):
    """A submission has run past its track's deadline."""

    code = "too_slow"


@app.task(name=SCORE_TASK)  # type: ignore[untyped-decorator]
def score_submission(submission_id: str) -> None:
    """Score the submission, unless it is not queued: another worker has it, or it has ended."""
    settings = get_settings()
    with transaction() as session:
        claim = claim_submission(session, UUID(submission_id), _lease(settings))
    if claim is None:
        _log.info("submission %s is not queued: nothing to do", submission_id)
        return
    _log.info("submission %s claimed, attempt %d", submission_id, claim.attempt)
    try:
        _score(claim, settings)
    except LeaseLostError as error:
        _log.warning("%s: its result is discarded", error)
    except (ArchiveError, TooSlowError) as error:
        _fail(claim, error.code, str(error))
    except Exception:
        _log.exception("submission %s: fault of ours in attempt %d", submission_id, claim.attempt)
        _release(claim, settings)


@app.task(name=COPIES_TASK)  # type: ignore[untyped-decorator]
def check_copies(submission_id: str) -> None:
    """Search a scored submission for copies, unless that is done: it may be announced twice."""
    settings = get_settings()
    with transaction() as session:
        search = begin_copy_check(session, UUID(submission_id), settings.max_attempts)
    if search is None:
        return
    copies, held_out_copies = search_for_copies(search)
    with transaction() as session:
        record_copies(session, search.submission_id, copies, held_out_copies)
    _log.info("submission %s searched for copies", submission_id)


@app.task(name=RESCORE_TASK)  # type: ignore[untyped-decorator]
def rescore(track: str) -> None:
    """Score the track's submissions against its current reference, as the host has asked."""
    try:
        appended = rescore_track(track)
    except BoardError as error:
        _log.warning("%s is not re-scored: %s", track, error)
    else:
        _log.info("%s: %d submissions re-scored", track, appended)


def _score(claim: Claim, settings: Settings) -> None:
    with transaction() as session:
        reference = current_reference(session, claim.track)
        held_out = SetStatistics.from_bytes(held_out_statistics(session, reference.id))
    progress = _progress(claim, settings)
    with open_storage(settings).archive(claim.submission_id, lambda: progress(0)) as path:
        evaluation = evaluate_archive(
            path,
            TRACKS[claim.track],
            held_out,
            Floor.from_dict(reference.floor),
            progress=progress,
            device=settings.device,
        )
    with transaction() as session:
        finish_submission(
            session,
            claim,
            reference.id,
            evaluation.report,
            evaluation.statistics.to_bytes(),
            evaluation.preview,
        )
        open_copy_check(session, claim.submission_id, reference.id)
    _log.info("submission %s scored: overall %.3f", claim.submission_id, evaluation.report.overall)


def _progress(claim: Claim, settings: Settings) -> Callable[[int], None]:
    """Return what is called before each field: it renews the lease and holds the deadline."""
    allowed = deadline(TRACKS[claim.track], settings)
    started = time.monotonic()
    renewed = -1.0

    def progress(done: int) -> None:
        nonlocal renewed
        now = time.monotonic()
        if now - started > allowed:
            raise TooSlowError(
                f"Scoring took longer than the {allowed:.0f} s that the track allows, "
                f"{done} fields done: send the fields as plain float32 arrays, deflated or stored."
            )
        if renewed < 0 or now - renewed >= _RENEW_SECONDS:
            with transaction() as session:
                renew_lease(session, claim, done, _lease(settings))
            renewed = now

    return progress


def _fail(claim: Claim, reason: str, message: str) -> None:
    try:
        with transaction() as session:
            fail_submission(session, claim, reason, message)
    except BoardError as error:
        _log.warning("%s", error)
    else:
        _log.info("submission %s failed: %s", claim.submission_id, reason)


def _release(claim: Claim, settings: Settings) -> None:
    try:
        with transaction() as session:
            release_submission(session, claim, settings.max_attempts)
    except Exception:
        _log.exception(
            "submission %s cannot be given back: its lease runs out", claim.submission_id
        )


def _lease(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.lease_seconds)
