"""From real fields to a reference that submissions can be scored against."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import uuid4

import numpy as np

from board.database import transaction
from board.models import Reference
from board.references import NewReference, StoredFields, add_reference, stored_fields
from board.storage import Storage
from cli.real_cubes import Half, Source, demo_source
from cubes.archive import Field, read_fields, write_archive
from cubes.content_hash import ContentHash
from cubes.errors import CubeSourceError
from cubes.preview import MAX_FRAMES, Preview
from cubes.tracks import TRACKS, Track
from scoring import Floor, Level, SetStatistics, compare, floor_from_pool, set_statistics

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how many of how many fields are."""


@dataclass(frozen=True)
class _Measured:
    """What a reference keeps of one half of its fields."""

    statistics: SetStatistics
    sha256: str
    preview: bytes
    origin: list[dict[str, str]]


def build_reference(
    track: str,
    source: Source,
    storage: Storage,
    *,
    threads: int = 1,
    progress: Progress = lambda what, done, total: None,
) -> NewReference:
    """Make the fields of a track, put them into the store, and describe them.

    Args:
        track: Name of the track.
        source: Where the fields come from.
        storage: Where archives are kept.
        threads: Fields that are worked on at a time.
        progress: Told of every field.

    Raises:
        CubeSourceError: Cubes cannot be read, or one of them occurs twice.
        ValueError: The source has no fields of this track.
    """
    expected = TRACKS[track]
    halves, paths = [], []
    with ExitStack() as stack:
        for name, half in (("training", source.training), ("held-out", source.held_out)):
            path = stack.enter_context(storage.stage())
            total = len(half.parents(expected))
            write_archive(
                path, _counted(half.fields(expected), f"making {name} fields", total, progress)
            )
            stored = _counted(read_fields(path), f"measuring {name} fields", total, progress)
            halves.append(_measured(stored, half, expected, threads))
            paths.append(path)
        new = _reference(track, source, *halves)
        training, held_out = (_published(storage, path) for path in paths)
        return replace(new, fields={"training": training, "held-out": held_out})


def demo_reference(track: str) -> NewReference:
    """Build the reference of a demo track without keeping its fields.

    Raises:
        ValueError: There are no demo fields of this track.
    """
    source, expected = demo_source(), TRACKS[track]
    halves = (
        _measured(half.fields(expected), half, expected, threads=1)
        for half in (source.training, source.held_out)
    )
    return _reference(track, source, *halves)


def keep_reference(new: NewReference, storage: Storage, *, private: bool = False) -> Reference:
    """Make a reference its track's current one; fields that are kept already are not kept twice.

    A `private` one is only stored.

    Raises:
        OtherTrainingSetError: Its held-out fields are stored with other training fields.
    """
    with transaction() as session:
        reference = add_reference(session, new, private=private)
        kept = [stored_fields(session, reference.id, part) for part in new.fields]
    for stored in new.fields.values():
        if stored not in kept:
            storage.remove(stored.archive_id)
    return reference


def _measured(fields: Iterable[Field], half: Half, track: Track, threads: int) -> _Measured:
    """Measure the fields of one half, in one pass."""
    content, preview = ContentHash(), Preview(track)

    def seen() -> Iterator[Field]:
        for index, field in enumerate(content.passing(fields)):
            if index < MAX_FRAMES:
                preview.add(field)
            yield field

    statistics = set_statistics(seen(), threads=threads)
    if track.ndim == 2:
        statistics = replace(statistics, parents=np.array(half.parents(track)))
    return _Measured(statistics, content.hexdigest(), preview.to_bytes(), half.origin)


def _reference(
    track: str, source: Source, training: _Measured, held_out: _Measured
) -> NewReference:
    _require_distinct([*training.origin, *held_out.origin])
    floor = _floor(TRACKS[track], training.statistics, held_out.statistics)
    return NewReference(
        track=track,
        content_hash=held_out.sha256,
        label=source.label,
        provenance={
            "source": source.kind,
            "training": _provenance(training),
            "held_out": _provenance(held_out),
        },
        held_out=held_out.statistics.to_bytes(),
        training=training.statistics.to_bytes(),
        floor=floor,
        real_cubes=compare(held_out.statistics, training.statistics, floor=floor),
        training_preview=training.preview,
    )


def _floor(track: Track, training: SetStatistics, held_out: SetStatistics) -> Floor:
    """Measure the floor for as many fields as a submission has.

    Where there are fewer of them in the training set, it is measured for those and scaled: the bias
    of d² falls as one over the number of fields, of either set.
    """
    measured = floor_from_pool(training, held_out)
    scale = (1 / track.count + 1 / len(held_out)) / (1 / len(training) + 1 / len(held_out))
    return Floor(
        **{
            name: Level(scale * level["mean"], scale * level["spread"])
            for name, level in asdict(measured).items()
        }
    )


def _require_distinct(origin: list[dict[str, str]]) -> None:
    """Refuse a cube that occurs twice: the held-out set would be known."""
    for one, other in itertools.combinations(origin, 2):
        if "sha256" in one and one["sha256"] == other["sha256"]:
            raise CubeSourceError(
                f"{one['name']} and {other['name']} are the same cube: training and held-out set "
                "must not share any."
            )


def _provenance(half: _Measured) -> dict[str, object]:
    return {"sha256": half.sha256, "count": len(half.statistics), "cubes": half.origin}


def _published(storage: Storage, path: Path) -> StoredFields:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    path.chmod(0o600)
    stored = StoredFields(uuid4(), sha256, path.stat().st_size)
    storage.publish(path, stored.archive_id)
    return stored


def _counted(fields: Iterable[Field], what: str, total: int, progress: Progress) -> Iterator[Field]:
    """Yield fields, and tell of each that is done."""
    progress(what, 0, total)
    for done, field in enumerate(fields, start=1):
        yield field
        progress(what, done, total)
