"""Progress bars on stderr for what takes minutes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.service import INTERRUPTED, tell

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def resumable() -> Iterator[None]:
    """Say, after Ctrl-C, that the same command goes on."""
    try:
        yield
    except KeyboardInterrupt:
        tell("Interrupted: give the same command again, and it goes on.", INTERRUPTED)


@contextmanager
def cube_bar(total: int) -> Iterator[Callable[[int, float], None]]:
    """Show how many cubes are simulated; called with those complete and the fraction of the next.

    The time left is told from the first fraction of a cube on.
    """
    with _bar() as bar:
        task = bar.add_task("simulating cubes", total=total)
        yield lambda done, fraction: bar.update(task, completed=done + fraction)


@contextmanager
def field_bar(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show what is being done, and how many of how many are."""
    with _bar() as bar:
        task = bar.add_task(what, total=None)
        doing = ""

        def progress(now: str, done: int, total: int) -> None:
            nonlocal doing
            if now != doing:
                doing = now
                bar.reset(task, description=f"{what}: {now}", total=total)
            bar.update(task, completed=done)

        yield progress


@contextmanager
def byte_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of how many bytes are here, how fast they come, and the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn("{task.completed:.1f} of {task.total}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
