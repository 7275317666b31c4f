"""Seams: whether fields jump across the faces of the patches that they were grown from."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from cubes.transform import forward

Array = npt.NDArray[Any]


def seam_jump(fields: Iterable[Array], patch: int) -> float:
    """Return the mean jump across patch faces over the mean jump anywhere else.

    A jump is the absolute difference of two neighbouring voxels' mapped values (Appendix A); the
    faces between the last and the first patch of an axis, where fields wrap around, count too.
    Without seams the ratio is 1, up to noise, whatever the fields are.

    Args:
        fields: Densities in particles per voxel, each of shape (side, side, side).
        patch: Side of a patch in voxels, smaller than the field's.
    """
    at_faces, elsewhere = [], []
    for field in fields:
        mapped = forward(np.asarray(field, np.float64))
        for axis in range(3):
            jumps = np.abs(mapped - np.roll(mapped, 1, axis)).mean(
                axis=tuple(other for other in range(3) if other != axis)
            )
            is_face = np.arange(len(jumps)) % patch == 0
            at_faces.append(jumps[is_face].mean())
            elsewhere.append(jumps[~is_face].mean())
    return float(np.mean(at_faces) / np.mean(elsewhere))
