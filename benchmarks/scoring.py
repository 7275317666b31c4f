"""How fast the scorer is: against its plain definitions, against reading, against Pylians.

Each time is the best of several in this one run, a field at a time; ratios are what lasts.
Fields are cascades of 256^3 voxels, in a deflated archive, or those of an archive that is given.
"""

import argparse
import functools
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import plain
from cubes.archive import inspect_archive, read_fields, write_archive
from cubes.tracks import box_side
from scoring import field_statistics, set_statistics, warm_up
from scoring.density import Density, as_density
from scoring.mass_histogram import mass_histogram
from scoring.peak_histogram import peak_histogram
from scoring.power_spectrum import power_spectrum
from tests.golden.cascade import cascade

Field = npt.NDArray[Any]

TABLE = (2, 5, 8, 11, 14, 18, 26, 44)
MEMORY_LIMIT = 600e6


def main() -> int:
    """Print the table as Markdown; return 1 if a promise of the README is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", type=Path, help="an archive of 3D fields to score instead")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each timing")
    parser.add_argument("--peak-memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_memory:
        print(_peak_memory(options.archive))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        archive = options.archive or _cascades(Path(folder) / "cascades.npz")
        return _report(archive, options.repeats)


def _report(archive: Path, repeats: int) -> int:
    fields = [field.astype(np.float32) for field in read_fields(archive)]
    count, shape = len(fields), fields[0].shape
    warm_up(shape)
    field = fields[0]
    density = as_density(field)

    def best(function: Callable[[], Any], times: int = repeats) -> float:
        """Return milliseconds."""
        seconds = []
        for _ in range(times):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
        return 1e3 * min(seconds)

    pairs: dict[str, tuple[Callable[[Field], Field], Callable[[Density], Field]]] = {
        "power spectrum": (plain.power_spectrum, power_spectrum),
        "mass histogram": (plain.mass_histogram, mass_histogram),
        "peak histogram": (plain.peak_histogram, peak_histogram),
    }
    print(f"One field of {'x'.join(map(str, shape))}, ms:\n")
    print("| | plain NumPy/SciPy | scorer, 1 thread | ratio |\n|---|---|---|---|")
    slow = {}
    for name, (definition, ours) in pairs.items():
        slow[name] = best(functools.partial(definition, field), min(repeats, 3))
        fast = best(functools.partial(ours, density))
        print(f"| {name} | {slow[name]:.0f} | {fast:.1f} | {slow[name] / fast:.0f} |")
    check = best(lambda: as_density(field))
    print(f"| check of the field | | {check:.1f} | |")
    total, one = sum(slow.values()), best(lambda: field_statistics(field))
    two = best(lambda: set_statistics(fields, threads=2)) / count
    print(f"| **total** | {total:.0f} | {one:.0f} | **{total / one:.1f}** |")
    print(
        f"| total, 2 threads, two fields at a time | {total:.0f} | {two:.0f} | {total / two:.1f} |"
    )

    zlib = best(lambda: _read_with_numpy(archive)) / count
    isal = best(lambda: list(map(np.shape, read_fields(archive)))) / count
    scored = best(lambda: set_statistics(read_fields(archive))) / count
    scored_by_two = best(lambda: set_statistics(read_fields(archive), threads=2)) / count
    print("\nArchive to statistics, ms a field:\n")
    print("| | time | over reading with zlib |\n|---|---|---|")
    print(f"| read with zlib (`numpy.load`) | {zlib:.0f} | 1 |")
    print(f"| read and check, `isal` | {isal:.0f} | {isal / zlib:.2f} |")
    print(f"| read, check and score, 1 thread | {scored:.0f} | **{scored / zlib:.2f}** |")
    print(
        f"| read, check and score, 2 threads | {scored_by_two:.0f} | {scored_by_two / zlib:.2f} |"
    )

    _compare_with_pylians(field, best)
    memory = _peak_memory_of_a_process(archive)
    print(f"\nPeak memory over 30 fields, 2 threads: {memory / 1e6:.0f} MB")
    kept = total / one >= 20 and scored / zlib <= 2 and memory < MEMORY_LIMIT
    print("Promises kept." if kept else "A PROMISE IS BROKEN: 20 times plain, 2.0 zlib, 600 MB.")
    return 0 if kept else 1


def _cascades(path: Path) -> Path:
    counts = (cascade(256, 3, seed, TABLE, 64) for seed in range(4))
    write_archive(path, (field.astype(np.float32) for field in counts))
    return path


def _read_with_numpy(archive: Path) -> None:
    with np.load(archive) as members:
        for name in members.files:
            members[name]


def _compare_with_pylians(field: Field, best: Callable[[Callable[[], Any]], float]) -> None:
    try:
        import Pk_library  # type: ignore[import-not-found]
    except ImportError:
        print("\nPylians is not installed: pip install 'cosmoboard[bench]'")
        return
    delta = (field / field.mean(dtype=np.float64) - 1).astype(np.float32)
    box = box_side(3, field.shape[0])
    theirs = best(lambda: Pk_library.Pk(delta.copy(), box, 0, None, 1, False))
    density = as_density(field)
    ours = best(lambda: power_spectrum(density))
    print(f"\nP(k), 1 thread: Pylians {theirs:.0f} ms, scorer {ours:.0f} ms: {theirs / ours:.1f}")


def _peak_memory_of_a_process(archive: Path) -> int:
    command = [sys.executable, "-m", "benchmarks.scoring", "--peak-memory"]
    command += ["--archive", str(archive)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak_memory(archive: Path) -> int:
    """Return the bytes that this process held at most while it scored 30 fields."""
    count = inspect_archive(archive).count
    rounds = -(-30 // count)
    streams = itertools.chain.from_iterable(read_fields(archive) for _ in range(rounds))
    set_statistics(itertools.islice(streams, 30), threads=2)
    # Not getrusage: its maximum includes that of the parent, from which this process was forked.
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


if __name__ == "__main__":
    sys.exit(main())
