"""What the commands that read an archive share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


def archive_argument(name: str) -> Callable[[Any], Any]:
    """Give a command an argument that is the path of an archive."""
    return click.argument(name, type=click.Path(exists=True, dir_okay=False, path_type=Path))


@contextmanager
def refuse_bad_archive() -> Iterator[None]:
    """Tell in one sentence, and exit 1, where an archive is not what it should be."""
    from cubes.archive import ArchiveError

    try:
        yield
    except (ArchiveError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
