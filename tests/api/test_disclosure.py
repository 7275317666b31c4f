"""Nothing of the held-out set gets out, but what scoring against it gives.

A board is built whose held-out fields, their names and their statistics are all unmistakable, and
everything that it has to say is searched for them: as anybody, as the owner of a submission and as
another participant. A host is told, which shows that the search would find them.
"""

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import product
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.exc import InvalidRequestError

from board import database, settings
from board.copy_checks import begin_copy_check, open_copy_check, record_copies
from board.lifecycle import claim_submission, finish_submission
from board.models import RealFields, Reference
from board.references import held_out_statistics
from board.storage import open_storage
from cli.build_reference import build_reference, keep_reference
from cubes.archive import read_fields, write_archive
from cubes.content_hash import content_hash
from cubes.tracks import TRACKS
from scoring import Floor, SetStatistics
from tests.boards import Board, bearer, form
from tests.fields import clumpy
from tests.references import field_source
from worker.copies import search_for_copies
from worker.evaluate import evaluate_archive

TRACK = TRACKS["3d-32"]
SEEDS = [7_340_112_233_445_566 + 9_876_543 * index for index in range(5)]
"""Names of the held-out cubes: who has them can simulate the cubes."""


@cache
def training() -> list[np.ndarray]:
    return [clumpy(32, 3, seed) for seed in range(5)]


@cache
def held_out() -> list[np.ndarray]:
    return [1.7 * clumpy(32, 3, 100 + seed) for seed in range(5)]


@pytest.fixture(scope="module")
def board(engine, environment: dict[str, str]) -> Iterator[Board]:
    """The board that is served, which this process works on, too; one for all of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        settings.get_settings.cache_clear()
        database.get_engine.cache_clear()
        board = Board(engine, Path(environment["COSMOBOARD_DATA"]))
        board.empty()
        board.open_track("3d-64")
        yield board
        board.empty()
        database.get_engine().dispose()
    settings.get_settings.cache_clear()
    database.get_engine.cache_clear()


@pytest.fixture(scope="module")
def client(server, board) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@dataclass(frozen=True)
class Secrets:
    """What must not get out: as text, as parts of fields, and as slices of them."""

    texts: dict[str, str]
    fields: list[bytes]
    frames: list[bytes]


@pytest.fixture(scope="module")
def submission_id(board, client, tmp_path_factory) -> UUID:
    """A scored submission that holds a training field and a held-out one; searched for copies."""
    storage, tmp_path = open_storage(settings.get_settings()), tmp_path_factory.mktemp("cubes")
    source = field_source(training(), held_out(), [f"{seed}.npz" for seed in SEEDS])
    reference_id = keep_reference(build_reference(TRACK.name, source, storage), storage).id
    fields = [clumpy(32, 3, 200 + seed) for seed in range(30)]
    fields[3], fields[4] = held_out()[1], training()[2]
    write_archive(tmp_path / "cubes.npz", [field.astype(np.float32) for field in fields])
    answer = client.post(
        "/api/v1/submissions",
        headers=bearer(board.token("ada")),
        **form((tmp_path / "cubes.npz").read_bytes()),
    )
    submission_id = UUID(answer.json()["id"])
    with board.session() as session:
        statistics = SetStatistics.from_bytes(held_out_statistics(session, reference_id))
        floor = Floor.from_dict(session.get(Reference, reference_id).floor)
    with storage.archive(submission_id) as path:
        found = evaluate_archive(path, TRACK, statistics, floor, progress=lambda done: None)
    with board.session() as session:
        claim = claim_submission(session, submission_id, timedelta(minutes=1))
        packed = found.statistics.to_bytes()
        finish_submission(session, claim, reference_id, found.report, packed, found.preview)
        open_copy_check(session, submission_id, reference_id)
    with board.session() as session:
        search = begin_copy_check(session, submission_id, 3)
        record_copies(session, submission_id, *search_for_copies(search))
    return submission_id


@pytest.fixture(scope="module")
def secrets(submission_id, board) -> Secrets:
    """All that the board knows of the held-out half."""
    texts = {f"seed of cube {index}": str(seed) for index, seed in enumerate(SEEDS)}
    for index, field in enumerate(held_out()):
        texts[f"hash of cube {index}"] = content_hash([field])
    with board.session() as session:
        reference = session.scalars(select(Reference).where(Reference.track == TRACK.name)).one()
        statistics = SetStatistics.from_bytes(held_out_statistics(session, reference.id))
        hidden = session.scalars(select(RealFields).where(RealFields.part == "held-out")).one()
        texts |= {
            "id of the archive": str(hidden.archive_id),
            "hash of the archive": hidden.sha256,
        }
    for name in ("psd", "mass", "peak"):
        rows = getattr(statistics, name)
        for kind, values in (("mean", rows.mean(axis=0)), ("scatter", rows.std(axis=0))):
            for bin_, value in enumerate(values.tolist()):
                if len(repr(value)) > 12 and value > 10:  # few counts scatter alike anywhere
                    texts[f"{kind} of {name} in bin {bin_}"] = repr(value)
    fields = [field.astype(np.float32).tobytes()[:256] for field in held_out()]
    frames = []
    for field in held_out():
        levels = np.log10(field.astype(np.float64) + 1) * 51
        frames += [np.clip(np.rint(slice_), 0, 255).astype(np.uint8).tobytes() for slice_ in levels]
    return Secrets(texts, fields, frames)


def told(secrets: Secrets, content: bytes) -> list[str]:
    """Return which secrets an answer holds."""
    text = content.decode(errors="replace")
    found = [name for name, secret in secrets.texts.items() if secret in text]
    unpacked = [content]
    if content[:2] == b"PK":
        with np.load(io.BytesIO(content)) as archive:
            unpacked += [archive[name].astype(np.float32).tobytes() for name in archive.files]
    if content[:2] == b"\x1f\x8b":
        unpacked.append(gzip.decompress(content))
    for index, field in enumerate(secrets.fields):
        found += [f"field {index}" for part in unpacked if field in part]
    found += [f"slice {index}" for index, frame in enumerate(secrets.frames) if frame in content]
    return found


def addresses(client: httpx.Client, submission_id: UUID, snapshot: str) -> Iterator[str]:
    """Yield every address that answers to GET, filled with what there is, with every option."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    filled = {
        "submission_id": [str(submission_id)],
        "other_id": [str(submission_id)],
        "track": list(TRACKS),
        "sha256": [snapshot],
    }
    for path, methods in paths.items():
        if "get" not in methods:
            continue
        names = [name for name in filled if f"{{{name}}}" in path]
        assert path.count("{") == len(names), f"{path} has a part that this test does not know"
        for values in product(*(filled[name] for name in names)):
            address = path.format(**dict(zip(names, values, strict=True)))
            yield address
            for options in (
                {"against": "held-out"},
                {"against": "training"},
                {"track": TRACK.name, "format": "csv", "sort": "psd"},
                {"track": TRACK.name},
                {"against": "nonsense", "track": "nonsense", "page_token": "nonsense"},
            ):
                yield str(httpx.URL(address, params=options))
    pages = ("/", "/?track=3d-32&rows=all", "/submit?track=3d-32", "/me", "/about", "/docs")
    yield from (*pages, f"/submissions/{submission_id}", "/host", "/metrics", "/healthz", "/readyz")


