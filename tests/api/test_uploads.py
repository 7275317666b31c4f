"""Resumable uploads: the protocol, the official client, and what dies in between."""

import base64
import hashlib
import os
import socket
import time
import warnings
from contextlib import contextmanager

import httpx
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from api.intake import LARGEST_ARCHIVE
from board.models import Submission
from tests.boards import Board, bearer
from tests.processes import eventually
from tests.servers import Server

URL = "/api/v1/uploads"
BYTES = {"Content-Type": "application/offset+octet-stream"}


def metadata(**fields: str) -> str:
    fields = {"track": "3d-32", "method": "mine"} | fields
    return ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in fields.items()
    )


class Uploader:
    """A participant's hand-made requests."""

    def __init__(self, client: httpx.Client, token: str) -> None:
        self.client = client
        self.headers = bearer(token) | {"Tus-Resumable": "1.0.0"}

    def begin(self, size: int, **fields: str) -> httpx.Response:
        headers = {"Upload-Length": str(size), "Upload-Metadata": metadata(**fields)}
        return self.client.post(URL, headers=self.headers | headers)

    def begun(self, size: int, **fields: str) -> str:
        answer = self.begin(size, **fields)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def head(self, location: str) -> httpx.Response:
        return self.client.head(location, headers=self.headers)

    def patch(self, location: str, offset: int, content: bytes, **headers: str) -> httpx.Response:
        headers = self.headers | BYTES | {"Upload-Offset": str(offset)} | headers
        return self.client.patch(location, content=content, headers=headers)

    def submission(self, location: str) -> dict[str, object]:
        url = location.replace("uploads", "submissions")
        return self.client.get(url, headers=self.headers).json()


@pytest.fixture
def uploader(client, board):
    return Uploader(client, board.token())


def kept(board: Board, location: str) -> bytes:
    return (board.folder / "archives" / f"{location.split('/')[-1]}.npz").read_bytes()


def partial(board: Board, location: str):
    return board.folder / "uploads" / location.split("/")[-1]


def test_the_protocol_says_what_it_speaks(client):
    answer = client.options(URL)
    assert answer.status_code == 204
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,expiration,termination"
    assert answer.headers["Tus-Max-Size"] == str(LARGEST_ARCHIVE)


def test_pieces_become_a_queued_submission(uploader, board, archive):
    location = uploader.begun(len(archive), description="Über δ")
    begun = uploader.submission(location)
    assert (begun["state"], begun["sha256"]) == ("uploading", None)

    offset = 0
    for piece in (archive[:1], archive[1:300_000], archive[300_000:]):
        head = uploader.head(location)
        assert head.status_code == 200
        assert head.headers["Upload-Offset"] == str(offset)
        assert head.headers["Upload-Length"] == str(len(archive))
        assert head.headers["Cache-Control"] == "no-store"
        assert head.headers["Tus-Resumable"] == "1.0.0"
        assert head.headers["Upload-Expires"].endswith("GMT")
        answer = uploader.patch(location, offset, piece)
        assert answer.status_code == 204, answer.text
        offset += len(piece)
        assert answer.headers["Upload-Offset"] == str(offset)

    submission = uploader.submission(location)
    assert submission["state"] == "queued"
    assert submission["sha256"] == hashlib.sha256(archive).hexdigest()
    assert kept(board, location) == archive
    assert len(board.files()) == 1


def test_an_upload_that_has_arrived_can_be_asked_again(uploader, archive):
    """The answer to the last piece may be lost."""
    location = uploader.begun(len(archive))
    uploader.patch(location, 0, archive)

    assert uploader.head(location).headers["Upload-Offset"] == str(len(archive))
    again = uploader.patch(location, len(archive), b"")
    assert (again.status_code, again.headers["Upload-Offset"]) == (204, str(len(archive)))
    assert uploader.patch(location, 0, archive).json()["code"] == "upload_offset_mismatch"
    assert uploader.submission(location)["attempt"] == 0


