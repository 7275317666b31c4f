"""Submitting, following, listing and withdrawing over HTTP."""

import asyncio
import base64
import hashlib

import httpx
import pytest
import redis

from tests.boards import TRACK, bearer, form
from tests.servers import Server

URL = "/api/v1/submissions"


def test_a_valid_archive_is_queued_and_kept_under_its_id(client, board, archive):
    answer = client.post(URL, headers=bearer(board.token()), **form(archive))

    assert answer.status_code == 201, answer.text
    submission = answer.json()
    assert answer.headers["Location"] == f"{URL}/{submission['id']}"
    assert (board.folder / "archives" / f"{submission['id']}.npz").read_bytes() == archive
    assert submission["created_at"].endswith("Z")
    del submission["id"], submission["created_at"]
    assert submission == {
        "track": "3d-32",
        "method": "mine",
        "participant": "ada",
        "state": "queued",
        "reason": None,
        "message": None,
        "progress": {"done": 0, "total": TRACK.count},
        "queue_position": 1,
        "estimate_seconds": None,
        "scored_at": None,
        "attempt": 0,
        "sha256": hashlib.sha256(archive).hexdigest(),
        "reference": None,
        "scorer_version": None,
        "scores": None,
        "overall": None,
        "overall_ci95": None,
        "copy_search": None,
    }


def test_a_queued_submission_is_announced_to_the_workers(client, board, archive, environment):
    with redis.Redis.from_url(environment["BROKER_URL"]) as broker:
        broker.delete("cosmoboard")
        answer = client.post(URL, headers=bearer(board.token()), **form(archive))
        assert answer.json()["id"].encode() in broker.lindex("cosmoboard", 0)


def test_a_running_submission_says_how_far_it_is(client, board):
    submission_id = board.queued()
    board.running(7, submission_id)

    submission = client.get(f"{URL}/{submission_id}", headers=bearer(board.token())).json()

    assert (submission["state"], submission["attempt"]) == ("running", 1)
    assert submission["progress"] == {"done": 7, "total": TRACK.count}
    assert submission["queue_position"] is None


def test_a_scored_submission_is_public_and_says_all_of_its_result(client, board):
    submission = client.get(f"{URL}/{board.scored(0.25)}").json()

    assert submission["state"] == "scored"
    assert submission["overall"] == 0.25
    assert submission["overall_ci95"] == [0.12, 0.5]
    assert submission["reference"] == "a" * 64
    assert submission["scorer_version"] == "1"
    assert submission["scored_at"]
    assert (
        submission["scores"]["psd"]
        == submission["scores"]["peak"]
        == {
            "d2": 0.5,
            "score": 2.0,
            "d2_jackknife": 0.4,
            "ci95": [0.25, 1.0],
            "scatter_ratio": 0.8,
        }
    )


def test_a_failed_submission_says_why(client, board):
    submission_id = board.queued()
    board.failed(submission_id, "negative", "Field 3 is negative.")

    submission = client.get(f"{URL}/{submission_id}", headers=bearer(board.token())).json()

    assert submission["state"] == "failed"
    assert (submission["reason"], submission["message"]) == ("negative", "Field 3 is negative.")
    assert submission["scores"] is None


def test_what_is_not_scored_is_seen_by_its_owner_and_the_host_alone(client, board):
    submission_id = board.queued("ada")
    headers = {
        "owner": bearer(board.token("ada")),
        "host": bearer(board.token("hostess", is_host=True)),
        "other": bearer(board.token("eve")),
        "nobody": {},
    }
    statuses = {
        who: client.get(f"{URL}/{submission_id}", headers=header).status_code
        for who, header in headers.items()
    }
    assert statuses == {"owner": 200, "host": 200, "other": 404, "nobody": 404}


def test_lists_page_by_token_latest_first(client, board):
    ids = [str(board.queued()) for _ in range(5)]
    board.queued("eve")
    headers = bearer(board.token())

    pages, token = [], None
    while True:
        params = {"page_size": 2} | ({"page_token": token} if token else {})
        page = client.get(URL, headers=headers, params=params).json()
        pages.append([item["id"] for item in page["items"]])
        token = page["next_page_token"]
        if token is None:
            break
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


@pytest.mark.parametrize("token", ["nonsense", "0" * 32])
def test_a_page_token_of_no_list_is_refused(client, board, token):
    answer = client.get(URL, headers=bearer(board.token()), params={"page_token": token})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_submission")


def test_a_withdrawn_submission_is_cancelled_once(client, board):
    submission_id = board.queued()
    headers = bearer(board.token())

    withdrawn = client.delete(f"{URL}/{submission_id}", headers=headers)
    again = client.delete(f"{URL}/{submission_id}", headers=headers)

    assert withdrawn.status_code == 200
    assert (withdrawn.json()["state"], withdrawn.json()["reason"]) == ("cancelled", "withdrawn")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


def test_nobody_withdraws_what_is_not_theirs(client, board):
    submission_id = board.scored(0.5, "ada")
    assert client.delete(f"{URL}/{submission_id}").status_code == 401
    answer = client.delete(f"{URL}/{submission_id}", headers=bearer(board.token("eve")))
    assert answer.status_code == 404
    assert client.get(f"{URL}/{submission_id}").json()["state"] == "scored"


