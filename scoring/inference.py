"""From leave-out distances to intervals and tests; standard library only.

A distance is computed again without each group of real and without each group of fake fields. The
two-sample jackknife turns those numbers into bias, standard error and 95 % interval, and, for two
submissions against the same real fields, into a test of their difference.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

_NORMAL = NormalDist()


@dataclass(frozen=True)
class LeaveOut:
    """Distances of a fake set from a real one, with all fields and without some.

    Each distance is a triple: d2 of power spectrum, mass histogram and peak histogram.

    Attributes:
        full: With all fields.
        without_real: Without each group of real fields, at least 2.
        without_fake: Without each group of fake fields, at least 2.
    """

    full: tuple[float, ...]
    without_real: tuple[tuple[float, ...], ...]
    without_fake: tuple[tuple[float, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the distances as JSON's own types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "LeaveOut":
        """Rebuild the distances from `to_dict`.

        Raises:
            ValueError: If a value is missing or of the wrong type.
        """
        try:
            return cls(
                full=tuple(float(d2) for d2 in values["full"]),
                without_real=tuple(tuple(map(float, row)) for row in values["without_real"]),
                without_fake=tuple(tuple(map(float, row)) for row in values["without_fake"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"these are no leave-out distances: {error!r}") from error


@dataclass(frozen=True)
class Difference:
    """How far submission A is from submission B.

    Attributes:
        value: A less B.
        ci95: 95 % interval of the value.
        p: Two-sided p-value of no difference.
    """

    value: float
    ci95: tuple[float, float]
    p: float


@dataclass(frozen=True)
class Comparison:
    """How far submission A is from submission B, given the real fields that they share.

    Attributes:
        psd: Difference of d2 of the power spectrum, corrected for bias.
        mass: The same of the mass histogram.
        peak: The same of the peak histogram.
        log_overall: Difference of the natural logarithm of overall: that of the ratio.
    """

    psd: Difference
    mass: Difference
    peak: Difference
    log_overall: Difference

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON's own types."""
        return asdict(self)


def d2_interval(leave_out: LeaveOut, statistic: int) -> tuple[float, tuple[float, float]]:
    """Return bias-corrected d2, which may be negative, and its 95 % interval, which may not.

    The variance of a squared distance grows in proportion to it. So the upper bound is that of
    Wilson's score interval: the d2 whose own error just reaches down to the estimate.
    """
    value = _value(leave_out, _one(statistic))
    ratio = value.reach / max(value.full, value.reach / 2) if value.reach > 0 else 0.0
    up = value.reach * (ratio / 2 + math.sqrt(1 + ratio**2 / 4))
    bounds = value.corrected - value.reach, value.corrected + up
    return value.corrected, (max(0.0, bounds[0]), max(0.0, bounds[1]))


