"""Submission forms from clients that are wrong, hostile, slow or gone."""

import hashlib
import json
import resource
import signal
import socket
import time

import httpx
import numpy as np
import pytest

from api.intake import LARGEST_ARCHIVE, archive_limit
from cubes.archive import write_archive
from tests.boards import TRACK, bearer, form
from tests.servers import Server

URL = "/api/v1/submissions"
MULTIPART = "multipart/form-data; boundary=B"


def part(name: str, content: bytes, more: str = "") -> bytes:
    header = f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return header.encode() + content + b"\r\n"


def archive_part(content: bytes) -> bytes:
    return part("archive", content, '; filename="cubes.npz"')


TRACK_PART, METHOD_PART = part("track", b"3d-32"), part("method", b"mine")
END = b"--B--\r\n"


@pytest.fixture
def post(client, board):
    """Posts a hand-made body and returns status and code."""
    headers = bearer(board.token())

    def post(body: bytes, content_type: str = MULTIPART) -> tuple[int, str, str]:
        answer = client.post(URL, content=body, headers=headers | {"Content-Type": content_type})
        assert answer.headers["content-type"] == "application/problem+json"
        assert board.files() == []
        return answer.status_code, answer.json()["code"], answer.json()["detail"]

    return post


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "multipart/form-data", "multipart/form-data; boundary=", "", "\u00ff/;;="],
)
def test_anything_but_a_form_is_not_taken(post, content_type):
    status, code, detail = post(b"{}", content_type.encode("latin-1"))
    assert (status, code) == (415, "unsupported_media_type")
    assert "curl -F" in detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a form",
        b"--C\r\n",
        TRACK_PART + METHOD_PART + archive_part(b"x"),
        TRACK_PART + b"--B",
        b"--B\r\nNo-Disposition: here\r\n\r\nx\r\n--B--\r\n",
        b"--B\r\nContent-Disposition: attachment\r\n\r\nx\r\n--B--\r\n",
        b"--B\r\n" + b"X-Header: 1\r\n" * 1000 + b"\r\nx\r\n--B--\r\n",
        b"--B\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\nx\r\n--B--\r\n",
        b"--B\r\nbad header\r\n\r\nx\r\n--B--\r\n",
        b"--B\r\n: empty\r\n\r\nx\r\n--B--\r\n",
    ],
)
def test_a_form_that_is_broken_is_refused(post, body):
    status, code, _ = post(body)
    assert (status, code) == (422, "malformed_form")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (END, "'archive' is missing"),
        (TRACK_PART + METHOD_PART + END, "'archive' is missing"),
        (TRACK_PART + TRACK_PART + END, "'track' twice"),
        (archive_part(b"x") + archive_part(b"y") + END, "'archive' twice"),
        (part("archive", b"cubes.npz") + END, "with the @"),
        (part("method", b"\xff\xfe") + END, "not text in UTF-8"),
        (part("a" * 3000, b"x") + END, "has no field 'aaa"),
    ],
)
def test_a_form_with_wrong_fields_is_refused(post, body, sentence):
    status, code, detail = post(body)
    assert (status, code) == (422, "invalid_submission")
    assert sentence in detail


def test_what_looks_like_a_boundary_inside_the_archive_is_data(client, board, tmp_path):
    lookalikes = b"\r\n--" + b"\r\n--Bx\r\n-" * 99 + b"\r\n--B-x\r\n--B\rx"
    field = np.resize(np.frombuffer(lookalikes, np.uint8), TRACK.shape)
    write_archive(tmp_path / "a.npz", [field] * TRACK.count, compression="stored")
    archive = (tmp_path / "a.npz").read_bytes()

    body = TRACK_PART + METHOD_PART + archive_part(archive) + END
    headers = bearer(board.token()) | {"Content-Type": MULTIPART}
    answer = client.post(URL, content=body, headers=headers)

    assert answer.status_code == 201, answer.text
    assert answer.json()["sha256"] == hashlib.sha256(archive).hexdigest()


