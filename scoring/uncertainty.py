"""Distances without some of the fields: what error bars and tests are made of."""

from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.frechet import distance, log_statistics, moments
from scoring.inference import LeaveOut
from scoring.statistic_sets import STATISTICS, SetStatistics

Array = npt.NDArray[Any]

_SEED = 350  # pinned: the same sets always have the same error bars
_SINGLES = 128  # the most fields that are left out one by one
_GROUPS = 40  # random groups of a larger set: enough for an error bar


def leave_out(real: SetStatistics, fake: SetStatistics) -> LeaveOut | None:
    """Compute d2 of all three statistics without each group of real and of fake fields.

    A group is what does not depend on the rest: the fields of one parent cube where parents are
    known, else one field, or a random group of fields in a large set.

    Returns:
        The distances; None where a set has fewer than 3 groups, or where a statistic is zero in all
        the real fields that remain.
    """
    real_groups, fake_groups = _groups(real), _groups(fake)
    if min(len(real_groups), len(fake_groups)) < 3:
        return None
    columns = []
    for name in STATISTICS:
        rows, others = getattr(real, name), getattr(fake, name)
        if any(not np.delete(rows, group, axis=0).any() for group in real_groups):
            return None
        columns.append(_leave_out(rows, others, real_groups, fake_groups))
    full, without_real, without_fake = zip(*columns, strict=True)
    return LeaveOut(
        full,
        tuple(zip(*without_real, strict=True)),
        tuple(zip(*without_fake, strict=True)),
    )


def _leave_out(
    real: Array, fake: Array, real_groups: list[Array], fake_groups: list[Array]
) -> tuple[float, list[float], list[float]]:
    log_real, log_fake = log_statistics(real, fake)
    fixed = moments(log_real)
    full = distance(fixed, moments(log_fake)).total
    without_fake = [
        distance(fixed, moments(np.delete(log_fake, group, axis=0))).total for group in fake_groups
    ]
    without_real = []
    for group in real_groups:
        # The logarithms change too: they are relative to the mean of the real fields that remain.
        fewer, all_fake = log_statistics(np.delete(real, group, axis=0), fake)
        without_real.append(distance(moments(fewer), moments(all_fake)).total)
    return full, without_real, without_fake


def _groups(fields: SetStatistics) -> list[Array]:
    """Split a set into groups that do not depend on one another; return the indices of each."""
    labels = fields.parents
    if labels is None:
        if len(fields) <= _SINGLES:
            return list(np.arange(len(fields))[:, None])
        shuffled = np.random.default_rng(_SEED).permutation(len(fields))
        return np.array_split(shuffled, _GROUPS)
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]