def overall_interval(leave_out: LeaveOut, floors: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of overall, the geometric mean of min(1, floor / d2).

    The logarithm of overall is taken as normal. What a statistic adds to its error fades where d2
    is below the floor, with the probability of a d2 so far below that is in truth above.

    Args:
        leave_out: The distances.
        floors: Floor of each statistic.

    Returns:
        The interval, within 0 to 1; None where a floor is zero.
    """
    if min(floors) <= 0:
        return None
    reach = _value(leave_out, _linear_overall(leave_out, floors)).reach
    low, high = _about(_log_overall(leave_out.full, floors), reach)
    return math.exp(low), min(1.0, math.exp(high))


def compare_submissions(a: LeaveOut, b: LeaveOut, floors: Sequence[float]) -> Comparison:
    """Test whether two submissions differ, by a jackknife over the real fields of both at once.

    Args:
        a: Distances of submission A.
        b: Distances of submission B from the same real fields.
        floors: Floor of each statistic, each above zero.

    Raises:
        ValueError: If the real fields are not the same, or a floor is zero.
    """
    if min(floors) <= 0:
        raise ValueError("submissions do not compare against a floor of zero")
    statistics = (
        _paired(_value(a, _one(index)), _value(b, _one(index))) for index in range(len(floors))
    )
    psd, mass, peak = (_difference(pair, pair.corrected) for pair in statistics)
    overall = _paired(_value(a, _linear_overall(a, floors)), _value(b, _linear_overall(b, floors)))
    ratio = _log_overall(a.full, floors) - _log_overall(b.full, floors)
    return Comparison(psd, mass, peak, _difference(overall, ratio))


def compare_with_leader(
    leader: LeaveOut, others: Sequence[LeaveOut], floors: Sequence[float]
) -> list[float]:
    """Return a p-value for each of the others: that its overall is no worse than the leader's.

    The p-values are two-sided and adjusted for their number by Holm's method. Whatever has more
    than 0.05 cannot be told apart from the leader.

    Raises:
        ValueError: If the real fields are not the same, or a floor is zero.
    """
    return holm([compare_submissions(leader, b, floors).log_overall.p for b in others])


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number by Holm's step-down method."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(order)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def student_cdf(t: float, degrees: int) -> float:
    """Return P(T <= t) of Student's t (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan2(t, math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    term = cosine if degrees % 2 else 1.0
    total = term if degrees > 1 else 0.0
    for i in range(2 + degrees % 2, degrees - 1, 2):
        term *= cosine**2 * (i - 1) / i
        total += term
    within = 2 / math.pi * (angle + sine * total) if degrees % 2 else sine * total
    return (1 + within) / 2


def student_quantile(p: float, degrees: int) -> float:
    """Return the t below which Student's t lies with probability p, 0.5 <= p < 1."""
    low, high = 0.0, 1.0
    while student_cdf(high, degrees) < p:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_cdf(middle, degrees) < p else (low, middle)
    return high


@dataclass(frozen=True)
class _Value:
    """A function of the distances, with all fields and without each group of them.

    A sample is a list of such values: those without each of its groups.
    """

    full: float
    samples: tuple[tuple[float, ...], ...]

    @property
    def corrected(self) -> float:
        """The value with all fields, less its jackknife bias."""
        return self.full - sum(
            (len(sample) - 1) * (math.fsum(sample) / len(sample) - self.full)
            for sample in self.samples
        )

    @property
    def error(self) -> float:
        """The jackknife standard error."""
        variance = 0.0
        for sample in self.samples:
            mean = math.fsum(sample) / len(sample)
            squares = math.fsum((value - mean) ** 2 for value in sample)
            variance += (len(sample) - 1) / len(sample) * squares
        return math.sqrt(variance)

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the error."""
        return min(len(sample) for sample in self.samples) - 1

    @property
    def reach(self) -> float:
        """Half the width of the 95 % interval."""
        return student_quantile(0.975, self.degrees) * self.error


def _difference(pair: _Value, value: float) -> Difference:
    if pair.error > 0:
        p = 2 * student_cdf(-abs(value) / pair.error, pair.degrees)
    else:
        p = 1.0 if value == 0 else 0.0
    return Difference(value, _about(value, pair.reach), p)


def _about(centre: float, reach: float) -> tuple[float, float]:
    return centre - reach, centre + reach


def _one(statistic: int) -> Callable[[Sequence[float]], float]:
    return lambda d2: d2[statistic]


def _value(leave_out: LeaveOut, function: Callable[[Sequence[float]], float]) -> _Value:
    real = tuple(map(function, leave_out.without_real))
    fake = tuple(map(function, leave_out.without_fake))
    return _Value(function(leave_out.full), (real, fake))


def _paired(a: _Value, b: _Value) -> _Value:
    """Return A less B: the real fields are the same, the fake fields are not."""
    real_a, fake_a = a.samples
    real_b, fake_b = b.samples
    if len(real_a) != len(real_b):
        raise ValueError("two submissions compare only against the same real fields")
    both = tuple(x - y for x, y in zip(real_a, real_b, strict=True))
    only_a = tuple(x - b.full for x in fake_a)
    only_b = tuple(a.full - y for y in fake_b)
    return _Value(a.full - b.full, (both, only_a, only_b))


_LEAST = 1e-6  # of the floor: less makes no difference, and the logarithm of zero does not exist


def _log_shares(d2: Sequence[float], floors: Sequence[float]) -> list[float]:
    return [
        math.log(floor / max(one, _LEAST * floor)) for one, floor in zip(d2, floors, strict=True)
    ]


def _log_overall(d2: Sequence[float], floors: Sequence[float]) -> float:
    return math.fsum(min(0.0, share) for share in _log_shares(d2, floors)) / len(floors)


def _linear_overall(
    leave_out: LeaveOut, floors: Sequence[float]
) -> Callable[[Sequence[float]], float]:
    """Return log overall as a linear function of the log shares, about those of the full sets."""
    shares = _log_share_values(leave_out, floors)
    above = [
        min(1.0, 2 * _NORMAL.cdf(-share.full / share.error))
        if share.error > 0
        else float(share.full < 0)
        for share in shares
    ]

    def linear(d2: Sequence[float]) -> float:
        logs = _log_shares(d2, floors)
        return math.fsum(w * log for w, log in zip(above, logs, strict=True)) / len(floors)

    return linear


def _log_share_values(leave_out: LeaveOut, floors: Sequence[float]) -> list[_Value]:
    def share(statistic: int) -> Callable[[Sequence[float]], float]:
        return lambda d2: _log_shares(d2, floors)[statistic]

    return [_value(leave_out, share(statistic)) for statistic in range(len(floors))]
