"""Held-out references: versions by content hash, of which one a track is current."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, undefer

from board.errors import NoReferenceError
from board.models import Reference
from scoring.report import Floor, ScoreReport


@dataclass(frozen=True)
class NewReference:
    """A held-out set to score against.

    Attributes:
        track: Name of the track.
        content_hash: SHA-256 of the held-out fields, in order.
        label: Where the fields come from, as participants read it.
        provenance: Seeds, file names and hashes of either half.
        held_out: Packed statistics of the held-out fields.
        training: Packed statistics of the training fields.
        floor: Distances of fresh real sets.
        real_cubes: The training set, scored as if it were submitted.
        training_preview: What the pages show of the training fields, as `cubes.preview` packs it.
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


def add_reference(session: Session, new: NewReference) -> Reference:
    """Store a reference and make it its track's current one; one that is stored stays as it is."""
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
    session.execute(
        update(Reference)
        .where(Reference.track == new.track, Reference.is_current)
        .where(Reference.content_hash != new.content_hash)
        .values(is_current=False)
    )
    return session.scalars(
        update(Reference)
        .where(Reference.track == new.track, Reference.content_hash == new.content_hash)
        .values(is_current=True)
        .returning(Reference)
    ).one()


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


def held_out_statistics(session: Session, reference_id: int) -> bytes:
    """Return the packed statistics of a reference's held-out fields: for scoring alone."""
    return (
        session.scalars(
            select(Reference)
            .where(Reference.id == reference_id)
            .options(undefer(Reference.held_out))
        )
        .one()
        .held_out
    )


def list_references(session: Session) -> Sequence[Reference]:
    """Return every reference, by track, the latest first."""
    return session.scalars(select(Reference).order_by(Reference.track, Reference.id.desc())).all()
