"""What is submitted: a description and an archive become a submission, which some may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from board.errors import (
    DuplicateArchiveError,
    IdempotencyConflictError,
    InvalidSubmissionError,
    NoReferenceError,
    NotFoundError,
)
from board.keeping import Keeping, require_room
from board.models import Participant, Reference, Submission
from board.participants import clean_line, lock_participant, require_quota
from cubes.tracks import TRACKS

_LINE_LENGTHS = {
    "method": 100,
    "url": 500,
    "parameters": 100,
    "training_compute": 200,
    "extra_data": 500,
}
_DESCRIPTION_LENGTH = 5000


@dataclass(frozen=True)
class NewSubmission:
    """What a participant says of an archive, cleaned by `describe_submission`."""

    track: str
    method: str
    description: str | None = None
    url: str | None = None
    parameters: str | None = None
    training_compute: str | None = None
    extra_data: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class StoredArchive:
    """An archive that lies in the store under the id of the submission to be."""

    submission_id: UUID
    sha256: str
    size: int


def describe_submission(form: dict[str, str]) -> NewSubmission:
    """Turn the fields of a submission form into a submission's description.

    Raises:
        InvalidSubmissionError: If the track is unknown, or a field missing, unknown, too long or
            not printable.
    """
    unknown = sorted(set(form) - set(NewSubmission.__dataclass_fields__))
    if unknown:
        known = ", ".join(NewSubmission.__dataclass_fields__)
        raise InvalidSubmissionError(f"The form has no field {unknown[0]!r}; it has {known}.")
    for name in ("track", "method"):
        if not form.get(name, "").strip():
            raise InvalidSubmissionError(f"The field '{name}' is missing.")
    if form["track"] not in TRACKS:
        raise InvalidSubmissionError(
            f"There is no track {form['track']!r}; there are {', '.join(TRACKS)}."
        )
    given = {name: text for name, text in form.items() if text.strip()}
    for name in given.keys() & _LINE_LENGTHS.keys():
        given[name] = clean_line(given[name], f"The field '{name}'", _LINE_LENGTHS[name])
    if "url" in given and not given["url"].startswith(("https://", "http://")):
        raise InvalidSubmissionError("The field 'url' must start with https:// or http://.")
    if len(given.get("description", "")) > _DESCRIPTION_LENGTH:
        raise InvalidSubmissionError(
            f"The field 'description' must have at most {_DESCRIPTION_LENGTH} characters."
        )
    for name, text in given.items():
        if "\x00" in text:
            raise InvalidSubmissionError(f"The field '{name}' must not hold a NUL character.")
    return NewSubmission(**given)


def require_submittable(
    session: Session, participant: Participant, track: str, daily_limit: int
) -> None:
    """Raise early, before bytes are stored, what `create_submission` would raise in the end.

    Raises:
        NoReferenceError: If the track cannot be scored.
        QuotaExceededError: If the daily limit is used up.
    """
    if (
        session.scalar(select(Reference.id).where(Reference.track == track, Reference.is_current))
        is None
    ):
        raise NoReferenceError(f"Nothing can be scored on {track} yet: the host has no reference.")
    if not participant.is_baseline:
        require_quota(session, participant.id, track, daily_limit)


def create_submission(
    session: Session,
    participant: Participant,
    new: NewSubmission,
    archive: StoredArchive,
    daily_limit: int,
    rules: Keeping | None = None,
) -> Submission:
    """Queue a stored archive; enqueue and announce it after the commit.

    With an idempotency key that was used before for the same archive, returns that submission.
    Without `rules`, the participant's archives may take any space.

    Raises:
        DuplicateArchiveError: If the participant has these bytes on this track already.
        IdempotencyConflictError: If the key was used for another archive.
        NoReferenceError: If the track cannot be scored.
        QuotaExceededError: If the daily limit is used up.
        StorageLimitError: If the participant's archives take too much space.
    """
    lock_participant(session, participant.id)
    earlier = submission_of_key(session, participant, new.idempotency_key)
    if earlier is not None:
        _require_same(earlier, new, archive)
        return earlier
    refuse_duplicate(session, participant.id, new.track, archive.sha256)
    require_submittable(session, participant, new.track, daily_limit)
    if rules is not None:
        require_room(session, participant, archive.size, rules)
    return insert_submission(
        session,
        participant,
        new,
        id=archive.submission_id,
        state="queued",
        sha256=archive.sha256,
        size=archive.size,
    )


def insert_submission(
    session: Session, participant: Participant, new: NewSubmission, **columns: Any
) -> Submission:
    """Add a submission's row, with its id, state and what else is known of its archive."""
    submission = Submission(
        participant_id=participant.id,
        total=TRACKS[new.track].count,
        **new.__dict__,
        **columns,
    )
    session.add(submission)
    session.flush()
    session.refresh(submission)
    return submission


