"""Mutated archives: the reader answers each with its fields or an `ArchiveError`, at small cost.

`make fuzz SECONDS=3600` goes on for an hour and keeps what broke the reader. The reading is done by
a child process, so that even a crash of the interpreter is caught; it reads from a file that is
left behind then.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from cubes.archive import ArchiveError, inspect_archive, read_fields
from cubes.tracks import Track
from tests.archives import density_fields, entries_of, honest
from tests.hostile import HOSTILE
from tests.zips import Entry, compress, zip_bytes

SMALL = Track("small", ndim=3, side=8, count=4, mean=31.5)

MOST_SECONDS = 2.0
"""CPU time that one archive may take: a hundred times what a valid one takes."""

MOST_MEBIBYTES = 96
"""Memory that the reader may take beyond what it takes for valid archives."""

_SIGNATURES = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"\x93NUMPY")

_INTERESTING = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


class BrokenReaderError(Exception):
    """The reader did what it must not; the message says what."""


def seeds() -> list[bytes]:
    """Return the archives to mutate: valid ones of every compression, and the hostile corpus."""
    entries = entries_of(density_fields(SMALL))
    valid = [honest(SMALL)]
    for method, flags in ((0, 0), (12, 0), (14, 2)):
        packed = [
            Entry(entry.name, entry.content, method, flags, compress(entry.content, method))
            for entry in entries
        ]
        valid.append(zip_bytes(packed))
    small = [hostile.build(SMALL) for hostile in HOSTILE.values()]
    return valid * 20 + [archive for archive in small if len(archive) < 2**20]


def mutated(archive: bytes, random: Random) -> bytes:
    """Return the archive after one to eight mutations."""
    content = bytearray(archive)
    for _ in range(random.choice((1, 1, 1, 2, 4, 8))):
        if content:
            random.choice(_MUTATIONS)(content, random)
    return bytes(content)


def mutated_inside(random: Random) -> bytes:
    """Return an archive that is right as a zip, its arrays mutated before they were packed."""
    first, *others = entries_of(density_fields(SMALL))
    content = bytearray(first.content)
    for _ in range(random.choice((1, 1, 2, 4))):
        if content:
            random.choice(_MUTATIONS)(content, random)
    if content and random.random() < 0.5:
        content[random.randrange(min(len(content), 128))] = random.randrange(256)
    return zip_bytes([replace(first, content=bytes(content)), *others])


def _flip_bit(content: bytearray, random: Random) -> None:
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _set_number(content: bytearray, random: Random) -> None:
    _put_number(content, random.randrange(len(content)), random)


def _set_number_in_header(content: bytearray, random: Random) -> None:
    """Lengths, offsets, methods and flags lie within 64 bytes of a signature."""
    signature = random.choice(_SIGNATURES)
    places = [at for at in range(len(content)) if content.startswith(signature, at)] or [0]
    _put_number(content, random.choice(places) + random.randrange(64), random)


def _put_number(content: bytearray, at: int, random: Random) -> None:
    width = random.choice((1, 2, 4, 8))
    number = random.choice((*_INTERESTING, random.getrandbits(8 * width)))
    value = (number + random.randint(-2, 2)) % (1 << 8 * width)
    content[at : at + width] = value.to_bytes(width, "little")


def _cut(content: bytearray, random: Random) -> None:
    del content[random.randrange(len(content)) :]


def _remove(content: bytearray, random: Random) -> None:
    at = random.randrange(len(content))
    del content[at : at + random.choice((1, 2, 4, 30, 46, 500))]


def _repeat(content: bytearray, random: Random) -> None:
    at = random.randrange(len(content))
    piece = content[at : at + random.choice((1, 4, 30, 46, 500))]
    content[at:at] = piece * random.choice((1, 2, 50))


def _insert(content: bytearray, random: Random) -> None:
    at = random.randrange(len(content) + 1)
    content[at:at] = random.randbytes(random.choice((1, 2, 16, 300)))


def _move(content: bytearray, random: Random) -> None:
    at, to = random.randrange(len(content)), random.randrange(len(content))
    size = random.choice((4, 30, 46, 500))
    content[to : to + size] = content[at : at + size]


_MUTATIONS: tuple[Callable[[bytearray, Random], None], ...] = (
    _flip_bit,
    _set_number,
    _set_number_in_header,
    _set_number_in_header,
    _cut,
    _remove,
    _repeat,
    _insert,
    _move,
)


def read(path: Path) -> str:
    """Read an archive to its end; return `valid` or the reason code.

    Raises:
        BrokenReaderError: It took too long, or the message is none for a participant.
    """
    began = time.process_time()
    result = "valid"
    try:
        inspect_archive(path, SMALL)
        for field in read_fields(path, SMALL):
            if field.shape != SMALL.shape or not (field >= 0).all():
                raise BrokenReaderError(f"a field of shape {field.shape} that is no density")
    except ArchiveError as error:
        result = error.code
        message = str(error)
        if not (message.isprintable() and message.endswith(".") and len(message) < 600):
            raise BrokenReaderError(f"the message {message!r}") from error
    if time.process_time() - began > MOST_SECONDS:
        raise BrokenReaderError(f"{time.process_time() - began:.1f} s for one archive")
    return result


def fuzz(seconds: float, seed: str, folder: Path) -> Counter[str]:
    """Read mutated archives until the time is over; count what came out.

    Raises:
        Exception: Whatever else than an `ArchiveError` came out; the archive is in the folder.
    """
    corpus, path = seeds(), folder / "current.npz"
    for archive in corpus:
        path.write_bytes(archive)
        read(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results: Counter[str] = Counter()
    began, index = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        random = Random(f"{seed}/{index}")
        inside = random.random() < 0.2
        path.write_bytes(
            mutated_inside(random) if inside else mutated(random.choice(corpus), random)
        )
        results[read(path)] += 1
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        if grown > MOST_MEBIBYTES:
            raise BrokenReaderError(f"{grown:.0f} MiB more than valid archives take")
        index += 1
    return results


def main() -> None:
    """Fuzz in a child process, and tell what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default=str(time.time_ns()))
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        results = fuzz(arguments.seconds, arguments.seed, arguments.here)
        print(f"{results.total()} archives, no crash:")
        for code, count in results.most_common():
            print(f"  {count:8}  {code}")
        return
    folder = Path(mkdtemp(prefix="fuzz-"))
    print(f"Seed {arguments.seed}; what breaks the reader stays in {folder}.", flush=True)
    child = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.archives", "--seconds", str(arguments.seconds)),
            *("--seed", arguments.seed, "--here", str(folder)),
        ],
        check=False,
    )
    if child.returncode == 0:
        (folder / "current.npz").unlink()
        folder.rmdir()
    sys.exit(child.returncode)


if __name__ == "__main__":
    main()
