"""Values with their error bars, as positions along a scale that all rows have in common."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from api.schemas import Interval, LeaderboardRow, Scores, StatisticScore

STATISTICS = tuple(Scores.model_fields)
LEFT, RIGHT = 6.0, 114.0
"""Where a scale begins and ends, in the units of its SVG."""

_MOST_DECADES = 4.0
"""A scale of scores reaches down from the best one by no more than this."""

Scale = Callable[[float], float]
"""Turns a value into a position; what is beyond an end lies there."""


@dataclass(frozen=True)
class Bar:
    """A value, its 95 % interval, and what real fields reach: positions, None if not known."""

    value: float | None
    interval: tuple[float, float] | None
    real: float | None


def score_interval(score: StatisticScore) -> tuple[float, float] | None:
    """Return the 95 % error bar of S* = 1 / d2: the interval of d2, moved from corrected d2 to d2.

    The interval itself is of d2 without the bias of small sets, and S* is not. Its lower end may
    have been cut at 0, so the reach downwards is told from that upwards, as in Wilson's interval.
    """
    if score.ci95 is None or score.d2_jackknife is None or score.d2 <= 0:
        return None
    up = max(0.0, score.ci95[1] - score.d2_jackknife)
    down = up / math.sqrt(1 + up / score.d2)
    return 1 / (score.d2 + up), 1 / (score.d2 - down) if score.d2 > down else math.inf


def share_bar(value: float | None, interval: Interval | None, real: float | None = None) -> Bar:
    """Return the bar of a share, on a linear scale from 0 to 1; `real` is that of real fields."""
    scale = _scale(0.0, 1.0, lambda share: share)
    return Bar(
        value=None if value is None else scale(value),
        interval=interval and (scale(interval[0]), scale(interval[1])),
        real=None if real is None else scale(real),
    )


def score_bars(rows: Sequence[LeaderboardRow]) -> list[dict[str, Bar]]:
    """Return the bars of each row's scores by statistic, each on a logarithmic scale of S*."""
    real = next((row for row in rows if row.submission is None), None)
    scales = {
        name: _score_scale([getattr(row.scores, name) for row in rows]) for name in STATISTICS
    }

    def bar(row: LeaderboardRow, name: str) -> Bar:
        score, scale = getattr(row.scores, name), scales[name]
        interval = score_interval(score)
        return Bar(
            value=scale(_s_star(score)),
            interval=interval and (scale(interval[0]), scale(interval[1])),
            real=scale(_s_star(getattr(real.scores, name))) if real else None,
        )

    return [{name: bar(row, name) for name in STATISTICS} for row in rows]


def _score_scale(scores: Sequence[StatisticScore]) -> Scale:
    ends = [score.score for score in scores if score.score]
    for score in scores:
        ends += [end for end in score_interval(score) or () if 0 < end < math.inf]
    high = max(ends, default=1.0)
    low = max(min(ends, default=1.0), high / 10**_MOST_DECADES)
    return _scale(low / 1.1, high * 1.1, math.log)


def _scale(low: float, high: float, transform: Callable[[float], float]) -> Scale:
    start, end = transform(low), transform(high)

    def position(value: float) -> float:
        share = (transform(min(max(value, low), high)) - start) / (end - start)
        return round(LEFT + share * (RIGHT - LEFT), 1)

    return position


def _s_star(score: StatisticScore) -> float:
    return math.inf if score.score is None else score.score
