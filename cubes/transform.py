"""The map between densities and the values that networks learn, and down-scaling through it.

Appendix A of Perraudin et al. 2019 with its c = 20,000 and s = 3: logarithmic up to c, linear
beyond, zero at zero. Down-scaled fields are block means of *mapped* values, mapped back, which is
how the paper makes its 64³ and 32³ cubes.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

CUTOFF = 20_000.0
"""c: the density, plus the shift, from which the map is linear."""

SHIFT = 3.0
"""s: added to densities before the logarithm, so that small counts do not spread over it."""

_MAPPED_SHIFT = 3 * math.log1p(SHIFT)
_MAPPED_CUTOFF = 3 * math.log1p(CUTOFF) - _MAPPED_SHIFT

Floats = npt.NDArray[np.floating[Any]]


def forward(density: npt.ArrayLike) -> Floats:
    """Map densities to network values (equations 5 and 6).

    Args:
        density: Particles per voxel, 0 or more, any shape.

    Returns:
        Values from 0 (at density 0) to about 38 (at 1e5); float32 if `density` is, else float64.
    """
    x = _floats(density)
    with np.errstate(invalid="ignore"):
        # 3 ln(x + s + 1) - 3 ln(s + 1), which keeps its precision near zero.
        logarithmic = 3 * np.log1p(x / (SHIFT + 1))
    linear = 3 * ((x + SHIFT) / CUTOFF - 1) + _MAPPED_CUTOFF
    return np.where(x + SHIFT <= CUTOFF, logarithmic, linear).astype(x.dtype, copy=False)


def backward(mapped: npt.ArrayLike) -> Floats:
    """Map network values back to densities (equations 7 and 8), negative ones to zero.

    Args:
        mapped: Network values, any shape.

    Returns:
        Particles per voxel; float32 if `mapped` is, else float64.
    """
    y = np.maximum(_floats(mapped), 0)
    below = np.minimum(y, _MAPPED_CUTOFF)
    logarithmic = (SHIFT + 1) * np.expm1(below / 3)
    linear = CUTOFF * ((y - _MAPPED_CUTOFF) / 3 + 1) - SHIFT
    return np.where(y <= _MAPPED_CUTOFF, logarithmic, linear).astype(y.dtype, copy=False)


def downscale(density: npt.NDArray[Any], factor: int) -> npt.NDArray[np.float64]:
    """Return a smaller field: forward map, mean over blocks, backward map.

    Block means compose, and so does this, to rounding: by 4 and then by 2 is by 8.

    Args:
        density: Particles per voxel, 2D or 3D, every side a multiple of `factor`.
        factor: Voxels along the side of a block, 4 for 64³ from 256³; 1 leaves the field as it is.

    Raises:
        ValueError: A side is not a multiple of `factor`.
    """
    if factor == 1:
        return density.astype(np.float64)
    return backward(mapped_means(density, factor, np.float64)).astype(np.float64)


def mapped_means(density: npt.NDArray[Any], factor: int, dtype: type[np.floating[Any]]) -> Floats:
    """Return the block means of the mapped field, a field in the mapped domain.

    Args:
        density: Particles per voxel, 2D or 3D, every side a multiple of `factor`.
        factor: Voxels along the side of a block.
        dtype: Precision, float32 or float64.

    Raises:
        ValueError: A side is not a multiple of `factor`.
    """
    if factor < 1 or any(side % factor for side in density.shape):
        raise ValueError(f"Shape {density.shape} does not divide into blocks of side {factor}.")
    # A slab of blocks at a time: what it needs stays in cache, and memory stays small.
    slabs = [
        _block_means(forward(density[start : start + factor].astype(dtype)), factor)
        for start in range(0, density.shape[0], factor)
    ]
    return np.concatenate(slabs)


def _block_means(values: Floats, factor: int) -> Floats:
    blocks = [length for side in values.shape for length in (side // factor, factor)]
    inner: Floats = values.reshape(blocks).mean(axis=tuple(range(1, 2 * values.ndim, 2)))
    return inner


def _floats(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values)
    return array if array.dtype == np.float32 else array.astype(np.float64)
