"""Every archive of the hostile corpus is refused, for its reason, at small cost."""

import inspect
import subprocess
import sys
import textwrap
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from cubes.archive import ArchiveError, inspect_archive, read_fields
from cubes.tracks import TRACKS, Track
from tests.hostile import HOSTILE
from tests.zips import Entry, compress, npy_bytes, zip_bytes

SMALL = Track("small", ndim=3, side=8, count=4, mean=31.5)


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_for_its_reason_as_soon_as_can_be(tmp_path: Path, name: str) -> None:
    hostile = HOSTILE[name]
    path = hostile.write(tmp_path / "x.npz", SMALL)
    started = time.process_time()
    with pytest.raises(ArchiveError) as refusal:
        list(read_fields(path, SMALL))
    assert time.process_time() - started < 1
    assert refusal.value.code == hostile.code
    if hostile.seen == "read":
        inspect_archive(path, SMALL)
    else:
        with pytest.raises(ArchiveError) as refusal:
            inspect_archive(path, SMALL)
        assert refusal.value.code == hostile.code


@pytest.mark.parametrize("name", HOSTILE)
def test_its_message_is_one_plain_sentence(tmp_path: Path, name: str) -> None:
    path = HOSTILE[name].write(tmp_path / "x.npz", SMALL)
    with pytest.raises(ArchiveError) as refusal:
        list(read_fields(path, SMALL))
    message = str(refusal.value)
    assert message.endswith(".")
    assert message.isprintable()
    assert len(message) < 400
    assert str(tmp_path) not in message


def test_the_corpus_reaches_every_reason_code() -> None:
    documented = set((inspect.getdoc(ArchiveError) or "").split("code: ")[1].split("`")[1::2])
    assert {hostile.code for hostile in HOSTILE.values()} == documented


def test_reading_holds_two_fields_in_memory_whatever_the_count(tmp_path: Path) -> None:
    track = TRACKS["3d-64"]
    field = np.random.default_rng(0).gamma(1, 30, track.shape).astype(np.float32)
    np.savez(tmp_path / "x.npz", *[np.asfortranarray(field)] * track.count)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_fields(tmp_path / "x.npz", track)) == track.count
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3.5 * field.nbytes


@pytest.mark.parametrize("method", [8, 12, 14], ids=["deflate", "bzip2", "lzma"])
def test_a_bomb_costs_no_memory(tmp_path: Path, method: int) -> None:
    """Members that go on for megabytes after their 2 KiB, measured with what C code allocates."""
    content = npy_bytes(np.full(SMALL.shape, 5, np.float32))
    surplus = bytes(2**22 if method == 8 else 2**25)
    flags = 2 if method == 14 else 0
    entries = [
        Entry(b"%d.npy" % i, content, method, flags, compress(content + surplus, method))
        for i in range(SMALL.count)
    ]
    (tmp_path / "bomb.npz").write_bytes(zip_bytes(entries))
    code = f"""
        import resource, sys
        from cubes.archive import ArchiveError, read_fields
        from cubes.tracks import Track
        import numpy, bz2, lzma, isal.isal_zlib
        track = Track("small", ndim=3, side=8, count=4, mean=31.5)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            list(read_fields({str(tmp_path / "bomb.npz")!r}, track))
        except ArchiveError as error:
            print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    reason, kibibytes = done.stdout.split()
    assert reason == "too_large"
    assert int(kibibytes) < 20 * 1024


def test_only_the_directory_and_headers_are_read_to_inspect(tmp_path: Path) -> None:
    """Damage to every value goes unseen: inspection does not depend on the size of the fields."""
    content = npy_bytes(np.full((4, *SMALL.shape), 5, np.float32))
    (tmp_path / "x.npz").write_bytes(zip_bytes([Entry(b"x.npy", content, method=0)]))
    data = bytearray((tmp_path / "x.npz").read_bytes())
    start = data.index(npy_bytes(np.full(1, 5, np.float32))[-4:] * 8)
    data[start : start + 4 * SMALL.count * SMALL.voxels] = b"\xff" * 4 * SMALL.count * SMALL.voxels
    (tmp_path / "x.npz").write_bytes(data)
    assert inspect_archive(tmp_path / "x.npz", SMALL).count == SMALL.count
    with pytest.raises(ArchiveError):
        list(read_fields(tmp_path / "x.npz", SMALL))


def test_importing_the_reader_loads_neither_isal_nor_numba() -> None:
    code = "import sys, cubes.archive; print({'isal', 'numba', 'pyfftw'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_without_isal_the_standard_library_inflates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)
    fields = [np.full((4, 4), value, np.uint8) for value in (1, 2)]
    np.savez_compressed(tmp_path / "x.npz", *fields)
    np.testing.assert_array_equal(list(read_fields(tmp_path / "x.npz")), fields)
