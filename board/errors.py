"""What can go wrong with the challenge's state, in sentences for the participant.

`code` is stable: clients script against it. One file of the API maps each class to HTTP.
"""

from uuid import UUID


class BoardError(Exception):
    """A refusal by the board; `str(error)` says what is wrong and what to do."""

    code = "board_error"


class NotFoundError(BoardError):
    """Nothing of that name, or nothing that the asker may see."""

    code = "not_found"


class InvalidSubmissionError(BoardError):
    """A field of the submission form is missing, too long or malformed."""

    code = "invalid_submission"


class WrongStateError(BoardError):
    """The submission's state does not allow what was asked."""

    code = "wrong_state"


class IdempotencyConflictError(BoardError):
    """An idempotency key was used again for another submission."""

    code = "idempotency_conflict"


class DuplicateArchiveError(BoardError):
    """The participant has already submitted these very bytes to this track."""

    code = "duplicate_archive"

    def __init__(self, existing: UUID) -> None:
        super().__init__(
            f"You have already submitted this archive to this track, as submission {existing}: "
            "follow that one, or withdraw it first."
        )
        self.existing = existing


class QuotaExceededError(BoardError):
    """The participant's daily limit for the track is used up."""

    code = "quota_exceeded"

    def __init__(self, limit: int, track: str, retry_after: int) -> None:
        super().__init__(
            f"The daily limit of {limit} submissions to {track} is used up: "
            "try again after midnight UTC."
        )
        self.retry_after = retry_after


class StorageLimitError(BoardError):
    """The participant's archives would take more than one participant may have."""

    code = "storage_limit"

    def __init__(self, taken: int, limit: int) -> None:
        super().__init__(
            f"Your archives take {taken / 1e9:.2f} GB of the {limit / 1e9:g} GB that one "
            "participant may have, so that this one does not fit: withdraw what you no longer "
            "need, or ask the host for more."
        )


class InvalidTokenError(BoardError):
    """The token is unknown, revoked or expired."""

    code = "invalid_token"


class NoReferenceError(BoardError):
    """The track has no held-out reference yet, so nothing can be scored on it."""

    code = "no_reference"


class OtherTrainingSetError(BoardError):
    """A held-out set is stored with another training set than this one."""

    code = "other_training_set"


class ForbiddenError(BoardError):
    """Only a host may see or do this."""

    code = "forbidden"


class NotComparableError(BoardError):
    """Two submissions have no score against the same reference."""

    code = "not_comparable"


class LeaseLostError(BoardError):
    """Another worker, or a withdrawal, has taken the submission from this worker."""

    code = "lease_lost"
