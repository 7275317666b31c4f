"""Hold simulated cubes against theory, and draw the figures of docs/data.md.

Run as `python -m benchmarks.cubes FOLDER` with a folder of cubes of 256³, as `cosmoboard data
simulate` makes them. Needs the extra `docs`: CAMB gives the nonlinear matter power spectrum
(HMcode 2020) of the same cosmology.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cubes.archive import Field
from cubes.cube_files import CubeFiles
from cubes.simulate import HUBBLE, OMEGA_BARYON, OMEGA_MATTER, SIGMA_8, SPECTRAL_INDEX
from cubes.tracks import BOX_SIDE, FULL_SIDE

Array = npt.NDArray[np.float64]

SPACING = BOX_SIDE / FULL_SIDE
"""Side of a voxel in Mpc/h."""

K_EDGES = np.geomspace(2 * np.pi / BOX_SIDE, np.pi / SPACING, 25)
"""From the fundamental mode to the Nyquist frequency, in h/Mpc."""

COUNT_EDGES = np.unique(np.round(np.geomspace(1, 4e5, 57))) - 0.5
"""Between whole numbers of particles."""


@dataclass(frozen=True)
class Measured:
    """What is drawn of some cubes, a row each.

    Attributes:
        power: P(k) in (Mpc/h)³, by `K_EDGES`.
        counts: Share of the voxels by their counts, by `COUNT_EDGES`.
        empty: Share of voxels without a particle.
        largest: Largest count.
    """

    power: Array
    counts: Array
    empty: Array
    largest: Array


def main() -> None:
    """Measure the cubes, print the numbers and draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="cubes of 256³, a file each")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="where figures go")
    options = parser.parse_args()
    cubes = CubeFiles(options.folder)
    k, power, modes = mode_averages(theory())
    measured = measure(cubes)
    report(measured, k, power, modes)
    draw_power(measured, k, power, options.out / "cubes-power.png")
    draw_counts(measured, options.out / "cubes-counts.png")
    draw_slice(next(iter(cubes)), options.out / "cubes-slice.png")


def measure(cubes: CubeFiles) -> Measured:
    """Measure every cube."""
    rows = [_measure_one(cube) for cube in cubes]
    return Measured(*(np.array(column) for column in zip(*rows, strict=True)))


def _measure_one(cube: Field) -> tuple[Array, Array, float, int]:
    contrast = (cube / cube.mean(dtype=np.float64) - 1).astype(np.float32)
    squares = np.abs(np.fft.rfftn(contrast)) ** 2 * (BOX_SIDE / FULL_SIDE**2) ** 3
    bins, weights = _modes()
    power = np.bincount(bins, (weights * squares).ravel(), len(K_EDGES) + 1)[1:-1]
    power /= np.bincount(bins, weights.ravel(), len(K_EDGES) + 1)[1:-1]
    counts = np.histogram(cube, COUNT_EDGES)[0] / cube.size
    return power, counts, float((cube == 0).mean()), int(cube.max())


def _wavenumbers() -> Array:
    """Return |k| of the half spectrum in h/Mpc, shape (256, 256, 129)."""
    whole = 2 * np.pi * np.fft.fftfreq(FULL_SIDE, SPACING)
    half = 2 * np.pi * np.fft.rfftfreq(FULL_SIDE, SPACING)
    squares = whole[:, None, None] ** 2 + whole[None, :, None] ** 2 + half**2
    return np.asarray(np.sqrt(squares))


def _modes() -> tuple[npt.NDArray[np.intp], Array]:
    """Return the bin of each mode of the half spectrum, and how many modes it stands for."""
    k = _wavenumbers()
    weights = np.full(k.shape, 2.0)
    weights[..., [0, -1]] = 1
    return np.digitize(k.ravel(), K_EDGES), weights


def mode_averages(spectrum: Callable[[Array], Array]) -> tuple[Array, Array, Array]:
    """Return mean k and mean P over the very modes of each bin, and their number."""
    k = _wavenumbers()
    bins, weights = _modes()
    size = len(K_EDGES) + 1
    number = np.bincount(bins, weights.ravel(), size)[1:-1]
    total_k = np.bincount(bins, (weights * k).ravel(), size)[1:-1]
    table = np.geomspace(1e-3, 10, 4000)
    power = np.interp(k, table, spectrum(table))
    total_power = np.bincount(bins, (weights * power).ravel(), size)[1:-1]
    return total_k / number, total_power / number, number


