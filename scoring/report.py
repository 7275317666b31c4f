"""What a comparison of two sets found: plain data, JSON in and out, standard library only."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from scoring.inference import (
    Comparison,
    LeaveOut,
    compare_submissions,
    compare_with_leader,
    holm,
)

__all__ = [
    "SCORER_VERSION",
    "Comparison",
    "Floor",
    "LeaveOut",
    "Level",
    "ScoreReport",
    "StatisticScore",
    "compare_submissions",
    "compare_with_leader",
    "holm",
    "overall",
]

SCORER_VERSION = "1"
"""Changes whenever the same fields may get another score."""


@dataclass(frozen=True)
class StatisticScore:
    """The score of one statistic.

    Attributes:
        d2: Squared Fréchet distance to the real set (paper, eq. 1), >= 0.
        score: S* = 1 / d2 (paper, eq. 2); None where d2 is 0.
        d2_jackknife: d2 less the bias of small sets: estimates the d2 of unlimited sets; may be
            negative.
        ci95: 95 % interval of the d2 of unlimited sets, >= 0.
        floor: Mean d2 of fresh real sets.
        floor_spread: Standard deviation of that d2 from one such set to another.
        scatter_ratio: Tr C_fake / Tr C_real; None where the real fields do not vary.
    """

    d2: float
    score: float | None
    d2_jackknife: float | None
    ci95: tuple[float, float] | None
    floor: float | None
    floor_spread: float | None
    scatter_ratio: float | None

    @property
    def attained(self) -> float | None:
        """The share of the attainable, min(1, floor / d2)."""
        if self.floor is None:
            return None
        return self.floor / self.d2 if self.d2 > self.floor else 1.0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "StatisticScore":
        """Rebuild a score from the object that JSON makes of it; unknown keys are passed over."""
        return cls(
            d2=_number(values["d2"]),
            score=_number_or_none(values["score"]),
            d2_jackknife=_number_or_none(values["d2_jackknife"]),
            ci95=_interval_or_none(values["ci95"]),
            floor=_number_or_none(values["floor"]),
            floor_spread=_number_or_none(values["floor_spread"]),
            scatter_ratio=_number_or_none(values["scatter_ratio"]),
        )


@dataclass(frozen=True)
class ScoreReport:
    """The scores of a set of fake fields against a set of real ones.

    Attributes:
        psd: Score of the power spectrum.
        mass: Score of the mass histogram.
        peak: Score of the peak histogram.
        overall: Geometric mean of min(1, floor / d2) over the three, 0 to 1; None without floor.
        overall_ci95: 95 % interval of `overall`.
        scorer_version: Version of the code that made the report.
        leave_out: What the error bars were made of; tells of single real fields, so that it is not
            part of the JSON.
    """

    psd: StatisticScore
    mass: StatisticScore
    peak: StatisticScore
    overall: float | None
    overall_ci95: tuple[float, float] | None
    scorer_version: str = SCORER_VERSION
    leave_out: LeaveOut | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON's own types, without `leave_out`."""
        values = asdict(self)
        del values["leave_out"]
        return values

    def to_json(self) -> str:
        """Return the report as one JSON object."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ScoreReport":
        """Rebuild a report from the object that JSON makes of it.

        Raises:
            ValueError: If a value is missing or of the wrong type.
        """
        try:
            return cls(
                psd=StatisticScore.from_dict(values["psd"]),
                mass=StatisticScore.from_dict(values["mass"]),
                peak=StatisticScore.from_dict(values["peak"]),
                overall=_number_or_none(values["overall"]),
                overall_ci95=_interval_or_none(values["overall_ci95"]),
                scorer_version=str(values["scorer_version"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no score report: {error!r}") from error

    @classmethod
    def from_json(cls, text: str | bytes) -> "ScoreReport":
        """Rebuild a report from `to_json`.

        Raises:
            ValueError: If the text is anything else.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ValueError(f"this is no score report: {error}") from error
        return cls.from_dict(values)


@dataclass(frozen=True)
class Level:
    """The d2 of fresh real sets: mean, and standard deviation from one set to another."""

    mean: float
    spread: float


@dataclass(frozen=True)
class Floor:
    """The noise of each statistic: what even fresh real sets do not get below on average."""

    psd: Level
    mass: Level
    peak: Level

    def to_dict(self) -> dict[str, Any]:
        """Return the floor as JSON's own types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Floor":
        """Rebuild a floor from `to_dict`.

        Raises:
            ValueError: If a value is missing or of the wrong type.
        """
        try:
            return cls(**{name: Level(**values[name]) for name in ("psd", "mass", "peak")})
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no floor: {error!r}") from error


def overall(scores: tuple[StatisticScore, ...]) -> float | None:
    """Return the geometric mean of what the statistics attain, None if one has no floor."""
    attained = [score.attained for score in scores]
    if None in attained:
        return None
    return math.prod(share for share in attained if share is not None) ** (1 / len(attained))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _number_or_none(value: Any) -> float | None:
    return None if value is None else _number(value)


def _interval_or_none(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    low, high = value
    return _number(low), _number(high)
