"""What a set of fields is known by: the SHA-256 of their values."""

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from cubes.archive import Field


class ContentHash:
    """Takes the fields of a set in their order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, field: Field) -> None:
        """Take the next field: its shape, and its values as float32."""
        self._digest.update(f"{field.shape}".encode())
        self._digest.update(np.ascontiguousarray(field, "<f4").data)

    def passing(self, fields: Iterable[Field]) -> Iterator[Field]:
        """Take fields while they pass by."""
        for field in fields:
            self.add(field)
            yield field

    def hexdigest(self) -> str:
        """Return the hash of what was taken so far."""
        return self._digest.hexdigest()


def content_hash(fields: Iterable[Field]) -> str:
    """Return the SHA-256 of the shapes and float32 values of fields, in their order."""
    taken = ContentHash()
    for field in fields:
        taken.add(field)
    return taken.hexdigest()
