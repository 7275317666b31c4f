"""How a child process is bound to its supervisor, and how it runs when that is root."""

import os
import shutil
import signal
import sys

from cli.launch.errors import LaunchError

UNPRIVILEGED_ID = 65534
"""User and group id of `nobody`: what a program that refuses to run as root runs as."""


def as_root() -> bool:
    """Tell whether this process is root, which Postgres refuses to run as."""
    return os.geteuid() == 0


def command_prefix(
    *, unprivileged: bool = False, death_signal: signal.Signals | None = None
) -> tuple[str, ...]:
    """Return the words to put before a command, so that it runs as told.

    Args:
        unprivileged: Do not run as root. Such a process may still open every file: below a closed
            folder, such as the home of root, it could not even reach its own otherwise.
        death_signal: What the kernel sends to the process when the thread that forked it ends. One
            command does both, because a change of user resets it. Outside Linux there is no such
            signal; the next start on the same folder stops the orphans there.

    Raises:
        LaunchError: Root has no `setpriv` to become someone else with.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    options = []
    if unprivileged and as_root():
        if setpriv is None:
            raise LaunchError(
                "Postgres does not run as root, and there is no setpriv (package util-linux) "
                "to run it as another user. Start this as an ordinary user, or set DATABASE_URL "
                "to a database of your own."
            )
        options += [
            f"--reuid={UNPRIVILEGED_ID}",
            f"--regid={UNPRIVILEGED_ID}",
            "--clear-groups",
            "--inh-caps=+dac_override",
            "--ambient-caps=+dac_override",
            # Postgres asks access(2) for its own programs, which ignores that right otherwise.
            "--securebits=+no_setuid_fixup",
        ]
    if death_signal is not None:
        options.append(f"--pdeathsig={death_signal.name.removeprefix('SIG')}")
    return (setpriv, *options, "--") if setpriv is not None and options else ()
