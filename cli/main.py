"""The `cosmoboard` command; a subcommand is imported when it is asked for, so each is instant."""

from importlib import import_module

import click

COMMANDS = {
    "auth": "cli.auth:auth",
    "baseline": "cli.baseline:baseline",
    "backup": "cli.backup:backup",
    "check-copies": "cli.check_copies:check_copies",
    "data": "cli.data:data",
    "deploy": "cli.deploy:deploy",
    "compare": "cli.compare:compare",
    "leaderboard": "cli.leaderboard:leaderboard",
    "pack": "cli.pack:pack",
    "participant": "cli.participant:participant",
    "reference": "cli.reference:reference",
    "restore": "cli.restore:restore",
    "rescore": "cli.rescore:rescore",
    "score": "cli.score:score",
    "status": "cli.status:status",
    "submissions": "cli.submissions:submissions",
    "submit": "cli.submit:submit",
    "up": "cli.up:up",
    "validate": "cli.validate:validate",
    "withdraw": "cli.withdraw:withdraw",
}
"""Every subcommand: its name, and the module and object that hold it."""


class LazyGroup(click.Group):
    """A group whose commands are listed in `COMMANDS` and imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, as help shows them."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cosmoboard")
def main() -> None:
    """Evaluate generative models of the cosmic web and rank them on a leaderboard."""
