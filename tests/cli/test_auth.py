"""`cosmoboard auth`: keep a token where only its owner can read it."""

import json
import stat

import pytest


@pytest.fixture
def tokens(tmp_path, monkeypatch, run):
    """The file of tokens, with none in the environment."""
    monkeypatch.delenv("COSMOBOARD_TOKEN")
    return tmp_path / "config" / "cosmoboard" / "tokens.json"


def test_login_keeps_a_token_that_the_board_knows(run, board, server, tokens):
    token = board.token("bob")
    done = run("auth", "login", "--with-token", input=token + "\n")
    assert done.exit_code == 0, done.stderr
    assert f"Signed in to {server.url} as bob" in done.stdout
    assert json.loads(tokens.read_text()) == {server.url: token}
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    assert stat.S_IMODE(tokens.parent.stat().st_mode) == 0o700
    whoami = run("auth", "whoami", "--json")
    assert json.loads(whoami.stdout) == {"name": "bob", "is_host": False, "is_baseline": False}


def test_login_asks_for_the_token_without_showing_it(run, board, tokens):
    token = board.token()
    done = run("auth", "login", input=token + "\n")
    assert done.exit_code == 0
    assert token not in done.output


def test_both_tell_json(run, board, server, tokens):
    done = run("auth", "login", "--with-token", "--json", input=board.token("bob"))
    told = json.loads(done.stdout)
    assert (told["name"], told["url"], told["kept_in"]) == ("bob", server.url, str(tokens))
    assert json.loads(run("auth", "logout", "--json").stdout) == {
        "url": server.url,
        "kept_in": None,
    }


def test_a_token_is_kept_for_its_board_alone(run, board, server, tokens):
    run("auth", "login", "--with-token", input=board.token())
    other = server.url.replace("127.0.0.1", "localhost")
    assert run("auth", "whoami", "--url", other).exit_code == 3
    assert run("auth", "whoami", "--url", server.url + "/").exit_code == 0


@pytest.mark.parametrize("token", ["cosmoboard_wrong", "", "schlüssel"])
def test_login_keeps_nothing_that_the_board_does_not_know(run, tokens, token):
    done = run("auth", "login", "--with-token", input=token + "\n")
    assert done.exit_code == 3
    assert done.stderr.startswith("Error: ")
    assert not tokens.exists()


def test_a_file_that_others_can_read_is_not_used(run, board, tokens):
    run("auth", "login", "--with-token", input=board.token())
    tokens.chmod(0o644)
    done = run("auth", "whoami")
    assert done.exit_code == 3
    assert "chmod 600" in done.stderr


def test_a_damaged_file_is_said(run, board, tokens):
    run("auth", "login", "--with-token", input=board.token())
    tokens.write_text("{")
    done = run("auth", "whoami")
    assert done.exit_code == 3
    assert "cannot be read" in done.stderr


def test_logout_forgets_the_token(run, board, tokens):
    run("auth", "login", "--with-token", input=board.token())
    assert run("auth", "logout").exit_code == 0
    assert run("auth", "whoami").exit_code == 3
    assert json.loads(tokens.read_text()) == {}


def test_the_environment_comes_first(run, board, tokens, monkeypatch):
    run("auth", "login", "--with-token", input=board.token("bob"))
    monkeypatch.setenv("COSMOBOARD_TOKEN", board.token("eve"))
    assert run("auth", "whoami").stdout.startswith("eve at http://")


def test_whoami_tells_the_host(run, board, monkeypatch):
    monkeypatch.setenv("COSMOBOARD_TOKEN", board.token("hostess", is_host=True))
    assert run("auth", "whoami").stdout.startswith("hostess (host) at ")