@pytest.fixture(scope="module")
def snapshot(board, client, submission_id) -> str:
    host = bearer(board.token("organisers", is_host=True))
    answer = client.post(f"/api/v1/snapshots?track={TRACK.name}", headers=host)
    return answer.json()["sha256"]


@pytest.mark.parametrize("asker", ["nobody", "ada", "bob"])
def test_no_answer_tells_of_held_out_fields(
    client, board, server, submission_id, secrets, snapshot, asker
) -> None:
    headers = {} if asker == "nobody" else bearer(board.token(asker))
    known = [*addresses(client, submission_id, snapshot)]
    assert len(known) > 60
    for address in known:
        answer = client.get(address, headers=headers)
        leaks = told(secrets, answer.content)
        assert leaks == [], f"{address} tells {leaks}"
    assert told(secrets, server.log().encode()) == []


def test_a_host_is_told_so_the_search_would_find_it(client, board, submission_id, secrets) -> None:
    host = bearer(board.token("organisers", is_host=True))
    url = f"/api/v1/submissions/{submission_id}"
    answer = client.get(f"{url}/statistics", params={"against": "held-out"}, headers=host)
    assert len(told(secrets, answer.content)) > 40
    [copy] = client.get(f"{url}/held-out-copies", headers=host).json()
    assert (copy["field"], copy["original"], copy["source"]) == (3, 1, "held-out")
    for field in held_out():
        buffer = io.BytesIO()
        np.savez(buffer, field.astype(np.float32))
        assert told(secrets, buffer.getvalue())


