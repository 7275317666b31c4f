"""Say what to install where a command needs more than is there."""

from importlib.util import find_spec

import click


def require_extra(extra: str, module: str) -> None:
    """Refuse in a sentence where an optional dependency is not installed.

    Args:
        extra: The extra of Cosmoboard that brings it.
        module: What must be importable.
    """
    if find_spec(module) is None:
        raise click.ClickException(
            f"This needs {module}, which is not installed: pip install 'cosmoboard[{extra}]', or "
            f"in a checkout pip install -e '.[{extra}]'."
        )
