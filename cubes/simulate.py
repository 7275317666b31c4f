"""Make real cubes that nobody has seen, with the particle-mesh code pmpp.

Cosmology and box of the paper, at redshift zero: 350 Mpc/h with 256³ particles on a mesh twice as
fine, in 10 steps from a = 1/16, the dark-matter sheet counted in 256³ voxels, 64 a voxel on
average. They are not the paper's cubes: a mesh of 0.7 Mpc/h softens the smallest scales.

A cube takes minutes and up to 8 GiB; the same seed gives the same cube on the same machine.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cubes.archive import ArchiveError, Field, inspect_archive, read_fields, write_archive
from cubes.errors import CubeSourceError
from cubes.tracks import BOX_SIDE, FULL_SIDE, Track

SIGMA_8 = 0.811
SPECTRAL_INDEX = 0.961
OMEGA_MATTER = 0.276
OMEGA_BARYON = 0.045
HUBBLE = 0.7
FIRST_SCALE_FACTOR = 1 / 16
STEPS = 10
CHILDREN = 4


def _one_cube(side: int) -> Track:
    """Return what a file of one cube holds."""
    return Track("cube", ndim=3, side=side, count=1, mean=float(CHILDREN**3))


FULL_CUBE = _one_cube(FULL_SIDE)
"""What a file of one full cube holds."""

Progress = Callable[[float], None]


def simulate_cube(
    seed: int, *, side: int = FULL_SIDE, threads: int = 1, progress: Progress | None = None
) -> npt.NDArray[np.uint32]:
    """Simulate one cube.

    Args:
        seed: Of the initial white noise.
        side: Particles and voxels along the side; the mesh stays twice as fine as the particles.
        threads: Threads that count; JAX takes what it finds.
        progress: Called with the fraction that is done, from 0 to 1.

    Returns:
        Particles per voxel, shape (side, side, side), 64 on average.
    """
    from cubes.displacement_sheet import sheet_counts

    displacement = _displacement(seed, side, progress or (lambda done: None))
    counts = sheet_counts(displacement * (side / BOX_SIDE), children=CHILDREN, threads=threads)
    if progress is not None:
        progress(1.0)
    return counts


def simulate_cubes(
    seeds: Sequence[int],
    folder: Path,
    *,
    side: int = FULL_SIDE,
    threads: int = 1,
    progress: Callable[[int, float], None] | None = None,
) -> "SimulatedCubes":
    """Simulate one cube a seed, those that the folder does not hold yet.

    Each is written when it is complete, so that an interrupted run goes on with the cube that it
    was at.

    Args:
        seeds: Of the initial white noise.
        folder: Where files `<seed>.npz` lie and go; made where it is missing.
        side: Particles and voxels along the side.
        threads: Threads that count.
        progress: Called with the number of cubes that are complete and the fraction of the next.

    Returns:
        All of them, read lazily.

    Raises:
        CubeSourceError: The folder holds a cube of another side under the name of a seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(seeds):
        path = _cube_path(folder, seed)
        if path.exists():
            _require_side(path, side)
        else:
            report = None if progress is None else partial(progress, index)
            cube = simulate_cube(seed, side=side, threads=threads, progress=report)
            write_archive(path, [cube])
    if progress is not None:
        progress(len(seeds), 0.0)
    return SimulatedCubes(folder, seeds, side)


class SimulatedCubes:
    """Cubes of a folder of simulations, read one at a time in the order of the seeds.

    Args:
        folder: Holds a file `<seed>.npz` for each seed.
        seeds: Which.
        side: Voxels along the side.

    Attributes:
        names: File name of each cube.
        paths: The files.
    """

    def __init__(self, folder: Path, seeds: Sequence[int], side: int = FULL_SIDE) -> None:
        self._track = _one_cube(side)
        self.paths = [_cube_path(folder, seed) for seed in seeds]
        self.names = tuple(path.name for path in self.paths)

    def __len__(self) -> int:
        """Return the number of seeds."""
        return len(self.paths)

    def __iter__(self) -> Iterator[Field]:
        """Yield each cube, shape (side, side, side), in particles per voxel."""
        for path in self.paths:
            yield from read_fields(path, self._track)


def secret_seeds(secret: str, part: str, count: int) -> list[int]:
    """Return seeds that cannot be guessed without the secret.

    Args:
        secret: Of the host.
        part: What they are for, `training` or `held-out`: other parts get other seeds.
        count: How many; more of them begin with the same.
    """
    key = hashlib.sha256(secret.encode()).digest()
    return [
        int.from_bytes(hashlib.blake2b(f"{part} {index}".encode(), key=key).digest()[:7])
        for index in range(count)
    ]


def _require_side(path: Path, side: int) -> None:
    try:
        inspect_archive(path, _one_cube(side))
    except ArchiveError as error:
        raise CubeSourceError(
            f"{path} is there already and is no cube of {side}³ voxels ({error}): choose another "
            "folder, or remove it."
        ) from error


def _cube_path(folder: Path, seed: int) -> Path:
    return folder / f"{seed}.npz"


def _displacement(seed: int, side: int, progress: Progress) -> npt.NDArray[np.float32]:
    """Return what has displaced each particle of the initial lattice, in Mpc/h.

    Shape (side, side, side, 3). Fractions reported to `progress` are those of the time at 256³.
    """
    import jax
    from pmpp.initial_conditions.lpt import lpt
    from pmpp.initial_conditions.modes import linear_modes, white_noise
    from pmpp.nbody import nbody_init, nbody_step

    progress(0.0)
    with jax.enable_x64(True):
        conf, cosmology = _configuration(side)
        particles = lpt(linear_modes(white_noise(seed, conf), cosmology, conf), cosmology, conf)
        progress(0.1)
        times = conf.a_nbody
        particles = nbody_init(times[0], particles, cosmology, conf)
        for step in range(STEPS):
            particles = nbody_step(times[step], times[step + 1], particles, cosmology, conf)
            particles.disp.block_until_ready()
            progress(0.15 + 0.75 * (step + 1) / STEPS)
        return np.asarray(particles.disp).reshape((side,) * 3 + (3,))


@cache
def _configuration(side: int) -> tuple[Any, Any]:
    """Return pmpp's configuration and cosmology; JAX compiles once for each of them."""
    import jax
    from pmpp import Configuration
    from pmpp.cosmology import Cosmology
    from pmpp.cosmology.boltzmann import boltzmann

    conf = Configuration(
        ptcl_spacing=BOX_SIDE / side,
        ptcl_grid_shape=(side,) * 3,
        mesh_shape=2,
        a_start=FIRST_SCALE_FACTOR,
        a_nbody_maxstep=(1 - FIRST_SCALE_FACTOR) / STEPS,
        nbody_cosmo_grad=False,
        pallas_cic=jax.default_backend() == "gpu",
    )
    cosmology = Cosmology.from_sigma8(
        conf, SIGMA_8, n_s=SPECTRAL_INDEX, Omega_m=OMEGA_MATTER, Omega_b=OMEGA_BARYON, h=HUBBLE
    )
    return conf, boltzmann(cosmology, conf)