def test_held_out_evidence_is_refused_to_others(client, board, submission_id) -> None:
    url = f"/api/v1/submissions/{submission_id}"
    for headers, status in (({}, 401), (bearer(board.token("ada")), 403)):
        assert client.get(f"{url}/held-out-copies", headers=headers).status_code == status
        answer = client.get(f"{url}/statistics", params={"against": "held-out"}, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["code"] == "forbidden"


def test_everybody_is_told_of_the_copy_of_a_training_field_alone(client, submission_id) -> None:
    search = client.get(f"/api/v1/submissions/{submission_id}").json()["copy_search"]
    [copy] = search["copies"]
    assert (copy["field"], copy["original"], copy["source"]) == (4, 2, "training")


def test_what_is_for_the_host_raises_where_it_was_not_asked_for(board, submission_id) -> None:
    with board.session() as session:
        reference = session.scalars(select(Reference).where(Reference.track == TRACK.name)).one()
        for attribute in ("held_out", "provenance"):
            with pytest.raises(InvalidRequestError, match="raiseload"):
                getattr(reference, attribute)


def test_the_api_has_no_other_way_to_what_is_held_out() -> None:
    """Statistics come from `board.references` and evidence from `board.copy_checks`."""
    for path in Path("api").rglob("*"):
        if path.suffix in (".py", ".html"):
            text = path.read_text().replace("held_out_copies", "")
            assert "held_out" not in text, path
            assert ".provenance" not in text, path


class TestTrainingSet:
    URL = f"/api/v1/tracks/{TRACK.name}/training-set"

    def test_is_the_training_fields(self, client, submission_id, tmp_path) -> None:
        answer = client.get(self.URL)
        assert answer.headers["content-type"] == "application/zip"
        assert "train-3d-32.npz" in answer.headers["content-disposition"]
        (tmp_path / "train.npz").write_bytes(answer.content)
        np.testing.assert_array_equal(list(read_fields(tmp_path / "train.npz")), training())

    def test_is_resumed_where_it_broke_off(self, client, submission_id) -> None:
        whole = client.get(self.URL)
        size, etag = len(whole.content), whole.headers["etag"]
        assert whole.headers["accept-ranges"] == "bytes"
        for header, start, stop in (
            ("bytes=0-99", 0, 100),
            (f"bytes={size - 7}-", size - 7, size),
            ("bytes=-5", size - 5, size),
            (f"bytes=10-{size + 100}", 10, size),
        ):
            part = client.get(self.URL, headers={"Range": header, "If-Range": etag})
            assert part.status_code == 206
            assert part.content == whole.content[start:stop]
            assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"

    def test_another_version_is_sent_whole(self, client, submission_id) -> None:
        headers = {"Range": "bytes=5-9", "If-Range": '"another"'}
        assert client.get(self.URL, headers=headers).status_code == 200

    def test_is_not_sent_again_to_who_has_it(self, client, submission_id) -> None:
        etag = client.get(self.URL).headers["etag"]
        again = client.get(self.URL, headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")

    @pytest.mark.parametrize("header", ["bytes=5-2", "bytes=0-1,4-5", "lines=0-5", "bytes=-", ""])
    def test_an_odd_range_is_passed_over(self, client, submission_id, header) -> None:
        assert client.get(self.URL, headers={"Range": header}).status_code == 200

    @pytest.mark.parametrize("header", ["bytes=99999999-", "bytes=-0"])
    def test_a_range_behind_the_end_is_refused(self, client, submission_id, header) -> None:
        refused = client.get(self.URL, headers={"Range": header})
        size = len(client.get(self.URL).content)
        assert refused.status_code == 416
        assert refused.json()["code"] == "range_not_satisfiable"
        assert refused.headers["content-range"] == f"bytes */{size}"

    def test_what_is_not_kept_is_told(self, client, board) -> None:
        kept_as_statistics, not_open = "3d-64", "3d-256"
        for track, status in ((kept_as_statistics, 404), (not_open, 409)):
            assert client.get(f"/api/v1/tracks/{track}/training-set").status_code == status

    def test_what_is_lost_is_told_before_anything_is_sent(
        self, client, board, submission_id
    ) -> None:
        with board.session() as session:
            kept = session.scalars(select(RealFields).where(RealFields.part == "training")).one()
        path = board.folder / "archives" / f"{kept.archive_id}.npz"
        path.rename(board.folder / "elsewhere")
        answer = client.get(self.URL)
        (board.folder / "elsewhere").rename(path)
        assert answer.status_code == 404
        assert "lost" in answer.json()["detail"]
