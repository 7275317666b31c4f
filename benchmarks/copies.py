"""Measure the search for copies: what it costs, how far chance reaches, and how weak copies are.

Run as `python -m benchmarks.copies`. Every pair of the demo's 60 independent simulated fields of
64³ is correlated over all 48 symmetries and all shifts at 32³; the largest match of each pair is
what the threshold has to clear. Copies are made of 10 fields in every disguise, moved by an odd
number of voxels and turned, which is the hardest: at 32³ they are half a voxel off.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from cubes.augment import symmetries
from cubes.copies import CONVICTION, SUSPICION, find_copies, find_duplicates, fingerprint
from cubes.correlation import TurnedField, white_spectrum
from cubes.demo import demo_fields
from cubes.transform import downscale

Field = npt.NDArray[Any]
Disguise = Callable[[Field, Field], Field]

_TURN, _SHIFT = symmetries(3)[29], (1, 3, 5)


def main() -> None:
    """Print the cost of one submission, the chance matches, and the matches of copies."""
    train, held_out = (list(demo_fields("3d-64", part)) for part in ("train", "held-out"))
    cost(train, held_out)
    chance([*train, *held_out])
    disguises(train[:10], held_out[:10])


def cost(train: list[Field], held_out: list[Field]) -> None:
    """Print what a submission of 30 fields costs on one thread."""
    with _timed("30 fingerprints"):
        fields = [fingerprint(field) for field in held_out]
    originals = [fingerprint(field) for field in train]
    with _timed("30 fields against 30 training fields"):
        flagged = len(find_copies(fields, originals))
    with _timed("30 fields against each other"):
        flagged += len(find_duplicates(fields))
    with _timed("30 fields against 30 held-out fields"):
        flagged += len(find_copies(originals, fields))
    print(f"  flagged: {flagged}")


def chance(fields: list[Field]) -> None:
    """Print the largest match of every pair of independent fields."""
    coarse = [fingerprint(field).levels[0] for field in fields]
    spectra = [white_spectrum(field) for field in coarse]
    turned = [TurnedField(field, symmetries(3)) for field in coarse]
    matches = [
        turned[i].best_match(spectra[j]).significance
        for i, j in itertools.combinations(range(len(coarse)), 2)
    ]
    print(f"{len(matches)} pairs of independent fields, largest match of each, in σ of chance:")
    print(f"  {min(matches):.2f} to {max(matches):.2f}, mean {np.mean(matches):.2f}, ", end="")
    print(f"standard deviation {np.std(matches):.2f}")
    print(f"  looked at again from {SUSPICION}, flagged from {CONVICTION}")


def disguises(originals: list[Field], others: list[Field]) -> None:
    """Print how strong copies are in every disguise, at 64³ and 32³."""
    print("copies, turned and moved by (1, 3, 5): weakest and median match in σ")
    for name, disguise in _disguises().items():
        for side in (64, 32):
            found = [
                _strength(downscale(original, 64 // side), downscale(copy, 64 // side))
                for original, copy in (
                    (original, np.roll(_TURN(disguise(original, other)), _SHIFT, (0, 1, 2)))
                    for original, other in zip(originals, others, strict=True)
                )
            ]
            missed = found.count(0.0)
            print(f"  {name:28} {side}³ {min(found):7.1f} {np.median(found):7.1f}  {missed} missed")


def _strength(original: Field, copy: Field) -> float:
    """Return the match of a copy, 0 where it is missed."""
    found = find_copies([fingerprint(copy)], [fingerprint(original)])
    return found[0].significance if found else 0.0


def _disguises() -> dict[str, Disguise]:
    rng = np.random.default_rng(0)

    def noisy(scatter: float) -> Disguise:
        return lambda field, _: np.maximum(
            field * (1 + scatter * rng.standard_normal(field.shape)), 0
        )

    def spliced(place: tuple[slice, ...]) -> Disguise:
        def paste(field: Field, other: Field) -> Field:
            mixed = other.copy()
            mixed[place] = field[place]
            return mixed

        return paste

    return {
        "as it is": lambda field, _: field,
        "20 % noise": noisy(0.2),
        "100 % noise": noisy(1.0),
        "25 % of the box, a slab": spliced((slice(16),)),
        "25 % of the box, a column": spliced((slice(32), slice(32))),
        "24 % of the box, a cube": spliced((slice(40),) * 3),
        "12.5 % of the box, a cube": spliced((slice(32),) * 3),
    }


@contextmanager
def _timed(what: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what}: {cpu:.1f} s of CPU time, {wall:.1f} s")


if __name__ == "__main__":
    main()
