"""How long archives are kept, and how much one participant may have."""

import os
from datetime import timedelta

import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session

from board.database import transaction
from board.errors import StorageLimitError
from board.keeping import Keeping, keeping, require_room
from board.lifecycle import withdraw_submission
from board.models import Submission
from board.settings import Settings
from board.storage import DiskStorage
from board.sweeper import remove_orphans
from tests.board.conftest import make_participant, make_reference, make_submission

DAY = timedelta(days=1)
RULES = Keeping(bytes_each=2500, withdrawn=DAY, ended=30 * DAY)


def ended(session: Session, submission: Submission, state: str, ago: timedelta, tried: int) -> None:
    session.execute(
        update(Submission)
        .where(Submission.id == submission.id)
        .values(state=state, finished_at=func.now() - ago, reason="why", attempt=tried)
    )


def test_what_one_participant_has_kept_is_limited_and_another_s_is_not_counted(
    session: Session,
) -> None:
    make_reference(session)
    ada, eve = make_participant(session), make_participant(session, "eve")
    for _ in range(2):
        make_submission(session, ada)  # of 1000 bytes
        make_submission(session, eve)
    require_room(session, ada, 500, RULES)
    with pytest.raises(StorageLimitError, match="withdraw what you no longer need"):
        require_room(session, ada, 501, RULES)


@pytest.mark.parametrize(
    ("state", "ago", "tried", "counts"),
    [
        ("scored", 29 * DAY, 1, True),
        ("scored", 31 * DAY, 1, False),
        ("failed", 29 * DAY, 3, True),
        ("failed", 31 * DAY, 3, False),
        ("failed", 0 * DAY, 0, False),  # refused as it arrived
        ("cancelled", 0.9 * DAY, 0, True),  # or one would fill the disk by withdrawing
        ("cancelled", 1.1 * DAY, 0, False),
    ],
)
def test_an_archive_counts_for_as_long_as_it_is_kept(
    session: Session, state: str, ago: timedelta, tried: int, counts: bool
) -> None:
    make_reference(session)
    ada = make_participant(session)
    ended(session, make_submission(session, ada), state, ago, tried)
    rules = Keeping(bytes_each=1999, withdrawn=DAY, ended=30 * DAY)
    if not counts:
        require_room(session, ada, 1000, rules)
        return
    with pytest.raises(StorageLimitError):
        require_room(session, ada, 1000, rules)


def test_archives_are_removed_when_their_time_is_over_and_rows_stay(board: Settings) -> None:
    storage = DiskStorage(board.data)
    with transaction() as session:
        make_reference(session)
        ada = make_participant(session)
        made = {name: make_submission(session, ada) for name in ("new", "old", "withdrawn", "due")}
    for submission in made.values():
        with storage.stage() as staged:
            staged.write_bytes(b"fields")
            storage.publish(staged, submission.id)
        os.utime(board.data / "archives" / f"{submission.id}.npz", (0, 0))
    with transaction() as session:
        ended(session, made["new"], "scored", 29 * DAY, 1)
        ended(session, made["old"], "scored", 31 * DAY, 1)
        withdraw_submission(session, made["withdrawn"])
        ended(session, made["withdrawn"], "cancelled", 2 * DAY, 0)

    def left() -> set[str]:
        kept = {path.stem for path in (board.data / "archives").iterdir()}
        return {name for name, submission in made.items() if str(submission.id) in kept}

    assert keeping(board).ended is None
    remove_orphans(board, storage)
    assert left() == {"new", "old", "due"}
    remove_orphans(board.model_copy(update={"retention_days": 30}), storage)
    assert left() == {"new", "due"}
    with transaction() as session:
        assert session.query(Submission).count() == 4
