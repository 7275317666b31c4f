"""The sample archives that ship with the project, and the manifest that describes them."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baseline.classical import CLASSICAL_MODELS
from baseline.shells import Shells
from cubes.archive import write_archive
from cubes.demo import DEMO_TRACKS, demo_fields

SAMPLES = Path(__file__).parent / "samples"
"""Where the archives and `manifest.json` are."""

STEP = 1 / 8
"""Densities in shipped archives are rounded to this many particles per voxel.

It makes them a quarter smaller than 1/128 does, and moves no d² of a field at the floor by more
than 2 %.
"""

CLASSICAL_SEED = 0
"""Seed of the shipped classical fields."""


@dataclass(frozen=True)
class Sample:
    """One shipped archive: what is submitted with it.

    Attributes:
        file: Name of the archive beside the manifest.
        track: Track that it is for.
        method: Name of the method on the board.
        description: What the method is, in a sentence or two.
        parameters: Fitted numbers in the model.
        training_compute: What fitting it took.
        extra_data: Data beyond the training fields, if any.
        url: Where more is to be found, if anywhere.
    """

    file: str
    track: str
    method: str
    description: str
    parameters: int
    training_compute: str
    extra_data: str | None = None
    url: str | None = None


def read_manifest(folder: Path = SAMPLES) -> list[Sample]:
    """Return what is shipped in a folder, in the order of the manifest; empty if nothing is."""
    path = folder / "manifest.json"
    if not path.exists():
        return []
    return [Sample(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def ship(sample: Sample, fields: Iterable[npt.NDArray[Any]], folder: Path = SAMPLES) -> None:
    """Write an archive of the fields, rounded to `STEP`, and enter it in the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    write_archive(folder / sample.file, map(rounded, fields), compression="bzip2")
    kept = [other for other in read_manifest(folder) if other.file != sample.file]
    entries = sorted([*kept, sample], key=lambda entry: (entry.track, entry.file))
    text = json.dumps([asdict(entry) for entry in entries], indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def rounded(field: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Round densities to multiples of `STEP`, which float32 holds exactly up to 2 million."""
    return (np.round(field / STEP) * STEP).astype(np.float32)


def ship_classical(folder: Path = SAMPLES) -> None:
    """Draw every classical model on every track of the demo, and ship it."""
    for track in DEMO_TRACKS:
        train = np.stack(list(demo_fields(track, "train")))
        shells = np.count_nonzero(Shells.of_side(train.shape[1]).modes)
        for model in CLASSICAL_MODELS:
            fields = model.draw(train, len(train), CLASSICAL_SEED)
            values = train.size if model.name == "rank-matched-gaussian" else 0
            sample = Sample(
                file=f"{model.name}-{track}.npz",
                track=track,
                method=model.method,
                description=model.description,
                parameters=int(shells) + values,
                training_compute="less than a minute on one CPU core",
            )
            ship(sample, fields, folder)


if __name__ == "__main__":
    ship_classical()
