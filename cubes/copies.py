"""Find fields that were copied rather than generated.

A copy may be shifted around the periodic box, rotated, mirrored, made noisy, or be pasted into
another field. Shared voxel values give away the exact ones. All others, of 3D fields, are found by
correlation over every shift and symmetry: of the mapped fields at 32³, and of what stands out there
at 64³.

The largest of the 1.6 million correlations of a pair of independent simulated cubes is 4.5 to 6.3
standard deviations (1,770 pairs, at 32³); for a field of which a quarter is a copy, moved by half
a voxel along every axis, it is 12.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np

from cubes.archive import Field
from cubes.augment import symmetries
from cubes.correlation import Match, Reals, Spectrum, TurnedField, white_spectrum
from cubes.transform import forward, mapped_means

COARSE_SIDE = 32
FINE_SIDE = 64

SUSPICION = 6.75
"""Standard deviations at 32³ from which a pair is looked at again at 64³."""

CONVICTION = 9.0
"""Standard deviations, at 32³ or 64³, from which a pair is reported."""


Source = Literal["originals", "training", "held-out", "submission"]
"""Where the original of a copy is: the last is an earlier field of the submission itself."""


@dataclass(frozen=True)
class Fingerprint:
    """What the search keeps of a field: 1.2 MB of a cube of 64³ or more.

    Attributes:
        side: Voxels along the side of the field.
        digest: Hash of its voxel values in ascending order, as float32, which no shift, rotation or
            mirror changes.
        levels: The mapped field: of 3D fields at 32³ and, where they have as many, 64³ voxels.
    """

    side: int
    digest: bytes
    levels: tuple[Reals, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the field in voxels."""
        return (self.side,) * self.levels[0].ndim


@dataclass(frozen=True)
class Copy:
    """Evidence that a field is a copy: `original` is about `roll(symmetry(field), shift)`.

    Attributes:
        field: Index of the field.
        original: Index of what it was copied from.
        source: What it was copied from.
        kind: `exact` (the same voxel values, moved), `partial` (noisy, altered or only in part), or
            `rearranged` (the same voxel values, but unrelated in space).
        symmetry: Signed axes of the field that become the axes of the original.
        shift: Periodic shift in voxels of the field.
        correlation: Pearson correlation of the mapped fields once aligned, -1 to 1.
        significance: Correlation of the half-whitened fields in standard deviations of chance.
    """

    field: int
    original: int
    source: Source
    kind: Literal["exact", "partial", "rearranged"]
    symmetry: str
    shift: tuple[int, ...]
    correlation: float
    significance: float

    def to_dict(self) -> dict[str, Any]:
        """Return the evidence as JSON can hold it."""
        return asdict(self) | {"shift": list(self.shift)}


