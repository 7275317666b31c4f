"""The application as a whole: start-up, health, problems, the OpenAPI document."""

import os
import subprocess
import sys
import time
from datetime import timedelta

import httpx
import pytest

from api.problems import PROBLEMS
from board.lifecycle import claim_submission
from tests.boards import bearer, form
from tests.servers import Server


def test_the_application_loads_no_numeric_library(environment):
    """Start-up time and the size of the image depend on it."""
    code = (
        "import sys; from api.app import create_app; create_app(); "
        "print(sorted({'torch', 'numba', 'pyfftw', 'isal', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_it_does_not_start_on_settings_that_are_wrong(environment):
    code = "from api.app import create_app; create_app()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment, "DATABASE_URL": "mysql://secret@host"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "SettingsError: The environment is not usable: DATABASE_URL" in done.stderr
    assert "secret" not in done.stderr


def test_it_is_healthy_and_ready(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {
        "status": "ok",
        "database": True,
        "storage": True,
        "broker": True,
    }


def test_without_database_it_lives_but_is_not_ready(environment, tmp_path):
    nowhere = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "BROKER_URL": "redis://127.0.0.1:1/0",
    }
    with Server(environment | nowhere, tmp_path / "log") as server:
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        ready = httpx.get(f"{server.url}/readyz")
        board = httpx.get(f"{server.url}/api/v1/leaderboard?track=3d-32")
        page = httpx.get(f"{server.url}/", headers={"Accept": "text/html"})
    assert ready.status_code == 503
    assert ready.json() == {
        "status": "unavailable",
        "database": False,
        "storage": True,
        "broker": False,
    }
    assert (board.status_code, board.json()["code"]) == (503, "unavailable")
    assert board.headers["Retry-After"] == "5"
    assert page.status_code == 503
    assert "The database does not answer" in page.text
    assert server.process.returncode == 0


def test_a_submission_is_taken_without_a_broker_and_announced_later(
    environment, board, archive, tmp_path
):
    with Server(environment | {"BROKER_URL": "redis://127.0.0.1:1/0"}, tmp_path / "log") as server:
        answer = httpx.post(
            f"{server.url}/api/v1/submissions", headers=bearer(board.token()), **form(archive)
        )
    assert answer.status_code == 201
    assert answer.json()["state"] == "queued"


def test_the_sweeper_brings_back_what_lost_its_worker(client, board):
    submission_id = board.queued()
    with board.session() as session:
        claim_submission(session, submission_id, timedelta(seconds=0.1))
    headers = bearer(board.token())
    deadline = time.monotonic() + 5
    while True:
        state = client.get(f"/api/v1/submissions/{submission_id}", headers=headers).json()["state"]
        if state == "queued":
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("headers", "code", "challenge"),
    [
        ({}, "unauthenticated", "Bearer"),
        ({"Authorization": "Basic YTpi"}, "unauthenticated", "Bearer"),
        ({"Authorization": "Bearer nonsense"}, "invalid_token", 'Bearer error="invalid_token"'),
    ],
)
def test_who_you_are_is_asked_for(client, headers, code, challenge):
    answer = client.get("/api/v1/whoami", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"] == challenge


def test_a_token_tells_who_you_are(client, board):
    answer = client.get("/api/v1/whoami", headers=bearer(board.token("hostess", is_host=True)))
    assert answer.json() == {"name": "hostess", "is_host": True, "is_baseline": False}


def test_tracks_say_what_they_take(client, board):
    tracks = {track["name"]: track for track in client.get("/api/v1/tracks").json()}
    assert list(tracks)[:3] == ["3d-256", "3d-64", "3d-32"]
    assert tracks["3d-256"]["reference"] is None
    open_track = client.get("/api/v1/tracks/3d-32").json()
    assert open_track == tracks["3d-32"]
    assert (open_track["count"], open_track["shape"]) == (30, [32, 32, 32])
    assert open_track["max_archive_bytes"] > 30 * 32**3 * 8
    assert open_track["daily_limit"] == 5
    assert open_track["reference"]["content_hash"] == "a" * 64
    assert set(open_track["reference"]) == {"content_hash", "label", "created_at", "scorer_version"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("PUT", "/api/v1/leaderboard", 405, "method_not_allowed"),
        ("GET", "/api/v1/tracks/4d-1", 404, "not_found"),
        ("GET", "/api/v1/submissions/not-an-id", 422, "invalid_request"),
        ("GET", "/api/v1/submissions/00000000-0000-0000-0000-000000000000", 404, "not_found"),
    ],
)
def test_every_refusal_is_a_problem_document(client, method, path, status, code):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"/problems/{code}"
    assert problem["title"] == PROBLEMS[code][1]
    assert problem["detail"].endswith(".")


def test_every_answer_forbids_what_is_not_ours(client):
    for path in ("/", "/api/v1/tracks", "/static/style.css", "/api/v1/nothing"):
        headers = client.get(path).headers
        assert "script-src 'self';" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_openapi_document_is_complete(client):
    document = client.get("/api/v1/openapi.json").json()
    assert {path for path in document["paths"] if path.startswith("/api/v1")} >= {
        "/api/v1/leaderboard",
        "/api/v1/submissions",
        "/api/v1/submissions/{submission_id}",
        "/api/v1/tracks",
        "/api/v1/tracks/{track}",
        "/api/v1/whoami",
    }
    assert "HTTPValidationError" not in document["components"]["schemas"]
    submit = document["paths"]["/api/v1/submissions"]["post"]
    assert set(submit["responses"]) >= {
        "201",
        "401",
        "408",
        "409",
        "413",
        "415",
        "422",
        "429",
        "500",
        "503",
        "507",
    }
    form = submit["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["track", "method", "archive"]
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            for status, response in operation["responses"].items():
                assert response["description"]
                if status.startswith(("4", "5")) and "Health" not in str(response):
                    assert list(response["content"]) == ["application/problem+json"]
