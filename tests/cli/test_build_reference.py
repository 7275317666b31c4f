"""References from full cubes: every track, split by cube, recorded, and told apart by content."""

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result

from board import database, settings
from board.database import transaction
from board.errors import OtherTrainingSetError
from board.references import NewReference, training_set
from board.storage import Storage, open_storage
from cli.build_reference import build_reference, keep_reference
from cli.main import main
from cubes.archive import read_fields, write_archive
from cubes.content_hash import content_hash
from cubes.errors import CubeSourceError
from cubes.simulate import FULL_CUBE as FULL
from cubes.simulate import secret_seeds
from cubes.tracks import TRACKS
from scoring import floor_from_pool, set_statistics
from tests.databases import fresh_database
from tests.references import field_source


@pytest.fixture(scope="module")
def board(postgres_url: str, tmp_path_factory: pytest.TempPathFactory):
    """An empty board that the environment names."""
    with fresh_database(postgres_url) as url, pytest.MonkeyPatch.context() as patch:
        database.migrate(url)
        patch.setenv("DATABASE_URL", url)
        patch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
        patch.setenv("COSMOBOARD_DATA", str(tmp_path_factory.mktemp("board")))
        settings.get_settings.cache_clear()
        database.get_engine.cache_clear()
        yield open_storage(settings.get_settings())
        database.get_engine().dispose()
    settings.get_settings.cache_clear()
    database.get_engine.cache_clear()


