"""The host's commands on a board: who may submit, and what against."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from board import database, settings
from board.database import transaction
from board.participants import authenticate
from board.references import current_reference
from cli.main import main


@pytest.fixture
def run(empty_board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command on an empty board that the environment names."""
    monkeypatch.setenv("DATABASE_URL", empty_board)
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("COSMOBOARD_DATA", str(tmp_path))
    settings.get_settings.cache_clear()
    database.get_engine.cache_clear()

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    yield run
    database.get_engine().dispose()
    settings.get_settings.cache_clear()
    database.get_engine.cache_clear()


@pytest.fixture
def empty_board(postgres_url: str):
    from tests.databases import fresh_database

    with fresh_database(postgres_url) as url:
        database.migrate(url)
        yield url


def test_a_token_is_printed_once_and_speaks_for_its_participant(run) -> None:
    made = json.loads(run("participant", "create", "Ada L.", "--json").stdout)
    again = json.loads(run("participant", "create", "Ada L.", "--json").stdout)

    assert made["token"] != again["token"]
    with transaction() as session:
        for token in (made["token"], again["token"]):
            participant = authenticate(session, token)
            assert (participant.name, participant.is_host) == ("Ada L.", False)


def test_a_host_token_is_asked_for_and_no_participant_becomes_a_host(run) -> None:
    token = run("participant", "create", "organisers", "--host").stdout.strip()
    with transaction() as session:
        assert authenticate(session, token).is_host

    run("participant", "create", "ada")
    refused = run("participant", "create", "ada", "--host")
    assert refused.exit_code == 1
    assert "choose another" in refused.output


def test_a_reference_is_built_once_and_is_current(run) -> None:
    for _ in range(2):
        done = run("reference", "build", "--track", "3d-32", "--demo")
        assert done.exit_code == 0, done.output

    [known] = json.loads(run("reference", "list", "--json").stdout)
    assert (known["track"], known["current"]) == ("3d-32", True)
    assert known["floor"]["psd"]["mean"] == pytest.approx(0.13, abs=0.02)
    with transaction() as session:
        assert current_reference(session, "3d-32").content_hash == known["content_hash"]


def test_a_track_without_demo_fields_is_refused_in_a_sentence(run) -> None:
    done = run("reference", "build", "--track", "2d-32", "--demo")

    assert done.exit_code == 1
    assert "3d-64 and 3d-32" in done.output


def test_without_a_board_it_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("BROKER_URL", raising=False)
    done = CliRunner().invoke(
        main, ["participant", "create", "ada", "--data", str(tmp_path / "none")]
    )

    assert done.exit_code == 1
    assert "cosmoboard up --data" in done.output


def test_a_database_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    settings.get_settings.cache_clear()
    database.get_engine.cache_clear()
    done = CliRunner().invoke(main, ["reference", "list"])
    settings.get_settings.cache_clear()
    database.get_engine.cache_clear()

    assert done.exit_code == 1
    assert "does not answer" in done.output