def refuse_duplicate(
    session: Session, participant_id: int, track: str, sha256: str, but: UUID | None = None
) -> None:
    """Refuse bytes that the participant has on the track already, in a submission not `but`.

    Raises:
        DuplicateArchiveError: If there is one that has neither failed nor been cancelled.
    """
    existing = session.scalar(
        select(Submission.id).where(
            Submission.participant_id == participant_id,
            Submission.track == track,
            Submission.sha256 == sha256,
            Submission.state.not_in(("failed", "cancelled")),
            Submission.id.is_distinct_from(but),
        )
    )
    if existing is not None:
        raise DuplicateArchiveError(existing)


def submission_of_key(
    session: Session, participant: Participant, idempotency_key: str | None
) -> Submission | None:
    """Return the participant's submission that came with this key, if there is one."""
    if idempotency_key is None:
        return None
    return session.scalars(
        select(Submission).where(
            Submission.participant_id == participant.id,
            Submission.idempotency_key == idempotency_key,
        )
    ).one_or_none()


def _require_same(earlier: Submission, new: NewSubmission, archive: StoredArchive) -> None:
    if (earlier.track, earlier.sha256) != (new.track, archive.sha256):
        raise IdempotencyConflictError(
            f"This Idempotency-Key was used for submission {earlier.id}, of another archive or "
            "track: use a new key for each submission."
        )


def visible_submission(
    session: Session, submission_id: UUID, asker: Participant | None
) -> Submission:
    """Return a submission that the asker may see.

    That is one of their own, any if they are host, else a scored one that is not hidden.

    Raises:
        NotFoundError: If there is none such.
    """
    submission = session.scalars(
        select(Submission)
        .where(Submission.id == submission_id)
        .options(selectinload(Submission.scores))
    ).one_or_none()
    if submission is not None and (
        (submission.state == "scored" and not submission.hidden)
        or (asker and (asker.is_host or asker.id == submission.participant_id))
    ):
        return submission
    raise NotFoundError(f"There is no submission {submission_id} that you may see.")


def own_submission(session: Session, submission_id: UUID, owner: Participant) -> Submission:
    """Return a submission that the participant may change: their own, or any if host.

    Raises:
        NotFoundError: If there is none such.
    """
    submission = visible_submission(session, submission_id, owner)
    if not owner.is_host and submission.participant_id != owner.id:
        raise NotFoundError(f"Submission {submission_id} is not yours.")
    return submission


def submissions_of(
    session: Session, owner: Participant, before: UUID | None, limit: int
) -> Sequence[Submission]:
    """Return the participant's submissions, latest first, from after `before` on."""
    query = (
        select(Submission)
        .where(Submission.participant_id == owner.id)
        .options(selectinload(Submission.scores))
        .order_by(Submission.created_at.desc(), Submission.id.desc())
        .limit(limit)
    )
    if before is not None:
        last = session.get(Submission, before)
        if last is None or last.participant_id != owner.id:
            raise InvalidSubmissionError("The page token is not one that this list gave out.")
        query = query.where(
            func.row(Submission.created_at, Submission.id) < func.row(last.created_at, last.id)
        )
    return session.scalars(query).all()


def queue_position(session: Session, submission: Submission) -> int | None:
    """Return how many submissions are served before this one is done, itself counted."""
    if submission.state != "queued":
        return None
    ahead = session.scalar(
        select(func.count()).where(
            Submission.state == "queued", Submission.queued_at <= submission.queued_at
        )
    )
    return ahead or 1


def count_waiting(session: Session, track: str) -> int:
    """Return how many submissions to the track are queued or being scored."""
    waiting = select(func.count()).where(
        Submission.track == track, Submission.state.in_(("queued", "running"))
    )
    return session.scalar(waiting) or 0