def fingerprint(field: Field) -> Fingerprint:
    """Reduce a field, 2D or 3D, to what the search needs.

    Raises:
        ValueError: The side of a 3D field is neither 32 nor a multiple of 64.
    """
    side = field.shape[0]
    values = np.sort(field.astype(np.float32), axis=None)
    digest = hashlib.sha256(values.data).digest()
    if field.ndim == 2:
        return Fingerprint(side, digest, (forward(field.astype(np.float32)),))
    if side != COARSE_SIDE and side % FINE_SIDE:
        raise ValueError(f"Copies are sought in cubes of side 32, 64, 128 or 256, not {side}.")
    sides = (COARSE_SIDE,) if side == COARSE_SIDE else (COARSE_SIDE, FINE_SIDE)
    finest = mapped_means(field, side // sides[-1], np.float32)
    return Fingerprint(side, digest, tuple(_block_means(finest, level) for level in sides))


def find_copies(
    fields: Sequence[Fingerprint],
    originals: Sequence[Fingerprint],
    *,
    source: Source = "originals",
    threads: int = 1,
    progress: Callable[[], None] | None = None,
) -> list[Copy]:
    """Return the copies of `originals` among `fields`, in order.

    Of 2D fields, exact copies alone are found, and each only of the first field with its values.

    Args:
        fields: The submission.
        originals: Fields of the same track that it must not hold: the training set, say.
        source: What the evidence calls the originals.
        threads: Fields that are looked at at the same time.
        progress: Called after each field.
    """
    everywhere = range(len(originals))
    return _search(fields, originals, lambda own: everywhere, source, threads, progress)


def find_duplicates(
    fields: Sequence[Fingerprint],
    *,
    threads: int = 1,
    progress: Callable[[], None] | None = None,
) -> list[Copy]:
    """Return the copies of earlier fields among fields that should be independent, in order.

    Arguments and limits are those of `find_copies`.
    """
    return _search(fields, fields, range, "submission", threads, progress)


def _search(
    fields: Sequence[Fingerprint],
    originals: Sequence[Fingerprint],
    candidates: Callable[[int], range],
    source: Source,
    threads: int,
    progress: Callable[[], None] | None,
) -> list[Copy]:
    """Compare each field with its candidates among the originals, given by their indices."""
    first: dict[bytes, int] = {}
    for at, original in enumerate(originals):
        first.setdefault(original.digest, at)

    @cache
    def spectrum(at: int) -> Spectrum:
        return white_spectrum(originals[at].levels[0])

    def copies_of(own: int) -> list[Copy]:
        field, same = fields[own], first.get(fields[own].digest)
        sought: Iterable[int] = candidates(own)
        if field.levels[0].ndim == 2:
            sought = [at for at in (same,) if at is not None and at in candidates(own)]
        if not sought:
            return []
        turned = TurnedField(field.levels[0], symmetries(field.levels[0].ndim))
        copies = []
        for at in sought:
            match = turned.best_match(spectrum(at))
            if match.significance < SUSPICION and at != same:
                continue
            match, correlation = _closer_match(field, originals[at], match)
            if match.significance < CONVICTION and at != same:
                continue
            copies.append(
                Copy(
                    field=own,
                    original=at,
                    source=source,
                    kind=_kind(match, same_values=at == same),
                    symmetry=str(match.symmetry),
                    shift=match.shift,
                    correlation=correlation,
                    significance=match.significance,
                )
            )
        return copies

    found = []
    with ThreadPoolExecutor(threads) as pool:
        for copies in pool.map(copies_of, range(len(fields))):
            found += copies
            if progress is not None:
                progress()
    return found


def _closer_match(field: Fingerprint, original: Fingerprint, coarse: Match) -> tuple[Match, float]:
    """Return the most significant match of all levels and the correlation there.

    The finer level keeps the symmetry and seeks the shift anew. Shifts become voxels of the field.
    """
    matches = [coarse] + [
        TurnedField(ours, [coarse.symmetry]).best_match(white_spectrum(theirs))
        for ours, theirs in zip(field.levels[1:], original.levels[1:], strict=True)
    ]
    level = max(range(len(matches)), key=lambda index: matches[index].significance)
    match, ours, theirs = matches[level], field.levels[level], original.levels[level]
    aligned = np.roll(match.symmetry(ours), match.shift, range(ours.ndim))
    scale = field.side // ours.shape[0]
    shift = tuple(scale * axis for axis in match.shift)
    return replace(match, shift=shift), _pearson(aligned, theirs)


def _kind(match: Match, same_values: bool) -> Literal["exact", "partial", "rearranged"]:
    if not same_values:
        return "partial"
    return "exact" if match.significance >= CONVICTION else "rearranged"


def _pearson(one: Reals, other: Reals) -> float:
    deviations = [field - field.mean(dtype=np.float64) for field in (one, other)]
    scale = np.prod([np.linalg.norm(deviation) for deviation in deviations])
    return float(np.vdot(*deviations) / scale) if scale > 0 else 0.0


def _block_means(field: Reals, side: int) -> Reals:
    factor = field.shape[0] // side
    means: Reals = field.reshape((side, factor) * 3).mean(axis=(1, 3, 5))
    return means
