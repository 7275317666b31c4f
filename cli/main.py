"""The `cosmoboard` command; a subcommand is imported when it is asked for, so each is instant."""

from importlib import import_module

import click

SECTIONS = {
    "Take part": {
        "auth": "cli.auth:auth",
        "validate": "cli.validate:validate",
        "score": "cli.score:score",
        "check-copies": "cli.check_copies:check_copies",
        "submit": "cli.submit:submit",
        "status": "cli.status:status",
        "submissions": "cli.submissions:submissions",
        "withdraw": "cli.withdraw:withdraw",
        "leaderboard": "cli.leaderboard:leaderboard",
        "compare": "cli.compare:compare",
    },
    "Make fields": {
        "baseline": "cli.baseline:baseline",
        "data": "cli.data:data",
        "pack": "cli.pack:pack",
    },
    "Host a challenge": {
        "up": "cli.up:up",
        "participant": "cli.participant:participant",
        "reference": "cli.reference:reference",
        "rescore": "cli.rescore:rescore",
        "backup": "cli.backup:backup",
        "restore": "cli.restore:restore",
        "deploy": "cli.deploy:deploy",
    },
}
"""Every subcommand, as help shows it: its name, and the module and object that hold it."""

COMMANDS = {name: place for section in SECTIONS.values() for name, place in section.items()}

_EPILOG = """\b
First steps:
  cosmoboard auth login --url https://board.example.org
  cosmoboard validate cubes.npz --track 3d-64
  cosmoboard submit cubes.npz --track 3d-64 --method "My model" --wait

\b
Results go to stdout, progress and remarks to stderr; --json makes the results JSON.
Exit codes: 0 done; 1 refused, or the submission failed; 2 wrong usage;
3 not signed in; 4 the board cannot be reached; 130 interrupted.

\b
Completion of commands and options, for bash (or zsh, fish):
  eval "$(_COSMOBOARD_COMPLETE=bash_source cosmoboard)"
"""


class LazyGroup(click.Group):
    """A group whose commands are listed in `COMMANDS` and imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, as help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by what they are for."""
        width = formatter.width - 6 - max(len(name) for name in COMMANDS)
        for title, names in SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl(
                    [(name, found.get_short_help_str(width)) for name, found in commands if found]
                )


@click.group(
    cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="cosmoboard")
def main() -> None:
    """Evaluate generative models of the cosmic web and rank them on a leaderboard."""
