"""Named tensors with a description, in one safetensors file that appears complete or not at all."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

_DESCRIPTION = "description"


class TensorFileError(ValueError):
    """A file that holds no such tensors; the message says what to do."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], description: Any) -> None:
    """Write tensors, and a description that JSON can hold, in place of `path`.

    The file is on disk before it takes the name, so that a kill at any time leaves the old or the
    new one.
    """
    contiguous = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    content = save(contiguous, metadata={_DESCRIPTION: json.dumps(description, sort_keys=True)})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Return the tensors and the description of a file.

    Raises:
        TensorFileError: There is no such file, or it is no safetensors file with a description.
    """
    if not path.exists():
        raise TensorFileError(f"There is no {path}: train the stage, or name another folder.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, json.loads((file.metadata() or {})[_DESCRIPTION])
    except (SafetensorError, KeyError, ValueError) as error:
        raise TensorFileError(f"{path} is no file of this project's tensors: {error}") from error


def prefixed(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Return a module's parameters and buffers, named `prefix.…`."""
    return {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}


def load_prefixed(prefix: str, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors named `prefix.…` into a module.

    Raises:
        TensorFileError: They are not the tensors of such a module.
    """
    start = f"{prefix}."
    own = {name[len(start) :]: value for name, value in tensors.items() if name.startswith(start)}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise TensorFileError(
            f"The {prefix} in this file is of other sizes than the configuration's: {error}"
        ) from error
