"""The floor: how far from the reference even fresh real sets come out, on average."""

from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.frechet import frechet_distance, log_statistics
from scoring.report import Floor, Level
from scoring.statistic_sets import STATISTICS, SetStatistics

Array = npt.NDArray[Any]

_SEED = 350  # pinned: the same sets always have the same floor
_SPLITS = 200
_FEW_SPLITS = 40  # of a large pool, where splits are slow and their d² all alike
_LARGE = 2000


def floor_from_pool(
    train: SetStatistics, held_out: SetStatistics, *, count: int | None = None
) -> Floor:
    """Measure the floor by splitting pooled real fields at random, over and over.

    Args:
        train: Real fields of the training set.
        held_out: Real fields of the reference set.
        count: Fields in a submission; the size of the training set if not given.

    Returns:
        Mean and spread of d² of `count` fields against as many as the reference holds.

    Raises:
        ValueError: If the pool is too small for such splits.
    """
    pool = _join(train, held_out)
    fresh = len(train) if count is None else count
    if min(fresh, len(held_out)) < 2 or fresh + len(held_out) > len(pool):
        raise ValueError(
            f"a floor needs two disjoint sets of at least 2 fields, {len(held_out)} and {fresh}, "
            f"out of {len(pool)} real ones"
        )
    return _floor(pool, len(held_out), fresh, scale=1.0)


def floor_from_halves(real: SetStatistics) -> Floor:
    """Estimate the floor from one set alone, by random halvings.

    The d² of two halves is twice that of two whole sets, because its bias falls as 1/n: it is
    divided by 2.

    Raises:
        ValueError: If there are fewer than 4 fields.
    """
    if len(real) < 4:
        raise ValueError(f"a floor from halves needs at least 4 real fields, not {len(real)}")
    half = len(real) // 2
    return _floor(real, len(real) - half, half, scale=0.5)


def _join(train: SetStatistics, held_out: SetStatistics) -> SetStatistics:
    if train.shape != held_out.shape or train.psd.shape[1] != held_out.psd.shape[1]:
        raise ValueError(f"fields of {train.shape} and {held_out.shape} cannot be pooled")
    parents = np.concatenate([2 * _units(held_out), 2 * _units(train) + 1])
    return SetStatistics(
        psd=np.concatenate([held_out.psd, train.psd]),
        mass=np.concatenate([held_out.mass, train.mass]),
        peak=np.concatenate([held_out.peak, train.peak]),
        shape=train.shape,
        parents=parents,
    )


def _units(fields: SetStatistics) -> Array:
    """Label what must stay together in a split: fields of one parent cube."""
    if fields.parents is None:
        return np.arange(len(fields))
    return np.unique(fields.parents, return_inverse=True)[1]


def _floor(pool: SetStatistics, reference: int, fresh: int, scale: float) -> Floor:
    """Summarise d² over random disjoint sets of the given sizes."""
    rng = np.random.default_rng(_SEED)
    units = _units(pool)
    splits = []
    for _ in range(_SPLITS if len(pool) <= _LARGE else _FEW_SPLITS):
        # Whole units in random order; the set that is short of fields takes part of a unit.
        order = np.argsort(rng.permutation(units.max() + 1)[units], kind="stable")
        splits.append((order[:reference], order[-fresh:]))
    levels = {}
    for name in STATISTICS:
        rows = getattr(pool, name)
        d2 = [
            frechet_distance(*log_statistics(rows[a], rows[b])).d2
            for a, b in splits
            if rows[a].any()  # what is zero in all of one part compares with nothing
        ]
        levels[name] = Level(float(np.mean(d2)) * scale, float(np.std(d2, ddof=1)) * scale)
    return Floor(**levels)
