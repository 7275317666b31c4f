"""Archives of sound structure that hold what no field is: bad headers, shapes and values."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cubes.tracks import Track
from tests.archives import (
    Build,
    Hostile,
    changed_first,
    changed_first_content,
    density_fields,
    entries_of,
    honest,
)
from tests.zips import Entry, npy_bytes, raw_npy, zip_bytes


def _savez(make: Callable[[Track], Any]) -> Build:
    """An archive of one stacked array, written by NumPy."""

    def build(track: Track) -> bytes:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, cubes=make(track))
        return buffer.getvalue()

    return build


def _stack(track: Track) -> np.ndarray[Any, Any]:
    return np.array(density_fields(track))


def _first_field(change: Callable[[np.ndarray[Any, Any]], Any]) -> Build:
    """The honest archive but for the values of its first field."""

    def build(track: Track) -> bytes:
        fields = density_fields(track)
        fields[0] = change(fields[0])
        return zip_bytes(entries_of(fields))

    return build


def _first_voxel(value: float) -> Build:
    def change(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        values[(1,) * values.ndim] = value
        return values

    return _first_field(change)


def _header(text: str, version: int = 1) -> Build:
    """The honest archive but for its first array's header; {shape} stands for the right one."""
    return changed_first_content(
        lambda content, track: raw_npy(
            text.replace("{shape}", repr(track.shape)), content[128:], version
        )
    )


def _descr(descr: str) -> Build:
    return _header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {{shape}}, }}")


def _shape(shape: str) -> Build:
    return _header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}")


def _deep_bomb(track: Track) -> bytes:
    """An archive within an archive within an archive."""
    data = honest(track)
    for _ in range(2):
        data = zip_bytes([Entry(b"cubes.npz", data)])
    return data