def test_an_archive_larger_than_its_track_needs_is_cut_off(client, board):
    """The first megabyte over the limit ends it, however much is still to come."""
    limit = archive_limit(TRACK)
    sent = 0

    def body():
        nonlocal sent
        yield TRACK_PART + METHOD_PART + archive_part(b"")[:-2]
        while sent < 4 * limit:
            sent += 2**20
            yield bytes(2**20)

    headers = bearer(board.token()) | {"Content-Type": MULTIPART}
    answer = client.post(URL, content=body(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert str(limit) in answer.json()["detail"]
    assert board.files() == []


def test_a_track_named_last_limits_the_archive_before_it(client, board):
    content = bytes(archive_limit(TRACK) + 1)
    body = archive_part(content) + METHOD_PART + TRACK_PART + END
    headers = bearer(board.token()) | {"Content-Type": MULTIPART}
    answer = client.post(URL, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.fixture
def connect(server, board):
    """Opens raw connections that have sent the head of a submission."""
    connections = []

    def connect(token, *headers):
        connections.append(Connection(server, token, *headers))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.socket.close()


class Connection:
    """A raw connection that has sent the head of a submission."""

    def __init__(self, server, token, *headers):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        head = [
            f"POST {URL} HTTP/1.1",
            "Host: localhost",
            f"Content-Type: {MULTIPART}",
            *([f"Authorization: Bearer {token}"] if token else []),
            *headers,
        ]
        self.send("\r\n".join([*head, "", ""]).encode())

    def send(self, content):
        self.socket.sendall(content)

    def answer(self):
        """Return the status and the problem's code."""
        received = b""
        while b"\r\n\r\n" not in received or not received.endswith(b"}"):
            piece = self.socket.recv(65536)
            if not piece:
                break
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)["code"]


def test_who_has_no_token_is_refused_before_the_body_is_asked_for(connect):
    """A client that waits for '100 Continue' never sends its gigabytes."""
    waiting = ("Content-Length: 1000000000", "Expect: 100-continue")
    assert connect(None, *waiting).answer() == (401, "unauthenticated")
    assert connect("wrong", *waiting).answer() == (401, "invalid_token")


def test_a_length_that_no_archive_has_is_refused_before_the_body(connect, board):
    length = f"Content-Length: {2 * LARGEST_ARCHIVE}"
    connection = connect(board.token(), length, "Expect: 100-continue")
    assert connection.answer() == (413, "body_too_large")


def test_a_used_up_limit_is_told_before_the_archive_is_sent(connect, board):
    for _ in range(5):
        board.queued()
    connection = connect(board.token(), "Content-Length: 1500000")
    connection.send(TRACK_PART + archive_part(bytes(1_200_000))[:-2])
    assert connection.answer() == (429, "quota_exceeded")


def test_a_client_that_stalls_is_told_and_leaves_nothing(connect, board):
    connection = connect(board.token(), "Content-Length: 1000000")
    connection.send(TRACK_PART + METHOD_PART)
    assert connection.answer() == (408, "upload_stalled")
    assert board.files() == []


def test_a_client_that_is_gone_leaves_nothing(connect, board, client):
    connection = connect(board.token(), "Content-Length: 5000000")
    connection.send(TRACK_PART + METHOD_PART + archive_part(bytes(2_500_000)))
    deadline = time.monotonic() + 5
    while not board.files():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    connection.socket.close()
    while board.files():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    listed = client.get(URL, headers=bearer(board.token())).json()
    assert listed["items"] == []


def test_a_full_disk_is_said_and_leaves_nothing(environment, board, archive, tmp_path):
    """A limit on the size of files stands for the disk's: the kernel refuses the write alike."""

    def limit_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    with Server(environment, tmp_path / "log", before=limit_files) as server:
        answer = httpx.post(server.url + URL, headers=bearer(board.token()), **form(archive))

    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert answer.headers["Retry-After"] == "600"
    assert board.files() == []


def test_many_clients_that_stall_do_not_keep_others_waiting(connect, board, client, archive):
    token = board.token()
    stalled = [connect(token, "Content-Length: 1000000") for _ in range(60)]
    for connection in stalled:
        connection.send(TRACK_PART)
    begun = time.monotonic()
    answer = client.post(URL, headers=bearer(token), **form(archive))
    assert answer.status_code == 201
    assert time.monotonic() - begun < 1.5
