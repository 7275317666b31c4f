"""The participant's tokens, one a board, in a file that only they can read."""

import json
import os
import stat
from pathlib import Path


class TokenFileError(Exception):
    """The file of tokens cannot be trusted or read."""


def token_file() -> Path:
    """Return where the tokens are kept."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "cosmoboard" / "tokens.json"


def read_token(url: str) -> str | None:
    """Return the token that was kept for the board at `url`, if any.

    Raises:
        TokenFileError: Others can read the file, or it is damaged.
    """
    return _read(token_file()).get(_key(url))


def keep_token(url: str, token: str | None) -> Path:
    """Keep the token of the board at `url`, None to forget it; return the file.

    Raises:
        TokenFileError: The file is damaged, or cannot be written.
    """
    path = token_file()
    tokens = _read(path) | {_key(url): token}
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({known: value for known, value in tokens.items() if value}, file, indent=2)
        new.replace(path)
    except OSError as error:
        raise TokenFileError(f"The token cannot be kept in {path}: {error.strerror}.") from error
    return path


def _key(url: str) -> str:
    return url.rstrip("/")


def _read(path: Path) -> dict[str, str | None]:
    try:
        with path.open() as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise TokenFileError(
                    f"Others can read your tokens in {path}: run chmod 600 on it, and ask the "
                    "host for new ones if they may have been read."
                )
            tokens = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise TokenFileError(
            f"{path}, which holds your tokens, cannot be read ({error}): remove it and run "
            "cosmoboard auth login."
        ) from error
    return tokens if isinstance(tokens, dict) else {}
