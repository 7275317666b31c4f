"""Check a density field and bring it into the one form that every statistic reads."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.kernel import kernel

Array = npt.NDArray[Any]

_CHUNK = 4096  # voxels that stay in the first cache while they are read several times


@dataclass(frozen=True)
class Density:
    """A valid density field.

    Attributes:
        values: Shape (side, side, side), or (1, side, side) for a 2D field; C order, read-only,
            native float32, or float64 where float32 would change a value.
        ndim: Dimensions of the field, 2 or 3.
        mean: Mean over the voxels, in particles per voxel.
        constant: Whether all voxels are equal.
    """

    values: Array
    ndim: int
    mean: float
    constant: bool

    @property
    def side(self) -> int:
        """Voxels along one side."""
        return int(self.values.shape[-1])


def as_density(field: npt.ArrayLike) -> Density:
    """Check one field and convert it without changing any value.

    Args:
        field: Density in particles per voxel, shape (side, side) or (side, side, side), any real
            dtype, byte order and memory order.

    Raises:
        ValueError: If the shape or dtype is wrong, or if a voxel is NaN, infinite or negative, or
            if all voxels are zero.
    """
    array = np.asarray(field)
    if array.ndim not in (2, 3) or len(set(array.shape)) != 1 or array.shape[0] < 2:
        raise ValueError(f"a field must be a square or a cube, not an array of {array.shape}")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"a field must hold real numbers, not {array.dtype}")
    values = _read_only(_exact_float(array))
    bits = values.view(np.uint32 if values.dtype == np.float32 else np.uint64)
    largest = np.array(np.finfo(values.dtype).max).view(bits.dtype)[()]
    total, odd, others = _survey(values.ravel(), bits.ravel(), largest)
    if odd:
        _refuse_odd(values)
        values = _read_only(np.abs(values))
    if total == 0:
        raise ValueError("a field must hold matter, but every voxel is zero")
    shape = (1,) * (3 - array.ndim) + array.shape
    return Density(values.reshape(shape), array.ndim, total / values.size, others == 0)


def _refuse_odd(values: Array) -> None:
    """Raise ValueError unless all values are finite and none is negative."""
    if not np.isfinite(values).all():
        raise ValueError("a field must be finite, but it holds NaN or infinite voxels")
    if values.min() < 0:
        raise ValueError(
            f"a density is never negative, but {np.count_nonzero(values < 0)} voxels are, down to "
            f"{values.min():g}: map generated values back to particles per voxel first"
        )


def _exact_float(array: Array) -> Array:
    """Return the array as contiguous float32 if that is exact, else as float64."""
    native = np.require(array, array.dtype.newbyteorder("="), ["C", "ALIGNED"])
    if np.can_cast(native.dtype, np.float32):
        return native.astype(np.float32, copy=False)
    if native.dtype.itemsize > 8:
        native = native.astype(np.float64)
    single = np.empty(native.shape, np.float32)
    if _narrow(_read_only(native).ravel(), single.ravel()):
        return single
    return native.astype(np.float64, copy=False)


def _read_only(array: Array) -> Array:
    """Return a view that cannot be written: to Numba, that is a type of its own."""
    view = array.view()
    view.flags.writeable = False
    return view


@kernel
def _narrow(source: Array, target: Array) -> bool:
    """Convert `source` to float32; return whether every value stayed what it was."""
    for start in range(0, source.size, _CHUNK):
        part = source[start : start + _CHUNK]
        single = target[start : start + _CHUNK]
        changed = np.int32(0)
        for i in range(part.size):
            single[i] = part[i]
            changed = np.int32(changed + np.int32(np.float64(single[i]) != np.float64(part[i])))
        if changed > 0:
            return False
    return True


@kernel
def _survey(values: Array, bits: Array, largest: Any) -> tuple[float, int, int]:
    """Return the float64 sum, the count of odd values and of values unlike the first one.

    Odd is what is NaN, infinite or has a minus sign: its bits, read as an unsigned integer, exceed
    those of the largest finite float.
    """
    total = 0.0
    odd = 0
    others = 0
    for start in range(0, values.size, _CHUNK):
        part = values[start : start + _CHUNK]
        part_bits = bits[start : start + _CHUNK]
        strange = unlike = np.int32(0)  # as wide as a float32, so that the loop vectorises
        for i in range(part.size):
            total += np.float64(part[i])
            strange = np.int32(strange + np.int32(part_bits[i] > largest))
            unlike = np.int32(unlike + np.int32(part[i] != values[0]))
        odd += int(strange)
        others += int(unlike)
    return total, odd, others
