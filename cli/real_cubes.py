"""Where the real cubes of a reference come from, split between training and held-out set."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from cubes.archive import Field
from cubes.content_hash import content_hash
from cubes.cube_files import CubeFiles
from cubes.demo import demo_fields
from cubes.errors import CubeSourceError
from cubes.simulate import SimulatedCubes, secret_seeds, simulate_cubes
from cubes.track_fields import fields_per_cube, track_fields
from cubes.tracks import Track
from cubes.zenodo import CUBES, PublishedCubes

LEAST_CUBES = 3
"""Fewer in a half leave no error bars: they come from leaving cubes out."""

_DEMO_SEEDS = {"train": range(10_000, 10_030), "held-out": range(20_000, 20_030)}


class NamedCubes(Protocol):
    """Full cubes that are read one at a time, and the name of each."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        """Return how many there are."""

    def __iter__(self) -> Iterator[Field]:
        """Yield each, shape (256, 256, 256), in particles per voxel, always in the same order."""


class Half(Protocol):
    """One half of a source: the fields of any track, made when they are asked for.

    Attributes:
        origin: Name and content hash of each cube, once the fields have been made.
    """

    origin: list[dict[str, str]]

    def parents(self, track: Track) -> list[int]:
        """Return the cube that each field of a track comes from, by its index."""

    def fields(self, track: Track) -> Iterator[Field]:
        """Yield the fields of a track; one cube is in memory at a time."""


@dataclass(frozen=True)
class Source:
    """Real fields, split between the training and the held-out set by cube.

    Attributes:
        kind: Where they come from, in a word.
        label: The same as participants read it.
        training: What everybody may have.
        held_out: What participants must not see.
    """

    kind: str
    label: str
    training: Half
    held_out: Half


def demo_source() -> Source:
    """Return the fields that ship with the project, of the tracks that they exist for."""
    label = "demo: simulated for this project, and public"
    return Source("demo", label, _DemoHalf("train"), _DemoHalf("held-out"))


def published_source(path: Path) -> Source:
    """Return the paper's cubes in a zip or folder: the first 15 to train with, 15 to score against.

    Raises:
        CubeSourceError: Cubes are missing, or the zip is not the published one.
    """
    cubes = PublishedCubes(path)
    halves = (CubeHalf(cubes.part(part)) for part in (range(15), range(15, CUBES)))
    return Source("zenodo", "the paper's published cubes, known to everybody", *halves)


def folder_source(training: Path, held_out: Path, label: str) -> Source:
    """Return the host's own full cubes, a file each, from two folders.

    Raises:
        CubeSourceError: A folder holds none.
    """
    halves = (CubeHalf(CubeFiles(folder)) for folder in (training, held_out))
    return Source("files", label, *halves)


def simulated_source(
    secret: str,
    count: int,
    folder: Path,
    *,
    threads: int,
    progress: Callable[[int, float], None],
) -> Source:
    """Simulate the cubes of either half that the folder does not hold yet.

    Args:
        secret: What the seeds are derived from: who has it can make the held-out cubes.
        count: Cubes in each half.
        folder: Where cubes lie and go, readable by its owner alone.
        threads: Threads that count.
        progress: Called with the number of cubes that are complete, of both halves, and the
            fraction of the next.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    halves: list[Half] = []
    for part in ("training", "held-out"):
        before = len(halves) * count
        seeds = secret_seeds(secret, part, count)

        def report(done: int, fraction: float, before: int = before) -> None:
            progress(before + done, fraction)

        simulate_cubes(seeds, folder / part, threads=threads, progress=report)
        halves.append(CubeHalf(SimulatedCubes(folder / part, seeds)))
    return Source("simulated", "simulated by the host, not the paper's cubes", *halves)


class CubeHalf:
    """Fields made from full cubes."""

    def __init__(self, cubes: NamedCubes) -> None:
        if len(cubes) < LEAST_CUBES:
            raise CubeSourceError(
                f"There are {len(cubes)} cubes in a half: {LEAST_CUBES} are the least, 30 are "
                "usual."
            )
        self.origin: list[dict[str, str]] = []
        self._cubes = cubes

    def parents(self, track: Track) -> list[int]:
        """Return the cube that each field of a track comes from, by its index."""
        counts = fields_per_cube(track, len(self._cubes))
        return [cube for cube, count in enumerate(counts) for _ in range(count)]

    def fields(self, track: Track) -> Iterator[Field]:
        """Yield the fields of a track; one cube is in memory at a time."""
        self.origin = []
        yield from track_fields(_Noted(self._cubes, self.origin), track)


@dataclass(frozen=True)
class _Noted:
    """Cubes whose names and hashes are noted while they are read."""

    cubes: NamedCubes
    notes: list[dict[str, str]]

    def __len__(self) -> int:
        return len(self.cubes)

    def __iter__(self) -> Iterator[Field]:
        for name, cube in zip(self.cubes.names, self.cubes, strict=True):
            self.notes.append({"name": name, "sha256": content_hash([cube])})
            yield cube


class _DemoHalf:
    """The demo's fields, one from each of the cubes that they were made from."""

    def __init__(self, part: Literal["train", "held-out"]) -> None:
        self.origin: list[dict[str, str]] = []
        self._part: Literal["train", "held-out"] = part
        self._seeds: Sequence[int] = _DEMO_SEEDS[part]

    def parents(self, track: Track) -> list[int]:
        """Return the cube that each field comes from, by its index."""
        return list(range(len(self._seeds)))

    def fields(self, track: Track) -> Iterator[Field]:
        """Yield the fields of a track."""
        self.origin = [{"name": f"seed {seed}"} for seed in self._seeds]
        yield from demo_fields(track.name, self._part)