def theory() -> Callable[[Array], Array]:
    """Return the nonlinear matter power spectrum at redshift zero, k in h/Mpc, P in (Mpc/h)³."""
    import camb

    def results(amplitude: float) -> Any:
        pars = camb.set_params(
            H0=100 * HUBBLE,
            ombh2=OMEGA_BARYON * HUBBLE**2,
            omch2=(OMEGA_MATTER - OMEGA_BARYON) * HUBBLE**2,
            mnu=0,
            omk=0,
            As=amplitude,
            ns=SPECTRAL_INDEX,
            halofit_version="mead2020",
        )
        pars.set_matter_power(redshifts=[0.0], kmax=30)
        return camb.get_results(pars)

    trial = 2e-9
    amplitude = trial * (SIGMA_8 / results(trial).get_sigma8_0()) ** 2
    spectrum = results(amplitude).get_matter_power_interpolator(nonlinear=True)
    return lambda k: np.asarray(spectrum.P(0, k))


def voxel_window(k: Array) -> Array:
    """Return about what counting in voxels leaves of the power: the mean of sinc² over angles."""
    return np.asarray(np.exp(-((k * SPACING) ** 2) / 12))


def report(measured: Measured, k: Array, power: Array, modes: Array) -> None:
    """Print what docs/data.md says."""
    print("k (h/Mpc)   modes  P/HMcode  error of the mean  voxel window  P/HMcode without it")
    ratio = measured.power / power
    error = ratio.std(axis=0, ddof=1) / np.sqrt(len(ratio))
    mean, window = ratio.mean(axis=0), voxel_window(k)
    for row in zip(k, modes, mean, error, window, mean / window, strict=True):
        print("{:9.3f} {:7.0f}  {:8.3f}  {:17.3f}  {:12.3f}  {:19.3f}".format(*row))
    print(f"empty voxels: {measured.empty.min():.2e} to {measured.empty.max():.2e} of all")
    print(f"largest counts: {measured.largest.min()} to {measured.largest.max()}")


def draw_power(measured: Measured, k: Array, power: Array, path: Path) -> None:
    """Draw P(k) over the theory's, and their ratio."""
    plt = _pyplot()
    figure, (top, bottom) = plt.subplots(
        2, 1, sharex=True, height_ratios=[2, 1], figsize=(6.4, 5.6), layout="constrained"
    )
    mean = measured.power.mean(axis=0)
    top.loglog(k, power, "k-", lw=1, label="HMcode 2020 (CAMB)")
    top.loglog(k, mean, "o", ms=4, label=f"mean of {len(measured.power)} simulated cubes")
    top.set_ylabel("P(k) / (Mpc/h)³")
    top.legend(frameon=False)
    ratio = measured.power / power
    error = ratio.std(axis=0, ddof=1) / np.sqrt(len(ratio))
    bottom.errorbar(k, ratio.mean(axis=0), error, fmt="o", ms=4)
    bottom.semilogx(k, voxel_window(k), "k:", lw=1, label="HMcode counted in voxels")
    bottom.axhline(1, color="k", lw=0.6)
    bottom.set(xlabel="k / (h/Mpc)", ylabel="ratio", ylim=(0.4, 1.6))
    bottom.legend(frameon=False, loc="lower left")
    figure.savefig(path, dpi=110)


def draw_counts(measured: Measured, path: Path) -> None:
    """Draw how many voxels hold how many particles."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    centres = np.sqrt(COUNT_EDGES[:-1] * COUNT_EDGES[1:])
    shares = measured.counts / np.diff(np.log10(COUNT_EDGES))
    axes.fill_between(
        centres, shares.min(axis=0), shares.max(axis=0), alpha=0.35, lw=0, label="range of cubes"
    )
    axes.loglog(centres, shares.mean(axis=0), lw=1.2, label="mean")
    axes.axvline(64, color="k", ls=":", lw=1, label="mean count, 64")
    axes.set(xlabel="particles in a voxel", ylabel="share of voxels per decade")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def draw_slice(cube: Field, path: Path) -> None:
    """Draw a slice of a cube, one voxel thick."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(6.2, 5.2), layout="constrained")
    levels = np.log10(1.0 + cube[FULL_SIDE // 2])
    image = axes.imshow(levels, cmap="magma", extent=(0, BOX_SIDE, 0, BOX_SIDE), vmin=0, vmax=4)
    axes.set(xlabel="Mpc/h", ylabel="Mpc/h")
    figure.colorbar(image, label="log₁₀ (1 + particles in a voxel)", shrink=0.9)
    figure.savefig(path, dpi=110)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


if __name__ == "__main__":
    main()
