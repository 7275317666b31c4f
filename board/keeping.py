"""How long archives are kept, and how much of them one participant may have."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from board.errors import StorageLimitError
from board.models import Participant, Submission
from board.settings import Settings


@dataclass(frozen=True)
class Keeping:
    """What the host has decided.

    Attributes:
        bytes_each: What the archives of one participant may take.
        withdrawn: How long that of a withdrawn submission is kept.
        ended: How long that of any other one is kept once it has ended; None for ever.
    """

    bytes_each: int
    withdrawn: timedelta
    ended: timedelta | None


def keeping(settings: Settings) -> Keeping:
    """Return what the settings say of keeping archives."""
    days = settings.retention_days
    return Keeping(
        bytes_each=int(settings.participant_gigabytes * 1e9),
        withdrawn=timedelta(hours=settings.orphan_hours),
        ended=None if days is None else timedelta(days=days),
    )


def is_kept(rules: Keeping) -> ColumnElement[bool]:
    """Return the condition that a submission's archive is still to be kept."""
    age = func.now() - Submission.finished_at
    withdrawn = and_(Submission.state == "cancelled", age >= rules.withdrawn)
    past = [withdrawn]
    if rules.ended is not None:
        past.append(and_(Submission.state.in_(("scored", "failed")), age >= rules.ended))
    return or_(Submission.finished_at.is_(None), ~or_(*past))


def require_room(session: Session, participant: Participant, size: int, rules: Keeping) -> None:
    """Raise unless the participant may have another archive of `size` bytes kept.

    To count and insert as one step, lock the participant's row first. What was refused once it had
    arrived is not kept.

    Raises:
        StorageLimitError: If it would be more than one participant may have.
    """
    taken = session.scalar(
        select(func.coalesce(func.sum(Submission.size), 0)).where(
            Submission.participant_id == participant.id,
            is_kept(rules),
            ~and_(Submission.state == "failed", Submission.attempt == 0),
        )
    )
    if int(taken or 0) + size > rules.bytes_each:
        raise StorageLimitError(int(taken or 0), rules.bytes_each)
