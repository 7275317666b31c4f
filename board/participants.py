"""Participants, their tokens and their daily limit."""

import hashlib
import secrets
import unicodedata
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from board.errors import (
    ForbiddenError,
    InvalidSubmissionError,
    InvalidTokenError,
    QuotaExceededError,
)
from board.models import Participant, Submission, Token

TOKEN_PREFIX = "cosmoboard_"  # noqa: S105
"""Lets secret scanners recognise a leaked token."""

INFRASTRUCTURE = "infrastructure"
"""The reason code of a failure that is ours; it never costs quota."""

_NAME_LENGTH = 100


def create_participant(
    session: Session, name: str, *, is_host: bool = False, is_baseline: bool = False
) -> Participant:
    """Return the participant of that name, created if there is none yet.

    Raises:
        InvalidSubmissionError: If the name is empty, too long or not printable.
    """
    name = clean_line(name, "A participant's name", _NAME_LENGTH)
    session.execute(
        insert(Participant)
        .values(name=name, is_host=is_host, is_baseline=is_baseline)
        .on_conflict_do_nothing(index_elements=[Participant.name])
    )
    return session.scalars(select(Participant).where(Participant.name == name)).one()


def clean_line(text: str, what: str, length: int) -> str:
    """Return `text` normalised to one printable line.

    Raises:
        InvalidSubmissionError: If nothing is left, or more than `length` characters.
    """
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise InvalidSubmissionError(f"{what} must not be empty.")
    if len(text) > length:
        raise InvalidSubmissionError(f"{what} must have at most {length} characters.")
    if not text.isprintable():
        raise InvalidSubmissionError(f"{what} must be one line of printable characters.")
    return text


def issue_token(
    session: Session,
    participant: Participant,
    expires_at: datetime | None = None,
    *,
    read_only: bool = False,
) -> str:
    """Return a new token of the participant: the only time that it can be read.

    One that is `read_only` sees all that they see, and changes nothing.
    """
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(
        Token(
            participant_id=participant.id,
            sha256=token_hash(token),
            expires_at=expires_at,
            read_only=read_only,
        )
    )
    session.flush()
    return token


def authenticate(session: Session, token: str, *, to_read: bool = False) -> Participant:
    """Return the participant whose token this is; `to_read` tells that nothing is to be changed.

    Raises:
        ForbiddenError: If the token only reads, and something is to be changed.
        InvalidTokenError: If the token is unknown, revoked or expired.
    """
    found = session.scalars(
        select(Token).where(
            Token.sha256 == token_hash(token),
            Token.session_of.is_(None),
            Token.revoked_at.is_(None),
            or_(Token.expires_at.is_(None), Token.expires_at > func.now()),
        )
    ).one_or_none()
    if found is None:
        raise InvalidTokenError("The token is unknown, revoked or expired: ask the host for one.")
    if found.read_only and not to_read:
        raise ForbiddenError("This token only reads: ask the host for one that may submit.")
    return found.participant


def require_quota(session: Session, participant_id: int, track: str, limit: int) -> None:
    """Raise unless the participant may submit to the track once more today (UTC).

    To count and insert as one step, lock the participant's row first: `lock_participant`.

    Raises:
        QuotaExceededError: If the daily limit is used up.
    """
    if used_today(session, participant_id, track) >= limit:
        seconds = session.scalar(
            select(func.ceil(func.extract("epoch", _MIDNIGHT + _ONE_DAY - func.now())))
        )
        raise QuotaExceededError(limit, track, retry_after=max(1, int(seconds or 1)))


def used_today(session: Session, participant_id: int, track: str) -> int:
    """Return how many submissions to the track count against the daily limit today (UTC).

    What failed by our fault does not count, nor what was refused or withdrawn before any worker
    took it.
    """
    used = session.scalar(
        select(func.count()).where(
            Submission.participant_id == participant_id,
            Submission.track == track,
            Submission.created_at >= _MIDNIGHT,
            ~and_(Submission.state == "failed", Submission.reason == INFRASTRUCTURE),
            ~and_(Submission.state.in_(("failed", "cancelled")), Submission.attempt == 0),
        )
    )
    return used or 0


def lock_participant(session: Session, participant_id: int) -> None:
    """Hold the participant's row until the transaction ends: one submission at a time."""
    session.execute(
        select(Participant.id).where(Participant.id == participant_id).with_for_update()
    ).one()


_MIDNIGHT = func.date_trunc("day", func.now(), "UTC")
_ONE_DAY = func.make_interval(0, 0, 0, 1)


def token_hash(token: str) -> str:
    """Return what is kept of a token: it cannot be read back."""
    return hashlib.sha256(token.encode()).hexdigest()
