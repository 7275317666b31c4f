"""Symmetries of a homogeneous, isotropic universe in a periodic box (Appendix B).

A field moved around the box, rotated or mirrored is as likely as the field itself. The paper
rotates by multiples of 90° and shifts; mirrors are as valid and double the number, to all 48
symmetries of a cube (8 of a square).
"""

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

import numpy as np

from cubes.archive import Field


@dataclass(frozen=True)
class Symmetry:
    """A rotation or rotation and mirror of a square or cube onto itself.

    Attributes:
        axes: For each axis of the result, the axis of the field that it takes.
        flips: For each axis of the result, whether it is then reversed.
    """

    axes: tuple[int, ...]
    flips: tuple[bool, ...]

    def __call__(self, field: Field) -> Field:
        """Return a view of `field` (one side, 2D or 3D) under this symmetry."""
        reversed_or_not = tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)
        return field.transpose(self.axes)[reversed_or_not]

    def __str__(self) -> str:
        """Name the axes of the result, such as `+z -x +y`."""
        return " ".join(
            ("-" if flip else "+") + "xyz"[axis]
            for axis, flip in zip(self.axes, self.flips, strict=True)
        )


@cache
def symmetries(ndim: int) -> tuple[Symmetry, ...]:
    """Return the 8 symmetries of a square or the 48 of a cube, the identity first."""
    return tuple(
        Symmetry(axes, flips)
        for axes in permutations(range(ndim))
        for flips in product((False, True), repeat=ndim)
    )


def augmented(field: Field, rng: np.random.Generator) -> Field:
    """Return a C-contiguous copy of a field under a symmetry and a shift, each drawn uniformly.

    Args:
        field: A square or cube that is periodic: a whole box. A 2D crop of one is not; give it
            one of `symmetries(2)` alone.
        rng: Source of the draw.
    """
    choices = symmetries(field.ndim)
    symmetry = choices[rng.integers(len(choices))]
    shift = rng.integers(0, field.shape)
    turned = np.ascontiguousarray(symmetry(field))
    return np.roll(turned, shift, axis=tuple(range(field.ndim)))
