"""The command as a whole: what it offers, and how soon."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.main import COMMANDS, SECTIONS, main

COSMOBOARD = Path(sys.executable).with_name("cosmoboard")

HEAVY = {"celery", "fastapi", "httpx", "numba", "numpy", "pyfftw", "rich", "sqlalchemy", "torch"}
"""What only some commands need, and takes long to import."""


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_explains_itself(name: str) -> None:
    done = CliRunner().invoke(main, [name, "--help"])
    assert done.exit_code == 0, done.output
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.get_short_help_str()


def test_help_lists_every_command_by_what_it_is_for() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output
    for title, names in SECTIONS.items():
        section = shown.partition(f"{title}:\n")[2].partition("\n\n")[0]
        assert [line.split()[0] for line in section.splitlines()] == list(names)
    assert "Exit codes: 0 done; 1 refused" in shown


WITHOUT_JSON = {
    "up": "runs until it is stopped",
    "deploy prepare": "prints a token and nothing else",
    "deploy secrets": "prints nothing",
    "baseline figures": "writes pictures",
    "baseline release": "writes files",
    "baseline sample": "writes an archive",
    "baseline train": "writes a run's folder, with a JSON log",
}


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Yield each command that is no group, by its words, with its options."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), (*path, name))
    else:
        yield " ".join(path), {option for known in command.params for option in known.opts}


def test_every_command_that_tells_something_tells_it_as_json_too() -> None:
    without = {path for path, options in leaves(main) if "--json" not in options}
    assert without == WITHOUT_JSON.keys()


@pytest.mark.parametrize(
    ("words", "completed"),
    [("cosmoboard sub", "submit"), ("cosmoboard submit --tr", "--track")],
)
def test_the_shell_completes_commands_and_options(words: str, completed: str) -> None:
    environment = {
        **os.environ,
        "_COSMOBOARD_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run([COSMOBOARD], env=environment, capture_output=True, text=True, check=True)
    assert f"plain,{completed}" in done.stdout.splitlines()


def test_an_unknown_command_is_refused() -> None:
    done = CliRunner().invoke(main, ["serve"])
    assert done.exit_code == 2
    assert "No such command 'serve'" in done.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from cli.main import main;"
        "CliRunner().invoke(main, ['--help']); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_help_is_instant() -> None:
    """Below 300 ms where Python alone starts in 37: processor time, the best of five each."""
    python = min(processor_seconds(sys.executable, "-c", "pass") for _ in range(5))
    assert min(processor_seconds(COSMOBOARD, "--help") for _ in range(5)) < 8 * python


def processor_seconds(*command: str | Path) -> float:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime
