"""Held-out references: versions by content hash, of which one a track is current.

What a participant may see of a held-out set is what scoring against it gives. This module is the
one way to the rest: `current_reference` returns what is public, `training_set` and
`real_statistics` give out the training half, and whatever has `held_out` or `provenance` in its
name is for the scorer and the host.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, undefer

from board.errors import ForbiddenError, NoReferenceError, NotFoundError, OtherTrainingSetError
from board.models import RealFields, Reference
from scoring.report import Floor, ScoreReport

Part = Literal["training", "held-out"]
"""Which half of a reference."""


@dataclass(frozen=True)
class StoredFields:
    """Real fields that lie in the store as an archive of this id."""

    archive_id: UUID
    sha256: str
    size: int


@dataclass(frozen=True)
class NewReference:
    """A held-out set to score against.

    Attributes:
        track: Name of the track.
        content_hash: SHA-256 of the held-out fields, in order.
        label: Where the fields come from, as participants read it.
        provenance: Seeds or file names, and hashes, of either half.
        held_out: Packed statistics of the held-out fields.
        training: Packed statistics of the training fields.
        floor: Distances of fresh real sets.
        real_cubes: The training set, scored as if it were submitted.
        training_preview: What the pages show of the training fields, as `cubes.preview` packs it.
        fields: The archive of either half, where they are kept: the training set can then be
            fetched, and copies be sought.
    """

    track: str
    content_hash: str
    label: str
    provenance: dict[str, Any]
    held_out: bytes
    training: bytes
    floor: Floor
    real_cubes: ScoreReport
    training_preview: bytes | None = None
    fields: dict[Part, StoredFields] = field(default_factory=dict)


def add_reference(session: Session, new: NewReference, *, private: bool = False) -> Reference:
    """Store a reference and make it its track's current one; one that is stored stays as it is.

    A `private` one is only stored: nothing is scored against it until `make_current`.

    Raises:
        OtherTrainingSetError: These held-out fields are stored with other training fields.
    """
    session.execute(
        insert(Reference)
        .values(
            track=new.track,
            content_hash=new.content_hash,
            label=new.label,
            provenance=new.provenance,
            scorer_version=new.real_cubes.scorer_version,
            floor=new.floor.to_dict(),
            real_cubes=new.real_cubes.to_dict(),
            held_out=new.held_out,
            training=new.training,
            training_preview=new.training_preview,
        )
        .on_conflict_do_nothing(index_elements=[Reference.track, Reference.content_hash])
    )
    _require_same_training_set(session, new)
    reference = session.scalars(
        select(Reference).where(
            Reference.track == new.track, Reference.content_hash == new.content_hash
        )
    ).one()
    if not private:
        reference = make_current(session, new.track, new.content_hash)
    for part, stored in new.fields.items():
        session.execute(
            insert(RealFields)
            .values(reference_id=reference.id, part=part, **stored.__dict__)
            .on_conflict_do_nothing(index_elements=[RealFields.reference_id, RealFields.part])
        )
    return reference


def make_current(session: Session, track: str, content_hash: str) -> Reference:
    """Score a track against a stored reference from now on; earlier scores stay.

    Args:
        session: The transaction.
        track: Name of the track.
        content_hash: The reference's, or its first 12 digits or more.

    Raises:
        NotFoundError: If the track has none such.
    """
    chosen = [
        known
        for known in session.scalars(select(Reference).where(Reference.track == track))
        if len(content_hash) >= 12 and known.content_hash.startswith(content_hash)
    ]
    if len(chosen) != 1:
        raise NotFoundError(
            f"{track} has no reference {content_hash}: see cosmoboard reference list, and give "
            "12 digits of its hash or more."
        )
    session.execute(
        update(Reference)
        .where(Reference.track == track, Reference.is_current, Reference.id != chosen[0].id)
        .values(is_current=False)
    )
    return session.scalars(
        update(Reference)
        .where(Reference.id == chosen[0].id)
        .values(is_current=True)
        .returning(Reference)
    ).one()


def _require_same_training_set(session: Session, new: NewReference) -> None:
    stored = session.scalar(
        select(Reference.provenance).where(
            Reference.track == new.track, Reference.content_hash == new.content_hash
        )
    )
    before, after = (
        known.get("training", {}).get("sha256") for known in (stored or {}, new.provenance)
    )
    if before != after:
        raise OtherTrainingSetError(
            f"{new.track} has a reference of these held-out fields already, with another training "
            "set: scores and copies were told by that one. Take other held-out fields, too."
        )


def current_reference(session: Session, track: str) -> Reference:
    """Return the reference that submissions to the track are scored against.

    Raises:
        NoReferenceError: If the host has none yet.
    """
    reference = session.scalars(
        select(Reference).where(Reference.track == track, Reference.is_current)
    ).one_or_none()
    if reference is None:
        raise NoReferenceError(f"Nothing can be scored on {track} yet: the host has no reference.")
    return reference


def training_set(session: Session, track: str) -> StoredFields:
    """Return the archive of the training fields of a track, which anybody may have.

    Raises:
        NoReferenceError: If the track has no reference.
        NotFoundError: If its training fields are not kept.
    """
    reference = current_reference(session, track)
    stored = stored_fields(session, reference.id, "training")
    if stored is None:
        raise NotFoundError(
            f"The training fields of {track} are not kept here: ask the host to build the "
            "reference again."
        )
    return stored


def stored_fields(session: Session, reference_id: int, part: Part) -> StoredFields | None:
    """Return the archive of one half of a reference, None where it is not kept."""
    row = session.scalars(
        select(RealFields).where(RealFields.reference_id == reference_id, RealFields.part == part)
    ).one_or_none()
    return StoredFields(row.archive_id, row.sha256, row.size) if row else None


def real_statistics(session: Session, reference_id: int, part: Part, *, to_host: bool) -> bytes:
    """Return the packed statistics of one half of a reference, as far as the asker may see them.

    Raises:
        ForbiddenError: If held-out statistics are asked for by anybody but a host.
    """
    if part == "held-out":
        if not to_host:
            raise ForbiddenError("Only a host may see held-out statistics.")
        return held_out_statistics(session, reference_id)
    return session.scalars(select(Reference.training).where(Reference.id == reference_id)).one()


def held_out_statistics(session: Session, reference_id: int) -> bytes:
    """Return the packed statistics of a reference's held-out fields: for scoring alone."""
    return session.scalars(select(Reference.held_out).where(Reference.id == reference_id)).one()


def list_references(session: Session) -> Sequence[Reference]:
    """Return every reference, by track, the latest first, without what is for the host alone."""
    return session.scalars(select(Reference).order_by(Reference.track, Reference.id.desc())).all()


def list_references_with_provenance(session: Session) -> Sequence[Reference]:
    """Return the same with `provenance`: for the host alone."""
    return session.scalars(
        select(Reference)
        .options(undefer(Reference.provenance))
        .order_by(Reference.track, Reference.id.desc())
    ).all()
