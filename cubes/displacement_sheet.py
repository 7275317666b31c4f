"""Count a dark-matter sheet in voxels.

Cold dark matter fills space as a sheet that particles only sample: between neighbours of the
initial lattice it is displaced by about what interpolation says. Counting interpolated children
instead of the particles themselves takes the shot noise of 256³ particles out of the voxels, as a
simulation of 1024³ would.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.uint32]


def sheet_counts(displacement: Floats, *, children: int = 4, threads: int = 1) -> Counts:
    """Return the number of children in each voxel of a periodic box.

    The lattice has as many points as the box has voxels, one at each voxel's lower corner. Each is
    split into `children`³ of equal mass, at fractions (i + 1/2) / children of the way to the next
    along every axis; they are displaced by the trilinear interpolation of the eight displacements
    around them.

    Args:
        displacement: Shape (side, side, side, 3), in voxels.
        children: Children of a lattice point along each axis.
        threads: Slabs that are counted at the same time.

    Returns:
        Shape (side, side, side); their sum is (side · children)³.
    """
    side = displacement.shape[0]
    edges = np.linspace(0, side, threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        slabs = pool.map(
            lambda first, last: _slab_counts(displacement, children, first, last),
            edges[:-1],
            edges[1:],
        )
        counts: Counts = next(slabs)
        for slab in slabs:
            counts += slab
    return counts


@numba.njit(nogil=True, cache=True)
def _slab_counts(displacement, children, first, last):  # type: ignore[no-untyped-def]
    """Count the children of the lattice points from `first` to `last` along the first axis."""
    side = displacement.shape[0]
    counts = np.zeros((side, side, side), np.uint32)
    at_x = np.empty((2, 2, 3))
    at_y = np.empty((2, 3))
    for i in range(first, last):
        for j in range(side):
            for k in range(side):
                for a in range(children):
                    u = (a + 0.5) / children
                    for q in range(2):
                        for r in range(2):
                            low = displacement[i, (j + q) % side, (k + r) % side]
                            high = displacement[(i + 1) % side, (j + q) % side, (k + r) % side]
                            for axis in range(3):
                                at_x[q, r, axis] = low[axis] * (1 - u) + high[axis] * u
                    for b in range(children):
                        v = (b + 0.5) / children
                        for r in range(2):
                            for axis in range(3):
                                at_y[r, axis] = at_x[0, r, axis] * (1 - v) + at_x[1, r, axis] * v
                        for c in range(children):
                            w = (c + 0.5) / children
                            x = i + u + at_y[0, 0] * (1 - w) + at_y[1, 0] * w
                            y = j + v + at_y[0, 1] * (1 - w) + at_y[1, 1] * w
                            z = k + w + at_y[0, 2] * (1 - w) + at_y[1, 2] * w
                            voxel = (
                                int(np.floor(x)) % side,
                                int(np.floor(y)) % side,
                                int(np.floor(z)) % side,
                            )
                            counts[voxel] += 1
    return counts