def test_the_same_bytes_twice_are_a_conflict_that_links_to_the_first(client, board, archive):
    headers = bearer(board.token())
    first = client.post(URL, headers=headers, **form(archive)).json()["id"]

    answer = client.post(URL, headers=headers, **form(archive, method="another"))

    assert (answer.status_code, answer.json()["code"]) == (409, "duplicate_archive")
    assert answer.json()["submission"] == first
    assert answer.json()["submission_url"] == f"{URL}/{first}"
    assert answer.headers["Link"] == f'<{URL}/{first}>; rel="related"'
    assert len(board.files()) == 1


def test_an_idempotency_key_submits_once(client, board, archive, make_archive):
    headers = bearer(board.token()) | {"Idempotency-Key": "k1"}
    first = client.post(URL, headers=headers, **form(archive))
    again = client.post(URL, headers=headers, **form(archive))
    other = client.post(URL, headers=headers, **form(make_archive()))

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    assert len(board.files()) == 1


def test_a_repeated_request_is_answered_after_the_limit_is_used_up(
    client, board, archive, make_archive
):
    headers = bearer(board.token()) | {"Idempotency-Key": "k1"}
    first = client.post(URL, headers=headers, **form(archive)).json()["id"]
    for _ in range(4):
        board.queued()

    again = client.post(URL, headers=headers, **form(archive))
    fresh = client.post(URL, headers=headers | {"Idempotency-Key": "k2"}, **form(make_archive()))

    assert again.json()["id"] == first
    assert (fresh.status_code, fresh.json()["code"]) == (429, "quota_exceeded")
    assert 0 < int(fresh.headers["Retry-After"]) <= 86_400


def test_of_a_hundred_at_once_as_many_are_accepted_as_the_limit_allows(server, board, make_archive):
    headers = bearer(board.token())
    archives = [make_archive() for _ in range(100)]

    async def submit_all() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=60) as client:
            return await asyncio.gather(
                *(client.post(URL, headers=headers, **form(archive)) for archive in archives)
            )

    answers = asyncio.run(submit_all())

    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] * 5 + [429] * 95
    assert len(board.files()) == 5


def test_a_closed_track_takes_nothing(client, board, archive):
    answer = client.post(URL, headers=bearer(board.token()), **form(archive, track="3d-256"))
    assert (answer.status_code, answer.json()["code"]) == (409, "no_reference")
    assert board.files() == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"track": "4d-8"}, "There is no track '4d-8'"),
        ({"method": " "}, "The field 'method' is missing."),
        ({"method": "x" * 101}, "at most 100 characters"),
        ({"method": "two\nlines"}, "one line of printable"),
        ({"url": "javascript:alert(1)"}, "must start with https://"),
        ({"colour": "red"}, "no field 'colour'"),
        ({"idempotency_key": "k"}, "no field 'idempotency_key'"),
        ({"description": "a\x00b"}, "NUL"),
        ({"description": "x" * 40_000}, "too long"),
    ],
)
def test_a_bad_field_is_named(client, board, archive, fields, sentence):
    answer = client.post(URL, headers=bearer(board.token()), **form(archive, **fields))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_submission")
    assert sentence in answer.json()["detail"]
    assert board.files() == []


def test_the_fields_may_follow_the_archive(client, board, archive):
    files = {
        "archive": ("cubes.npz", archive),
        "description": (None, "Über die Dichte δ\nin zwei Zeilen"),
        "method": (None, "π-GAN"),
        "track": (None, "3d-32"),
    }
    answer = client.post(URL, headers=bearer(board.token()), files=files)
    assert answer.status_code == 201, answer.text
    assert answer.json()["method"] == "π-GAN"


def test_an_archive_that_cannot_be_scored_is_refused_by_its_fault(client, board):
    answer = client.post(URL, headers=bearer(board.token()), **form(b"no zip at all"))
    assert (answer.status_code, answer.json()["code"]) == (422, "not_a_zip")
    assert answer.json()["type"] == "/problems/not_a_zip"
    assert board.files() == []


def test_an_archive_of_another_track_is_refused(client, board, archive):
    board.open_track("3d-64")
    answer = client.post(URL, headers=bearer(board.token()), **form(archive, track="3d-64"))
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong_shape")


def test_an_archive_beyond_the_participant_s_space_is_refused_before_it_is_stored(
    environment, board, make_archive, tmp_path
):
    """An archive of 32³ takes 1 MB: the third does not fit into 2.5 MB, on either way."""
    narrow = environment | {"COSMOBOARD_PARTICIPANT_GIGABYTES": "0.0025"}
    headers = bearer(board.token())
    with (
        Server(narrow, tmp_path / "log") as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        codes = [
            client.post(URL, headers=headers, **form(make_archive())).status_code for _ in range(2)
        ]
        third = client.post(URL, headers=headers, **form(make_archive()))
        fields = {"track": "3d-32", "method": "mine"}
        begin = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": "1000000",
            "Upload-Metadata": ",".join(
                f"{name} {base64.b64encode(value.encode()).decode()}"
                for name, value in fields.items()
            ),
        }
        upload = client.post("/api/v1/uploads", headers=headers | begin)
        other = client.post(URL, headers=bearer(board.token("eve")), **form(make_archive()))
    assert codes == [201, 201]
    assert (third.status_code, third.json()["code"]) == (413, "storage_limit")
    assert "of the 0.0025 GB" in third.json()["detail"]
    assert (upload.status_code, upload.json()["code"]) == (413, "storage_limit")
    assert other.status_code == 201
    assert len(board.files()) == 3