def _hostile_arrays() -> Iterator[tuple[str, Hostile]]:
    yield (
        "object array",
        Hostile(
            lambda track: zip_bytes([Entry(b"x.npy", npy_bytes(np.array([{}, set()]), True))]),
            "pickled",
        ),
    )
    yield "object header", Hostile(_descr("'|O'"), "pickled")
    yield "structured dtype", Hostile(_descr("[('x', '<f4')]"), "wrong_dtype")
    yield "structured object dtype", Hostile(_descr("[('x', '|O')]"), "wrong_dtype")
    yield "void dtype", Hostile(_descr("'|V4'"), "wrong_dtype")
    yield "huge void dtype", Hostile(_descr("'|V999999999999'"), "wrong_dtype")
    yield "dtype with control characters", Hostile(_descr("'<f4\x1b[2J\n'"), "wrong_dtype")
    yield "unknown float", Hostile(_descr("'<f3'"), "wrong_dtype")
    yield "complex", Hostile(_savez(lambda t: _stack(t).astype(np.complex64)), "wrong_dtype")
    yield "bool", Hostile(_savez(lambda t: _stack(t) > 1), "wrong_dtype")
    yield "text array", Hostile(_savez(lambda t: _stack(t).astype("S4")), "wrong_dtype")
    yield "dates", Hostile(_savez(lambda t: _stack(t).astype("datetime64[s]")), "wrong_dtype")

    yield (
        "header runs code",
        Hostile(
            _header(
                "{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os').abort(), }"
            ),
            "bad_header",
        ),
    )
    yield "header computes", Hostile(_shape("(9**9**9,)"), "bad_header")
    yield "header nests", Hostile(_shape("(" * 4000 + ")" * 4000), "bad_header")
    yield "header signs", Hostile(_shape("-" * 4000 + "1"), "bad_header")
    yield "header with long integer", Hostile(_shape("(" + "9" * 5000 + ",)"), "bad_header")
    yield "header with many axes", Hostile(_shape("(" + "1, " * 3000 + ")"), "bad_header")
    yield "header with negative axis", Hostile(_shape("(-1, 8, 8)"), "bad_header")
    yield "header with huge axes", Hostile(_shape(f"({2**40}, {2**40}, {2**40})"), "wrong_shape")
    yield "header overflows to nothing", Hostile(_shape(f"({2**32}, {2**32})"), "wrong_shape")
    yield "header with zero axis", Hostile(_shape("(0, 8, 8)"), "wrong_shape")
    yield (
        "header repeats a key",
        Hostile(_header("{'descr': '<f4', 'descr': '<f4', 'shape': {shape}, }"), "bad_header"),
    )
    yield "header lacks a key", Hostile(_header("{'descr': '<f4', 'shape': {shape}}"), "bad_header")
    yield (
        "header with new line",
        Hostile(
            _header("{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }\nX: y\n"),
            "bad_header",
        ),
    )
    yield "header too long", Hostile(_header(" " * 60_000), "bad_header")
    yield (
        "header of 4 GB",
        Hostile(
            changed_first_content(lambda c, t: b"\x93NUMPY\2\0" + b"\xff" * 4 + c), "bad_header"
        ),
    )
    yield "header of version 9", Hostile(_header("", version=9), "bad_header")
    yield (
        "header beyond the end",
        Hostile(changed_first_content(lambda c, t: b"\x93NUMPY\1\0\x80\0{'descr'"), "truncated"),
    )
    yield "member not an array", Hostile(changed_first(content=b"a,b\n1,2\n"), "bad_header")
    yield "empty member", Hostile(changed_first(content=b""), "truncated")
    yield "other file", Hostile(changed_first(name=b"README.txt"), "unexpected_member")
    yield "directory", Hostile(changed_first(name=b"cubes/", content=b""), "unexpected_member")
    yield "archive in archive", Hostile(_deep_bomb, "unexpected_member")

    yield "wrong side", Hostile(_savez(lambda t: _stack(t)[..., :-1]), "wrong_shape")
    yield (
        "transposed stack",
        Hostile(_savez(lambda t: np.moveaxis(_stack(t), 0, -1)), "wrong_shape"),
    )
    yield (
        "one field of another shape",
        Hostile(_first_field(lambda f: np.concatenate([f, f])), "wrong_shape"),
    )
    yield "stacks of one", Hostile(_first_field(lambda f: f[None]), "wrong_shape")
    yield (
        "scalar",
        Hostile(
            lambda t: zip_bytes(
                [
                    Entry(
                        b"x.npy",
                        raw_npy(
                            "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", bytes(4)
                        ),
                    )
                ]
            ),
            "wrong_shape",
        ),
    )
    yield "one field", Hostile(_savez(lambda t: _stack(t)[0]), "wrong_count")
    yield "no field", Hostile(_savez(lambda t: _stack(t)[:0]), "wrong_count")
    yield "a field short", Hostile(_savez(lambda t: _stack(t)[1:]), "wrong_count")
    yield (
        "a member short",
        Hostile(lambda t: zip_bytes(entries_of(density_fields(t)[1:])), "wrong_count"),
    )
    yield (
        "a field too many",
        Hostile(_savez(lambda t: np.concatenate([_stack(t), _stack(t)[:1]])), "wrong_count"),
    )
    yield (
        "stack in Fortran order",
        Hostile(_savez(lambda t: np.asfortranarray(_stack(t))), "wrong_order"),
    )

    yield "NaN", Hostile(_first_voxel(np.nan), "not_finite", "read")
    yield "infinity", Hostile(_first_voxel(np.inf), "not_finite", "read")
    yield "minus infinity", Hostile(_first_voxel(-np.inf), "not_finite", "read")
    yield "astronomical", Hostile(_first_voxel(3e38), "not_finite", "read")
    yield "negative", Hostile(_first_voxel(-1e-6), "negative", "read")
    yield "negative subnormal", Hostile(_first_voxel(-1e-45), "negative", "read")
    yield (
        "negative integer",
        Hostile(_first_field(lambda f: f.astype(np.int16) - 30_000), "negative", "read"),
    )
    yield "all zero", Hostile(_first_field(lambda f: 0 * f), "empty_field", "read")
    yield "all minus zero", Hostile(_first_field(lambda f: -0.0 * f), "empty_field", "read")
    yield (
        "all subnormal",
        Hostile(_first_field(lambda f: np.full_like(f, 1e-45)), "empty_field", "read"),
    )
    yield (
        "half precision overflows",
        Hostile(
            _savez(lambda t: np.where(_stack(t) > 1, np.inf, 1).astype(np.float16)),
            "not_finite",
            "read",
        ),
    )


HOSTILE_ARRAYS = dict(_hostile_arrays())