@contextmanager
def tus_client(url: str, token: str):
    """The official client; it leaves its connections to the garbage collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield TusClient(f"{url}{URL}", headers=bearer(token))


def test_the_official_client_uploads_is_cut_and_resumes(server, board, archive, tmp_path):
    path = tmp_path / "cubes.npz"
    path.write_bytes(archive)
    fields = {"track": "3d-32", "method": "tuspy", "filename": "cubes.npz"}
    with path.open("rb") as file, tus_client(server.url, board.token()) as client:
        first = client.uploader(file_stream=file, chunk_size=100_000, metadata=fields)
        first.upload(stop_at=300_000)

        second = client.uploader(file_stream=file, chunk_size=250_000, url=first.url)
        assert second.offset == 300_000
        second.upload()

    assert kept(board, first.url) == archive
    assert board.states() == ["queued"]


def test_the_official_client_resumes_after_the_server_was_killed(
    environment, board, archive, tmp_path
):
    path = tmp_path / "cubes.npz"
    path.write_bytes(archive)
    fields = {"track": "3d-32", "method": "tuspy"}
    with (
        Server(environment, tmp_path / "log") as server,
        path.open("rb") as file,
        tus_client(server.url, board.token()) as client,
    ):
        first = client.uploader(file_stream=file, chunk_size=100_000, metadata=fields)
        first.upload(stop_at=200_000)
        # In the middle of a piece: half of it is written, the rest never comes.
        with sending_half(server, first.url, first.client.headers, 200_000, archive):
            server.kill()
        with pytest.raises(TusCommunicationError):
            client.uploader(file_stream=file, url=first.url)

        server.start()
        second = client.uploader(file_stream=file, url=first.url)
        assert 200_000 < second.offset < len(archive)
        second.upload()

    assert kept(board, first.url) == archive
    assert board.states() == ["queued"]


@contextmanager
def sending_half(server, url, headers, offset, archive):
    """Send a PATCH of all the rest, but only half of its bytes, and wait until some are written."""
    rest = archive[offset:]
    path = url.removeprefix(server.url)
    lines = [
        f"PATCH {path} HTTP/1.1",
        "Host: localhost",
        "Tus-Resumable: 1.0.0",
        "Content-Type: application/offset+octet-stream",
        f"Upload-Offset: {offset}",
        f"Content-Length: {len(rest)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + rest[: len(rest) // 2])
        deadline = time.monotonic() + 10
        while True:
            head = httpx.head(url, headers={**headers, "Tus-Resumable": "1.0.0"})
            if int(head.headers["Upload-Offset"]) > offset:
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield connection


def test_one_request_writes_at_a_time(server, uploader, board, archive):
    location = uploader.begun(len(archive))
    with sending_half(server, server.url + location, uploader.headers, 0, archive):
        offset = int(uploader.head(location).headers["Upload-Offset"])
        second = uploader.patch(location, offset, archive[offset:])
        assert (second.status_code, second.json()["code"]) == (423, "upload_locked")
        assert second.headers["Retry-After"] == "1"

    # The first is gone: what it brought stays, and the lock is free.
    deadline = time.monotonic() + 10
    while True:
        offset = int(uploader.head(location).headers["Upload-Offset"])
        answer = uploader.patch(location, offset, archive[offset:])
        if answer.status_code == 204:
            break
        assert answer.status_code in (409, 423)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert kept(board, location) == archive


def test_a_piece_that_stalls_keeps_what_has_arrived(server, uploader, board, archive):
    location = uploader.begun(len(archive))
    half = len(archive) // 2
    with sending_half(server, server.url + location, uploader.headers, 0, archive) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
    assert uploader.head(location).headers["Upload-Offset"] == str(half)
    assert uploader.patch(location, half, archive[half:]).status_code == 204
    assert kept(board, location) == archive


@pytest.fixture
def stranded(uploader, board, archive):
    """An upload all bytes of which are here; the service died before it could see to it."""

    def strand(uploader=uploader):
        location = uploader.begun(len(archive))
        partial(board, location).parent.mkdir(exist_ok=True)
        partial(board, location).write_bytes(archive)
        return location

    return strand


def test_a_stranded_upload_is_completed_by_the_next_head(environment, board, stranded, tmp_path):
    # A folder of its own, which the server that sweeps all the time does not know.
    board.folder = tmp_path
    own = {"COSMOBOARD_SWEEP_SECONDS": "3600", "COSMOBOARD_DATA": str(tmp_path)}
    with (
        Server(environment | own, tmp_path / "log") as server,
        httpx.Client(base_url=server.url) as client,
    ):
        uploader = Uploader(client, board.token())
        location = stranded(uploader)
        assert uploader.submission(location)["state"] == "uploading"
        assert uploader.head(location).headers["Upload-Offset"] != "0"
        assert uploader.submission(location)["state"] == "queued"


def test_a_stranded_upload_is_completed_by_the_sweep(uploader, board, archive, stranded):
    location = stranded()
    board.wait_for(location.split("/")[-1], "queued")
    assert kept(board, location) == archive
    assert eventually(lambda: not partial(board, location).exists(), 5)


def test_a_completed_upload_is_not_undone_by_a_leftover_of_its_file(uploader, board, archive):
    """The service died after the commit and before it removed the file."""
    location = uploader.begun(len(archive))
    uploader.patch(location, 0, archive)
    partial(board, location).write_bytes(archive)

    assert eventually(lambda: not partial(board, location).exists(), 5)
    assert uploader.submission(location)["state"] == "queued"
    assert kept(board, location) == archive


def test_an_upload_that_nobody_continues_expires(uploader, board, archive):
    location = uploader.begun(len(archive))
    uploader.patch(location, 0, archive[:1000])
    two_days_ago = time.time() - 48 * 3600
    os.utime(partial(board, location), (two_days_ago, two_days_ago))

    board.wait_for(location.split("/")[-1], "cancelled")

    submission = uploader.submission(location)
    assert submission["reason"] == "upload_expired"
    assert "24 hours" in submission["message"]
    assert uploader.head(location).status_code == 410
    assert board.files() == []


def test_an_upload_that_never_began_expires_by_the_time_of_its_creation(uploader, board):
    location = uploader.begun(1000)
    with board.session() as session:
        session.query(Submission).update({"created_at": "2026-01-01"})
    board.wait_for(location.split("/")[-1], "cancelled")


def test_termination_removes_it_and_frees_the_limit(uploader, board, archive):
    locations = [uploader.begun(1000 + i) for i in range(5)]
    assert uploader.begin(2000).json()["code"] == "quota_exceeded"
    uploader.patch(locations[0], 0, b"x")

    gone = uploader.client.delete(locations[0], headers=uploader.headers)

    assert (gone.status_code, gone.content) == (204, b"")
    assert uploader.head(locations[0]).status_code == 410
    assert uploader.patch(locations[0], 1, b"x").json()["code"] == "upload_gone"
    assert uploader.submission(locations[0])["state"] == "cancelled"
    assert board.files() == []
    assert uploader.begin(2000).status_code == 201


def test_a_withdrawal_stops_the_piece_that_is_being_written(server, uploader, board, archive):
    location = uploader.begun(len(archive))
    with sending_half(server, server.url + location, uploader.headers, 0, archive) as connection:
        url = location.replace("uploads", "submissions")
        assert uploader.client.delete(url, headers=uploader.headers).status_code == 200
        connection.sendall(archive[len(archive) // 2 :])
        answer = connection.recv(100)
    assert answer.startswith((b"HTTP/1.1 410 ", b"HTTP/1.1 204 "))
    assert uploader.submission(location)["state"] == "cancelled"
    assert board.files() == []


def test_what_has_arrived_cannot_be_terminated(uploader, archive):
    location = uploader.begun(len(archive))
    uploader.patch(location, 0, archive)
    answer = uploader.client.delete(location, headers=uploader.headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_an_archive_that_cannot_be_scored_fails_with_its_fault_and_costs_nothing(uploader, board):
    for _ in range(6):  # one more than the limit
        location = uploader.begun(6)
        assert uploader.patch(location, 0, b"no zip").status_code == 204
        submission = uploader.submission(location)
        assert (submission["state"], submission["reason"]) == ("failed", "not_a_zip")
        assert submission["message"].startswith("This is not an .npz archive")
    assert board.files() == []


def test_a_known_archive_is_refused_before_it_is_sent_if_its_hash_is_announced(uploader, archive):
    sha256 = hashlib.sha256(archive).hexdigest()
    location = uploader.begun(len(archive), sha256=sha256)
    again = uploader.begin(len(archive), sha256=sha256)
    assert (again.status_code, again.json()["code"]) == (409, "duplicate_archive")
    assert again.json()["submission"] == location.split("/")[-1]


def test_a_known_archive_fails_once_it_has_arrived(uploader, board, archive):
    first = uploader.begun(len(archive))
    uploader.patch(first, 0, archive)
    second = uploader.begun(len(archive))
    uploader.patch(second, 0, archive)
    submission = uploader.submission(second)
    assert (submission["state"], submission["reason"]) == ("failed", "duplicate_archive")
    assert first.split("/")[-1] in submission["message"]
    assert kept(board, first) == archive
    assert len(board.files()) == 1


def test_an_archive_of_another_hash_than_announced_fails(uploader, archive):
    location = uploader.begun(len(archive), sha256="0" * 64)
    uploader.patch(location, 0, archive)
    submission = uploader.submission(location)
    assert (submission["state"], submission["reason"]) == ("failed", "checksum_mismatch")
    assert hashlib.sha256(archive).hexdigest() in submission["message"]


def test_an_idempotency_key_begins_one_upload(uploader, archive):
    uploader.headers["Idempotency-Key"] = "k1"
    first = uploader.begun(1000)
    assert uploader.begun(1000) == first
    assert uploader.begin(1001).json()["code"] == "idempotency_conflict"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": ""}, 422, "invalid_request"),
        ({"Upload-Length": "0"}, 422, "invalid_request"),
        ({"Upload-Length": "many"}, 422, "invalid_request"),
        ({"Upload-Length": str(LARGEST_ARCHIVE)}, 413, "body_too_large"),
        ({"Upload-Metadata": ""}, 422, "invalid_submission"),
        ({"Upload-Metadata": "track"}, 422, "invalid_submission"),
        ({"Upload-Metadata": "track !!!!"}, 422, "invalid_submission"),
        ({"Upload-Metadata": "track /////w=="}, 422, "invalid_submission"),
        ({"Upload-Metadata": metadata() + ",track M2QtMzI="}, 422, "invalid_submission"),
        ({"Upload-Metadata": metadata(colour="red")}, 422, "invalid_submission"),
        ({"Upload-Metadata": metadata(sha256="abc")}, 422, "invalid_submission"),
        ({"Upload-Metadata": metadata(track="3d-256")}, 409, "no_reference"),
        ({"Tus-Resumable": "0.2.2"}, 412, "tus_version"),
        ({"Authorization": "Bearer wrong"}, 401, "invalid_token"),
    ],
)
def test_a_wrong_beginning_is_refused(uploader, board, headers, status, code):
    right = {"Upload-Length": "1000", "Upload-Metadata": metadata()}
    answer = uploader.client.post(URL, headers=uploader.headers | right | headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert board.ids() == []


def test_a_wrong_piece_is_refused_and_changes_nothing(uploader, board, archive):
    location = uploader.begun(1000)
    uploader.patch(location, 0, b"x" * 10)

    def code(offset, content, **headers):
        answer = uploader.patch(location, offset, content, **headers)
        return answer.status_code, answer.json()["code"]

    assert code(9, b"x") == (409, "upload_offset_mismatch")
    assert code(11, b"x") == (409, "upload_offset_mismatch")
    assert code(10, b"x" * 991) == (413, "body_too_large")
    chunked = iter([b"x" * 991])
    assert code(10, chunked) == (413, "body_too_large")
    media_type = {"Content-Type": "application/octet-stream"}
    assert code(10, b"x", **media_type) == (415, "unsupported_media_type")
    assert code(10, b"x", **{"Tus-Resumable": "2.0.0"}) == (412, "tus_version")
    assert code(-1, b"x") == (422, "invalid_request")
    assert uploader.head(location).headers["Upload-Offset"] == "10"


def test_an_upload_is_its_owners_alone(client, uploader, board):
    location = uploader.begun(1000)
    eve = Uploader(client, board.token("eve"))
    assert eve.head(location).status_code == 404
    assert eve.patch(location, 0, b"x").status_code == 404
    assert client.delete(location, headers=eve.headers).status_code == 404
    assert not partial(board, location).exists()
    assert client.head(location, headers={"Tus-Resumable": "1.0.0"}).status_code == 401
