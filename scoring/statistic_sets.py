"""The statistics of a set of fields: plain NumPy, without what computes them."""

import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

STATISTICS = ("psd", "mass", "peak")
"""The names of the three statistics, in the order of the paper's Table 1."""

_UNREADABLE = (EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class SetStatistics:
    """The summary statistics of a set of fields, one row a field.

    Attributes:
        psd: Power spectra in (Mpc/h)^ndim, shape (n, 35 to 46 by side), float64.
        mass: Mass histograms in voxels per bin, shape (n, 20), float64.
        peak: Peak histograms in peaks per bin, shape (n, 20), float64.
        shape: Shape of each field in voxels, where known; sets of different shapes cannot be
            compared.
        parents: Label of the cube that each field was cut from, shape (n,), where fields share
            cubes: such fields do not vary independently.

    Raises:
        ValueError: If the arrays do not fit together, or hold NaN, infinity or negative values.
    """

    psd: Array
    mass: Array
    peak: Array
    shape: tuple[int, ...] | None = None
    parents: Array | None = None

    def __post_init__(self) -> None:
        for name in STATISTICS:
            rows = np.array(getattr(self, name), np.float64, order="C")
            if rows.ndim != 2 or not rows.size:
                raise ValueError(f"{name} must have shape (fields, bins), not {rows.shape}")
            if not (np.isfinite(rows).all() and rows.min() >= 0):
                raise ValueError(f"{name} holds NaN, infinite or negative values")
            rows.flags.writeable = False
            object.__setattr__(self, name, rows)
        if len({len(self.psd), len(self.mass), len(self.peak)}) != 1:
            raise ValueError(
                f"psd, mass and peak are of different numbers of fields: "
                f"{len(self.psd)}, {len(self.mass)} and {len(self.peak)}"
            )
        if self.parents is not None:
            parents = np.array(self.parents, np.int64)
            if parents.shape != (len(self),):
                raise ValueError(f"parents must be one label a field, not of {parents.shape}")
            parents.flags.writeable = False
            object.__setattr__(self, "parents", parents)

    def __len__(self) -> int:
        """Return the number of fields."""
        return len(self.psd)

    def take(self, fields: npt.ArrayLike) -> "SetStatistics":
        """Return the set of some of the fields, given by index or by mask."""
        rows = np.asarray(fields)
        parents = None if self.parents is None else self.parents[rows]
        return SetStatistics(self.psd[rows], self.mass[rows], self.peak[rows], self.shape, parents)

    def to_bytes(self) -> bytes:
        """Pack the statistics losslessly for storage, as a compressed .npz without pickles."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            allow_pickle=False,
            psd=self.psd,
            mass=self.mass,
            peak=self.peak,
            shape=np.array(self.shape or (), np.int64),
            parents=np.array([], np.int64) if self.parents is None else self.parents,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, packed: bytes) -> "SetStatistics":
        """Unpack what `to_bytes` packed.

        Raises:
            ValueError: If the bytes are anything else.
        """
        try:
            with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
                shape = tuple(int(side) for side in arrays["shape"])
                parents = arrays["parents"] if arrays["parents"].size else None
                return cls(arrays["psd"], arrays["mass"], arrays["peak"], shape or None, parents)
        except _UNREADABLE as error:
            raise ValueError(f"these bytes are no packed statistics: {error}") from error
