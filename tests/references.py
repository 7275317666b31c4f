"""Real fields of a test's own, as a source that references are built from."""

from collections.abc import Iterator, Sequence

from cli.real_cubes import Source
from cubes.archive import Field
from cubes.content_hash import content_hash
from cubes.tracks import Track


class FieldHalf:
    """Some fields, each from a cube of its own, whose name it has."""

    def __init__(self, fields: Sequence[Field], names: Sequence[str]) -> None:
        self.origin: list[dict[str, str]] = []
        self._fields, self._names = fields, names

    def parents(self, track: Track) -> list[int]:
        return list(range(len(self._fields)))

    def fields(self, track: Track) -> Iterator[Field]:
        self.origin = []
        for field, name in zip(self._fields, self._names, strict=True):
            self.origin.append({"name": name, "sha256": content_hash([field])})
            yield field


def field_source(
    training: Sequence[Field], held_out: Sequence[Field], names: Sequence[str] | None = None
) -> Source:
    """Return a source of these fields; the held-out ones may have names of their own."""
    return Source(
        "test",
        "made for a test",
        FieldHalf(training, [f"training-{index}.npz" for index in range(len(training))]),
        FieldHalf(held_out, names or [f"held-out-{index}.npz" for index in range(len(held_out))]),
    )
