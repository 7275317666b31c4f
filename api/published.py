"""Scores as they are published: rounded to what their error bars support.

The last digit shown is the first one of the standard error, or the second where the error would
begin with 1, 2 or 3, as the Particle Data Group rounds. More digits tell nothing of a model, but
they would tell whoever submits again and again whether a change has come nearer to the held-out
fields. What is stored, and what `cosmoboard score` prints, stays exact.
"""

import math
from collections.abc import Mapping
from typing import Any

STATISTICS = ("psd", "mass", "peak")

_SIGMAS = 1.959964  # half of a 95 % interval, in standard errors
_DIGITS = 3  # significant ones of what has no error bar of its own
_TWO_DIGITS_BELOW = 3.55  # an error that begins so, rounded to one digit, would change by a sixth


def published(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a score report, as JSON has it, with rounded numbers."""
    places = decimals(report["overall"], report["overall_ci95"])
    return {
        **report,
        **{name: _published_statistic(report[name]) for name in STATISTICS},
        "overall": _round(report["overall"], places),
        "overall_ci95": _round_interval(report["overall_ci95"], places),
    }


def published_difference(difference: Mapping[str, Any]) -> dict[str, Any]:
    """Return a difference of two scores with rounded numbers."""
    places = decimals(difference["value"], difference["ci95"])
    return {
        "value": _round(difference["value"], places),
        "ci95": _round_interval(difference["ci95"], places),
        "p": _significant(difference["p"]),
    }


def decimals(value: float | None, ci95: tuple[float, float] | list[float] | None) -> int:
    """Return to how many decimals a value with this interval is rounded; negative for tens.

    One digit of the value is always left.
    """
    if not value:
        return _DIGITS
    first = -math.floor(math.log10(abs(value)))
    error = (ci95[1] - ci95[0]) / (2 * _SIGMAS) if ci95 else 0.0
    if error <= 0:
        return first + _DIGITS - 1
    power = math.floor(math.log10(error))
    return max(first, -power + (error / 10.0**power < _TWO_DIGITS_BELOW))


def _published_statistic(score: Mapping[str, Any]) -> dict[str, Any]:
    places = decimals(score["d2"], score["ci95"])
    d2 = _round(score["d2"], places)
    return {
        **score,
        "d2": d2,
        "score": _significant(1 / d2) if d2 else None,
        "d2_jackknife": _round(score["d2_jackknife"], places),
        "ci95": _round_interval(score["ci95"], places),
        "scatter_ratio": _significant(score["scatter_ratio"], 2),
    }


def _round(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places) + 0.0  # no minus before a zero


def _round_interval(
    ci95: tuple[float, float] | list[float] | None, places: int
) -> tuple[float, float] | None:
    return None if ci95 is None else (round(ci95[0], places) + 0.0, round(ci95[1], places) + 0.0)


def _significant(value: float | None, digits: int = _DIGITS) -> float | None:
    if not value:
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))
