"""Search a submission for copies of real fields and of its own."""

from functools import lru_cache
from uuid import UUID

from board.copy_checks import CopySearch, Evidence
from board.settings import get_settings
from board.storage import open_storage
from cubes.archive import read_fields
from cubes.copies import Fingerprint, find_copies, find_duplicates, fingerprint
from cubes.tracks import TRACKS


def search_for_copies(search: CopySearch) -> tuple[Evidence, Evidence]:
    """Return the copies of training fields and of a submission's own, and those of held-out fields.

    The first do not depend on the held-out fields in any way.
    """
    with open_storage(get_settings()).archive(search.submission_id) as path:
        fields = [fingerprint(field) for field in read_fields(path, TRACKS[search.track])]
    training = _fingerprints(search.training.archive_id)
    public = [*find_copies(fields, training, source="training"), *find_duplicates(fields)]
    held_out = _fingerprints(search.held_out.archive_id)
    secret = find_copies(fields, held_out, source="held-out")
    return [copy.to_dict() for copy in public], [copy.to_dict() for copy in secret]


@lru_cache(maxsize=4)
def _fingerprints(archive_id: UUID) -> list[Fingerprint]:
    """Return the fingerprints of one half of a reference, made once a process: 40 MB in 3D."""
    with open_storage(get_settings()).archive(archive_id) as path:
        return [fingerprint(field) for field in read_fields(path)]
