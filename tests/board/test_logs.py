"""Logs as JSON lines."""

import json
import logging

import pytest

from board.logs import JsonLines, log_about


@pytest.fixture
def line(caplog: pytest.LogCaptureFixture):  # type: ignore[no-untyped-def]
    """Logs by a call and returns what the last line says."""

    def last(message: str, *args: object, **options: object) -> dict[str, object]:
        with caplog.at_level(logging.INFO):
            logging.getLogger("test").info(message, *args, **options)  # type: ignore[arg-type]
        text = JsonLines().format(caplog.records[-1])
        assert "\n" not in text
        return dict(json.loads(text))

    yield last
    log_about(request=None, submission=None)


def test_a_line_says_when_what_and_what_it_is_about(line) -> None:  # type: ignore[no-untyped-def]
    log_about(request="r1")
    log_about(submission="s1")
    said = line("scored: %.1f", 0.5, extra={"fields": {"seconds": 3}})
    assert said.pop("time").endswith("+00:00")
    assert said == {
        "level": "info",
        "logger": "test",
        "message": "scored: 0.5",
        "request": "r1",
        "submission": "s1",
        "seconds": 3,
    }
    log_about(submission=None)
    assert "submission" not in line("next")


def test_nobody_forges_a_line(line) -> None:  # type: ignore[no-untyped-def]
    assert line("method %s", 'x\n{"level": "error"}\u2028')["message"].startswith("method x\n{")


def test_an_error_brings_its_traceback(line) -> None:  # type: ignore[no-untyped-def]
    try:
        raise ValueError("why")
    except ValueError:
        said = line("it failed", exc_info=True)
    assert "Traceback" in str(said["exception"])
    assert "ValueError: why" in str(said["exception"])
