"""What can be wrong with an archive."""


class ArchiveError(ValueError):
    """An archive that cannot be taken, with a stable reason code.

    The message is one sentence for the participant: what is wrong, and what to do about it.

    Attributes:
        code: One of `not_a_zip`, `truncated`, `corrupt`, `inconsistent`, `overlapping_members`,
            `encrypted`, `unsupported_compression`, `duplicate_member`, `unsafe_name`, `symlink`,
            `unexpected_member`, `too_large`, `pickled`, `bad_header`, `wrong_dtype`, `wrong_order`,
            `wrong_shape`, `wrong_count`, `not_finite`, `negative`, `empty_field`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class CubeSourceError(ValueError):
    """Real cubes that cannot be had or used; the message says why, and what to do."""
