"""The tracks of the challenge: the one table of shapes, counts and expected means."""

from dataclasses import dataclass
from types import MappingProxyType

BOX_SIDE = 350.0
"""Side of a full cube in Mpc/h."""

FULL_SIDE = 256
"""Voxels along the side of a full cube."""


@dataclass(frozen=True)
class Track:
    """One track: what a submitted field must look like.

    `mean` is the density, in particles per voxel, that a real field of this track has on average;
    a submission whose mean is far from it is probably still in the mapped domain.
    """

    name: str
    ndim: int
    side: int
    count: int
    mean: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one field in voxels."""
        return (self.side,) * self.ndim

    @property
    def voxels(self) -> int:
        """Voxels in one field."""
        return int(self.side**self.ndim)

    @property
    def box_side(self) -> float:
        """Side of one field in Mpc/h."""
        return box_side(self.ndim, self.side)


def box_side(ndim: int, side: int) -> float:
    """Return the side in Mpc/h of a field of `side` voxels: crops in 2D, the whole box in 3D."""
    return BOX_SIDE if ndim == 3 else BOX_SIDE * side / FULL_SIDE


def _crops(side: int) -> Track:
    return Track(f"2d-{side}", ndim=2, side=side, count=FULL_SIDE**3 // side**2, mean=64.0)


TRACKS = MappingProxyType(
    {
        track.name: track
        for track in (
            Track("3d-256", ndim=3, side=256, count=30, mean=64.0),
            Track("3d-64", ndim=3, side=64, count=30, mean=31.5),
            Track("3d-32", ndim=3, side=32, count=30, mean=28.0),
            _crops(256),
            _crops(128),
            _crops(64),
            _crops(32),
        )
    }
)
"""Every track by name, the largest first."""
