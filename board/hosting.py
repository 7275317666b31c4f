"""What the host sees and does: who takes part, what waits, what is hidden."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, selectinload

from board.errors import NotFoundError
from board.models import Participant, Submission, Token


@dataclass(frozen=True)
class Membership:
    """A participant, and what they have."""

    id: int
    name: str
    is_host: bool
    is_baseline: bool
    created_at: datetime
    submissions: int
    tokens: int


def list_participants(session: Session) -> list[Membership]:
    """Return every participant by name, with the number of submissions and of good tokens."""
    submissions = (
        select(func.count()).where(Submission.participant_id == Participant.id).scalar_subquery()
    )
    tokens = (
        select(func.count())
        .where(
            Token.participant_id == Participant.id,
            Token.session_of.is_(None),
            Token.revoked_at.is_(None),
            or_(Token.expires_at.is_(None), Token.expires_at > func.now()),
        )
        .scalar_subquery()
    )
    rows = session.execute(select(Participant, submissions, tokens).order_by(Participant.name))
    return [
        Membership(
            participant.id,
            participant.name,
            participant.is_host,
            participant.is_baseline,
            participant.created_at,
            submitted,
            held,
        )
        for participant, submitted, held in rows
    ]


def participant_by_id(session: Session, participant_id: int) -> Participant:
    """Return the participant of that id.

    Raises:
        NotFoundError: If there is none.
    """
    found = session.get(Participant, participant_id)
    if found is None:
        raise NotFoundError(f"There is no participant {participant_id}.")
    return found


def revoke_tokens(session: Session, participant_id: int) -> int:
    """Revoke every token of a participant, and with them who is signed in; return how many."""
    revoked = session.scalars(
        update(Token)
        .where(Token.participant_id == participant_id, Token.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(Token.session_of)
    ).all()
    return sum(parent is None for parent in revoked)


def hide_submission(session: Session, submission_id: UUID, *, hidden: bool) -> None:
    """Take a submission off the board, or put it back; its owner sees it either way.

    Raises:
        NotFoundError: If there is none.
    """
    changed = session.scalar(
        update(Submission)
        .where(Submission.id == submission_id)
        .values(hidden=hidden)
        .returning(Submission.id)
    )
    if changed is None:
        raise NotFoundError(f"There is no submission {submission_id}.")


def waiting_submissions(session: Session) -> Sequence[Submission]:
    """Return what is queued or running, those that are served first first."""
    return session.scalars(
        select(Submission)
        .where(Submission.state.in_(("queued", "running")))
        .order_by(Submission.state.desc(), Submission.queued_at)
    ).all()


def latest_submissions(session: Session, limit: int) -> Sequence[Submission]:
    """Return the latest submissions of all, whatever became of them."""
    return session.scalars(
        select(Submission)
        .options(selectinload(Submission.scores))
        .order_by(Submission.created_at.desc(), Submission.id.desc())
        .limit(limit)
    ).all()
