"""Synthetic fields and statistics with known answers."""

import numpy as np

from scoring import SetStatistics


def plane_wave(side, ndim, mode, amplitude, mean=10.0):
    """A field whose overdensity is a cosine of one Fourier mode, given in integer wave numbers."""
    grid = np.meshgrid(*[np.arange(side)] * ndim, indexing="ij")
    phase = 2 * np.pi / side * sum(m * axis for m, axis in zip(mode, grid, strict=True))
    return mean * (1 + amplitude * np.cos(phase))


def clumpy(side, ndim, seed, mean=10.0, scatter=1.0):
    """A lognormal field without correlations: positive, skewed, of about the given mean."""
    rng = np.random.default_rng(seed)
    shape = (side,) * ndim
    return (mean * rng.lognormal(-(scatter**2) / 2, scatter, shape)).astype(np.float32)


def clumpy_set(count, side, ndim, seed, mean=10.0, scatter=1.0):
    """Fields of `clumpy`, each with an amplitude of its own, so that their statistics vary."""
    rng = np.random.default_rng((seed, count))
    for i in range(count):
        yield clumpy(side, ndim, (seed, i), mean * rng.uniform(0.9, 1.1), scatter)


def random_statistics(count, seed, shift=0.0, scatter=0.1, bins=(43, 20, 20)):
    """Statistics that are lognormal about a power law, independent in every bin."""
    rng = np.random.default_rng(seed)

    def rows(size):
        slope = np.linspace(3, 0, size)
        return 10 ** (slope + shift + scatter * rng.standard_normal((count, size)))

    return SetStatistics(psd=rows(bins[0]), mass=rows(bins[1]), peak=rows(bins[2]))