@pytest.fixture(scope="module")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `a` and `b` of three cubes each that repeat a small one: quick to save and read."""
    folder = tmp_path_factory.mktemp("cubes")
    for part, seed in (("a", 0), ("b", 1)):
        (folder / part).mkdir()
        for index in range(3):
            rng = np.random.default_rng((seed, index))
            small = rng.lognormal(3.6, 1, (32, 32, 32)).astype(np.uint32)
            cube = np.tile(small, (8, 8, 8))
            if index == 0:
                with h5py.File(folder / part / "0.h5", "w") as file:
                    file.create_dataset("data", data=cube, compression="lzf")
            else:
                write_archive(folder / part / f"{index}.npz", [cube])
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["reference", *map(str, words)])


def built(*words: object) -> list[dict]:
    done = run("build", *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_cubes_of_ones_own_make_references_of_several_tracks(board, cubes: Path) -> None:
    own = ("--training", cubes / "a", "--held-out", cubes / "b", "--label", "our survey")
    rows = built("--track", "3d-64", "--track", "2d-256", *own)

    assert [(row["track"], row["label"], row["current"]) for row in rows] == [
        ("3d-64", "our survey", True),
        ("2d-256", "our survey", True),
    ]
    known = {row["track"]: row for row in json.loads(run("list", "--json").stdout)}
    for name, count in (("3d-64", 3), ("2d-256", 256)):
        track, provenance = TRACKS[name], known[name]["provenance"]
        assert provenance["source"] == "files"
        for part, folder in (("training", "a"), ("held_out", "b")):
            half = provenance[part]
            assert half["count"] == count
            assert [cube["name"] for cube in half["cubes"]] == ["0.h5", "1.npz", "2.npz"]
            files = [next(read_fields(cubes / folder / f"{n}.npz", FULL)) for n in (1, 2)]
            hashes = [cube["sha256"] for cube in half["cubes"]]
            assert hashes[1:] == [content_hash([cube]) for cube in files]
        with transaction() as session:
            training = training_set(session, name)
        with board.archive(training.archive_id) as path:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == training.sha256
            fields = list(read_fields(path))
        assert len(fields) == count
        assert fields[0].shape == track.shape
        assert content_hash(fields) == provenance["training"]["sha256"]
        assert known[name]["content_hash"] == provenance["held_out"]["sha256"]
    assert "mean" in known["2d-256"]["floor"]["psd"]


def test_a_reference_of_other_fields_becomes_current_and_the_old_one_stays(board) -> None:
    a, b = small_fields(8, 4), small_fields(9, 4)
    one, other, again = (
        keep_reference(build("3d-32", *halves, board), board).content_hash
        for halves in ((a, b), (b, a), (a, b))
    )
    assert one == again != other
    known = {row["content_hash"]: row for row in json.loads(run("list", "--json").stdout)}
    assert (known[one]["current"], known[other]["current"]) == (True, False)


def test_simulated_cubes_come_from_the_secret_which_is_not_told(
    board, cubes: Path, tmp_path: Path
) -> None:
    """Cubes that are there already are not simulated: an interrupted run goes on like that."""
    secret = "correct horse battery staple"
    files = [next(read_fields(cubes / part / f"{n}.npz", FULL)) for part in "ab" for n in (1, 2)]
    files += [files[0] + 1, files[1] + 1]
    for part, some in (("training", files[:3]), ("held-out", files[3:])):
        (tmp_path / part).mkdir()
        for seed, cube in zip(secret_seeds(secret, part, 3), some, strict=True):
            write_archive(tmp_path / part / f"{seed}.npz", [cube])
    words = ("--simulate", "--seed", secret, "--count", 3, "--cubes", tmp_path)
    done = run("build", "--track", "3d-32", *words)

    assert done.exit_code == 0, done.output
    seeds = secret_seeds(secret, "held-out", 3)
    assert not any(str(seed) in done.output for seed in seeds)
    assert secret not in done.output
    assert "simulated by the host, not the paper's cubes" in done.output
    [known] = [
        row
        for row in json.loads(run("list", "--json").stdout)
        if row["current"] and row["track"] == "3d-32"
    ]
    named = [cube["name"] for cube in known["provenance"]["held_out"]["cubes"]]
    assert named == [f"{seed}.npz" for seed in seeds]


def test_a_cube_in_both_halves_is_refused_by_name(board) -> None:
    training, held_out = small_fields(10, 4), small_fields(11, 4)
    with pytest.raises(CubeSourceError, match=r"training-2.npz and held-out-3.npz are the same"):
        build("3d-32", training, [*held_out[:3], training[2]], board)


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        ((), 2, "Say where the cubes come from"),
        (("--demo", "--simulate"), 2, "Say where the cubes come from"),
        (("--training", "{cubes}/a"), 2, "go together"),
        (("--simulate",), 2, "--simulate needs --seed"),
        (("--training", "{cubes}/a", "--held-out", "{empty}"), 1, "holds no .h5"),
        (("--training", "{cubes}/a", "--held-out", "{cubes}/c"), 1, "is no folder"),
        (("--training", "{cubes}/a", "--held-out", "{few}"), 1, "1 cubes in a half: 3 are"),
        (("--training", "{small}", "--held-out", "{cubes}/a"), 1, "has shape"),
        (("--zenodo", "{empty}"), 1, "lacks 256_nbody_350Mpc_1.h5"),
        (("--zenodo", "{cubes}/c"), 1, "does not exist"),
    ],
)
def test_what_cannot_be_used_is_told_and_changes_nothing(
    board, cubes: Path, tmp_path: Path, words: tuple[str, ...], code: int, problem: str
) -> None:
    folders = {name: tmp_path / name for name in ("empty", "few", "small")}
    for folder in folders.values():
        folder.mkdir()
    (folders["few"] / "1.npz").hardlink_to(cubes / "a" / "1.npz")
    for index in range(3):
        write_archive(folders["small"] / f"{index}.npz", [np.ones((32, 32, 32))])
    before = run("list", "--json").stdout
    archives = set(board.archives_older_than(0))

    filled = (word.format(cubes=cubes, **folders) for word in words)
    refused = run("build", "--track", "3d-256", *filled)

    assert refused.exit_code == code, refused.output
    assert problem in " ".join(refused.stderr.split())
    assert run("list", "--json").stdout == before
    assert set(board.archives_older_than(0)) == archives


def small_fields(seed: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.lognormal(3, 1, (32, 32, 32)).astype(np.float32) for _ in range(count)]


def test_held_out_fields_with_another_training_set_are_refused(board) -> None:
    held_out = small_fields(1, 4)
    keep_reference(build("3d-32", small_fields(2, 4), held_out, board), board)
    other = build("3d-32", small_fields(3, 4), held_out, board)
    with pytest.raises(OtherTrainingSetError, match="another training set"):
        keep_reference(other, board)


def test_fields_that_are_kept_already_are_not_kept_twice(board) -> None:
    halves = small_fields(4, 4), small_fields(5, 4)
    keep_reference(build("3d-32", *halves, board), board)
    before = set(board.archives_older_than(0))
    keep_reference(build("3d-32", *halves, board), board)
    assert set(board.archives_older_than(0)) == before


def test_the_floor_is_that_of_a_whole_submission(board) -> None:
    """Of 6 training and 4 held-out fields, the bias of d² is 1/6 + 1/4 in some unit; with the 30 of
    a submission it is 1/30 + 1/4.
    """
    training, held_out = small_fields(6, 6), small_fields(7, 4)
    new = build("3d-32", training, held_out, board)
    measured = floor_from_pool(set_statistics(training), set_statistics(held_out))
    scale = (1 / 30 + 1 / 4) / (1 / 6 + 1 / 4)
    assert new.floor.psd.mean == pytest.approx(scale * measured.psd.mean)
    assert new.floor.peak.spread == pytest.approx(scale * measured.peak.spread)


def build(track: str, training: list, held_out: list, storage: Storage) -> NewReference:
    return build_reference(track, field_source(training, held_out), storage)
