"""The paper's figures: the three statistics with their ratio, and panels of slices."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from cubes.tracks import FULL_SIDE
from scoring.histogram import MASS_BINS, PEAK_BINS
from scoring.scores import require_comparable
from scoring.shells import wavenumbers
from scoring.statistic_sets import SetStatistics

Array = npt.NDArray[Any]

FORMATS = ("png", "svg", "pdf")
"""File formats that figures can be saved in."""

_COLOURS = ("#1b6ca8", "#d1495b")  # real and fake, apart for colour-blind readers too


@dataclass(frozen=True, eq=False)
class _Panel:
    """One statistic over its axis."""

    title: str
    x_label: str
    y_label: str
    x: Array
    real: Array
    fake: Array


def plot_statistics(
    real: SetStatistics, fake: SetStatistics, *, names: tuple[str, str] = ("real", "fake")
) -> Figure:
    """Plot mean and scatter (1 sigma) of the three statistics, and their ratio (figures 6 to 12).

    Args:
        real: Statistics of at least 2 real fields, with their shape.
        fake: Statistics of at least 2 fake fields of that shape.
        names: What to call the two.

    Raises:
        ValueError: If the sets do not fit, or their shape is not known.
    """
    require_comparable(real, fake)
    panels = _panels(real, fake)
    figure = Figure(figsize=(13, 5), layout="constrained")
    axes = figure.subplots(2, 3, sharex="col", height_ratios=(3, 1))
    for panel, above, below in zip(panels, axes[0], axes[1], strict=True):
        _plot_values(panel, above, names)
        _plot_ratio(panel, below, names)
    axes[0, 0].legend(frameon=False)
    return figure


def plot_slices(
    real: Iterable[npt.ArrayLike],
    fake: Iterable[npt.ArrayLike],
    *,
    names: tuple[str, str] = ("real", "fake"),
) -> Figure:
    """Plot the middle slice of each field, real beside fake, in one logarithmic colour scale.

    Two-dimensional fields are shown whole (figures 5 and 11).

    Args:
        real: Real fields, in particles per voxel; as many as shall be shown.
        fake: Fake fields.
        names: What to call the two.

    Raises:
        ValueError: If there is none of either.
    """
    sets = [[_middle(field) for field in fields] for fields in (real, fake)]
    if not all(sets):
        raise ValueError("slices need at least one real and one fake field")
    brightest = max(float(image.max()) for images in sets for image in images)
    scale = LogNorm(vmin=1, vmax=max(brightest + 1, 10))
    most = max(len(images) for images in sets)
    columns = int(np.ceil(np.sqrt(most)))
    rows = -(-most // columns)
    figure = Figure(figsize=(13, 0.6 + 6 * rows / columns), layout="constrained")
    *parts, legend = figure.subfigures(1, 3, squeeze=False, width_ratios=(6, 6, 1))[0]
    for part, images, name in zip(parts, sets, names, strict=True):
        part.suptitle(name)
        grid = part.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, image in zip(grid.flat, images, strict=False):
            shown = axes.imshow(image + 1, norm=scale, cmap="inferno", interpolation="nearest")
    figure.colorbar(
        shown, cax=legend.add_axes((0, 0.1, 0.25, 0.8)), label="particles per voxel, + 1"
    )
    return figure


def save_figures(
    folder: str | os.PathLike[str], figures: dict[str, Figure], *, formats: Sequence[str] = ("png",)
) -> list[Path]:
    """Save figures under their names, in each of the formats, and return the files.

    Raises:
        ValueError: If a format is none of `FORMATS`.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise ValueError(f"figures are saved as {', '.join(FORMATS)}, not as {', '.join(unknown)}")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for name, figure in figures.items():
        for suffix in formats:
            files.append(target / f"{name}.{suffix}")
            figure.savefig(files[-1], dpi=150)
    return files


def _panels(real: SetStatistics, fake: SetStatistics) -> list[_Panel]:
    shape = real.shape or fake.shape
    if shape is None:
        raise ValueError("a power spectrum is plotted over k, which takes the shape of the fields")
    mapped = len(shape) == 3 and shape[0] < FULL_SIDE
    unit = f"$(\\mathrm{{Mpc}}/h)^{len(shape)}$"
    return [
        _Panel(
            "mass histogram",
            "density [particles per voxel]",
            "voxels per bin",
            MASS_BINS.centres,
            real.mass,
            fake.mass,
        ),
        _Panel(
            "power spectrum" + (" of the mapped mean" if mapped else ""),
            r"$k$ [$h$/Mpc]",
            f"$P(k)$ [{unit}]",
            wavenumbers(shape),
            real.psd,
            fake.psd,
        ),
        _Panel(
            "peak histogram",
            "density of the peak [particles per voxel]",
            "peaks per bin",
            PEAK_BINS.centres,
            real.peak,
            fake.peak,
        ),
    ]


def _plot_values(panel: _Panel, axes: Axes, names: tuple[str, str]) -> None:
    lowest = min(rows[rows > 0].min(initial=np.inf) for rows in (panel.real, panel.fake))
    for rows, name, colour in zip((panel.real, panel.fake), names, _COLOURS, strict=True):
        mean, scatter = rows.mean(axis=0), rows.std(axis=0, ddof=1)
        low = np.maximum(mean - scatter, lowest / 10)  # a logarithmic axis has no zero
        axes.fill_between(panel.x, low, np.maximum(mean + scatter, low), color=colour, alpha=0.25)
        axes.plot(panel.x, np.where(mean > 0, mean, np.nan), color=colour, label=name)
    axes.set(title=panel.title, ylabel=panel.y_label, xscale="log", yscale="log")
    axes.set_ylim(bottom=lowest / 3)


def _plot_ratio(panel: _Panel, axes: Axes, names: tuple[str, str]) -> None:
    """Plot the fake mean and scatter over the real mean, where there is one."""
    real, fake = panel.real.mean(axis=0), panel.fake.mean(axis=0)
    there = real > 0
    scale = np.where(there, real, 1)
    for rows, mean, colour in ((panel.real, real, _COLOURS[0]), (panel.fake, fake, _COLOURS[1])):
        ratio = np.where(there, mean / scale, np.nan)
        scatter = rows.std(axis=0, ddof=1) / scale
        axes.fill_between(panel.x, ratio - scatter, ratio + scatter, color=colour, alpha=0.25)
        axes.plot(panel.x, ratio, color=colour)
    axes.set(xlabel=panel.x_label, ylabel="ratio", ylim=(0, 2))
    if panel.x[-1] < 100 * panel.x[0]:  # a power of ten would be the only label
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _middle(field: npt.ArrayLike) -> Array:
    array = np.asarray(field, dtype=np.float64)
    if array.ndim not in (2, 3):
        raise ValueError(f"a field has two or three dimensions, not shape {array.shape}")
    return array[len(array) // 2] if array.ndim == 3 else array
