"""What the three statistics do not see: skewness of the smoothed density, which phases make.

A field of random phases becomes Gaussian as it is smoothed; the cosmic web does not. Run as
`python -m benchmarks.skewness`: it prints mean and standard error over 30 cubes of 64^3.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from baseline.shipped import SAMPLES
from cubes.archive import read_fields
from cubes.demo import demo_fields

SCALES = (1, 2, 3)
"""Standard deviations of the Gaussian kernel, in voxels."""

ROWS = {
    "multi-scale GAN (small)": "gan-small",
    "Gaussian, rank-matched": "rank-matched-gaussian",
    "lognormal": "lognormal",
}


def main() -> None:
    """Print the table as Markdown."""
    print(f"| | {' | '.join(f'{scale} voxel' + 's' * (scale > 1) for scale in SCALES)} |")
    print(f"|---|{'---|' * len(SCALES)}")
    for part in ("held-out", "train"):
        _print_row(f"real, {part}", demo_fields("3d-64", part))
    for label, name in ROWS.items():
        _print_row(label, read_fields(SAMPLES / f"{name}-3d-64.npz"))


def _print_row(label: str, fields: Iterable[npt.NDArray[Any]]) -> None:
    values = np.array([[skewness(field, scale) for scale in SCALES] for field in fields])
    means, errors = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
    cells = (f"{mean:.3f} ± {error:.3f}" for mean, error in zip(means, errors, strict=True))
    print(f"| {label} | {' | '.join(cells)} |")


def skewness(field: npt.NDArray[Any], scale: float) -> float:
    """Return the skewness of a periodic cube's density after Gaussian smoothing."""
    side = len(field)
    k = 2 * np.pi * np.fft.fftfreq(side)
    kernel = np.exp(-0.5 * (scale * k) ** 2)
    modes = np.fft.rfftn(field.astype(np.float64))
    modes *= kernel[:, None, None] * kernel[:, None] * kernel[: side // 2 + 1]
    smooth = np.fft.irfftn(modes, field.shape, axes=(0, 1, 2))
    deviation = smooth - smooth.mean()
    return float((deviation**3).mean() / (deviation**2).mean() ** 1.5)


if __name__ == "__main__":
    main()
