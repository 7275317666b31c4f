"""The statistic plots of a submission's page: from numbers to the geometry of an SVG.

Each plot has the mean of the submission and of the real fields with bands of one standard
deviation, their ratio below, and the share of each bin in the distance below that. Both axes of
the main panel are logarithmic, as is the ratio.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.schemas import StatisticView, Summary

LEFT, RIGHT = 64, 414
_X_MARGIN = 0.03  # of the axis, free at either end
_RATIO_LIMITS = (1.25, 1.5, 2.0, 4.0, 10.0, 100.0)
_LOWEST_COUNT = 0.02  # of the histograms: less is drawn at the axis


@dataclass(frozen=True)
class Tick:
    """A mark on an axis; only those with a label have a grid line."""

    position: float
    label: str = ""


@dataclass(frozen=True)
class Curve:
    """A line and the band around it, as SVG paths; `kind` is `submission` or `real`."""

    kind: str
    line: str
    band: str


@dataclass(frozen=True)
class Panel:
    """One pair of axes, its top and bottom in the units of the SVG."""

    top: float
    bottom: float
    ticks: list[Tick]
    curves: list[Curve]


@dataclass(frozen=True)
class Bin:
    """What is told of one bin when it is pointed at."""

    left: float
    width: float
    centre: float
    text: str
    share_top: float | None


@dataclass(frozen=True)
class Plot:
    """One statistic."""

    name: str
    title: str
    x_label: str
    y_label: str
    height: float
    x_ticks: list[Tick]
    main: Panel
    ratio: Panel
    shares: Panel | None
    bins: list[Bin]


@dataclass(frozen=True)
class _Scale:
    """A logarithmic axis from `low` to `high`, drawn from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 2)


def statistic_plot(name: str, title: str, view: StatisticView) -> Plot:
    """Return the plot of one statistic, over the bins that are not empty on either side."""
    view = _trimmed(view)
    x_scale = _x_scale(view.x)
    y_scale = _y_scale(name, view)
    limit = _ratio_limit(view)
    ratio_scale = _Scale(1 / limit, limit, 372, 292)
    shares = _normalised(view.diagnosis.bins) if view.diagnosis else None
    return Plot(
        name=name,
        title=title,
        x_label={"psd": "k (h/Mpc)"}.get(name, "density (particles per voxel)"),
        y_label={
            "psd": f"P(k) ({view.unit.replace('^2', '²').replace('^3', '³')})",
            "mass": "voxels per field",
            "peak": "peaks per field",
        }[name],
        height=484 if shares else 424,
        x_ticks=_decades(x_scale),
        main=Panel(
            16,
            280,
            _decades(y_scale),
            [
                _curve("real", view.x, view.real, x_scale, y_scale),
                _curve("submission", view.x, view.submission, x_scale, y_scale),
            ],
        ),
        ratio=Panel(
            292,
            372,
            [Tick(ratio_scale(r), _plain(r)) for r in (1 / limit, 1.0, limit)],
            [
                _curve("real", view.x, _over(view.real, view.real), x_scale, ratio_scale),
                _curve(
                    "submission", view.x, _over(view.submission, view.real), x_scale, ratio_scale
                ),
            ],
        ),
        shares=Panel(384, 424, [], []) if shares else None,
        bins=list(_bins(view, x_scale, shares)),
    )


def _trimmed(view: StatisticView) -> StatisticView:
    """Return the view without the bins at either end where both means are zero."""
    used = [
        i
        for i, means in enumerate(zip(view.submission.mean, view.real.mean, strict=True))
        if max(means) > 0
    ] or [0, len(view.x) - 1]
    kept = slice(used[0], used[-1] + 1)

    def cut(summary: Summary) -> Summary:
        return Summary(mean=summary.mean[kept], std=summary.std[kept])

    diagnosis = view.diagnosis and view.diagnosis.model_copy(
        update={"bins": view.diagnosis.bins[kept]}
    )
    return view.model_copy(
        update={
            "x": view.x[kept],
            "submission": cut(view.submission),
            "real": cut(view.real),
            "diagnosis": diagnosis,
        }
    )


def _x_scale(x: Sequence[float]) -> _Scale:
    low, high = max(x[0], 1e-3), x[-1]
    margin = (high / low) ** _X_MARGIN
    return _Scale(low / margin, high * margin, LEFT, RIGHT)


def _y_scale(name: str, view: StatisticView) -> _Scale:
    means = [*view.submission.mean, *view.real.mean]
    floor = _LOWEST_COUNT if name != "psd" else 0.0
    positive = [mean for mean in means if mean > floor] or [1.0]
    return _Scale(max(min(positive) / 2, floor / 2), max(positive) * 2, 280, 16)


def _ratio_limit(view: StatisticView) -> float:
    ratios = sorted(
        abs(math.log(fake / real))
        for fake, real in zip(view.submission.mean, view.real.mean, strict=True)
        if fake > 0 and real > 0
    )
    typical = math.exp(ratios[int(0.9 * (len(ratios) - 1))]) if ratios else 1.0
    return next((limit for limit in _RATIO_LIMITS if limit > typical), _RATIO_LIMITS[-1])


def _over(summary: Summary, real: Summary) -> Summary:
    """Return the summary divided by the real mean; bins without a real mean have none."""

    def divide(values: Sequence[float]) -> list[float]:
        return [
            value / mean if mean > 0 else 0.0 for value, mean in zip(values, real.mean, strict=True)
        ]

    return Summary(mean=divide(summary.mean), std=divide(summary.std))


def _curve(
    kind: str, x: Sequence[float], summary: Summary, x_scale: _Scale, y_scale: _Scale
) -> Curve:
    points = [
        (x_scale(at), mean, std) for at, mean, std in zip(x, summary.mean, summary.std, strict=True)
    ]
    runs = _runs(points)
    line = " ".join(_path([(at, y_scale(mean)) for at, mean, _ in run]) for run in runs)
    band = " ".join(
        _path(
            [(at, y_scale(mean + std)) for at, mean, std in run]
            + [(at, y_scale(mean - std)) for at, mean, std in reversed(run)]
        )
        + "Z"
        for run in runs
        if len(run) > 1
    )
    return Curve(kind, line, band)


def _runs(
    points: Iterable[tuple[float, float, float]],
) -> list[list[tuple[float, float, float]]]:
    """Split points where the mean is zero: it has no place on a logarithmic axis."""
    runs: list[list[tuple[float, float, float]]] = [[]]
    for point in points:
        if point[1] > 0:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _decades(scale: _Scale) -> list[Tick]:
    """Return ticks at 1, 2, ..., 9 in each decade; few enough of them have labels."""
    first, last = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    every = max(1, round((last - first) / 6))
    narrow = scale.high / scale.low < 30
    ticks = []
    for power in range(first, last + 1):
        for digit in range(1, 10):
            value = digit * 10.0**power
            if scale.low <= value <= scale.high:
                labelled = (digit == 1 and power % every == 0) or (narrow and digit in (2, 5))
                ticks.append(Tick(scale(value), _number(value) if labelled else ""))
    return ticks


def _bins(view: StatisticView, x_scale: _Scale, shares: Sequence[float] | None) -> Iterable[Bin]:
    centres = [x_scale(at) for at in view.x]
    edges = [
        LEFT,
        *((a + b) / 2 for a, b in itertools.pairwise(centres)),
        RIGHT,
    ]
    highest = max(shares) if shares else 0.0
    for i, centre in enumerate(centres):
        fake, real = view.submission, view.real
        text = (
            f"{_number(view.x[i])} {view.x_unit}: "
            f"submission {_number(fake.mean[i])} ± {_number(fake.std[i])}, "
            f"real {_number(real.mean[i])} ± {_number(real.std[i])}"
        )
        top = None
        if shares:
            text += f", {100 * shares[i]:.1f} % of the distance"
            top = round(424 - 40 * shares[i] / highest, 1) if highest else 424.0
        yield Bin(edges[i], round(edges[i + 1] - edges[i], 2), centre, text, top)


def _normalised(parts: Sequence[float]) -> list[float]:
    total = sum(parts)
    return [part / total for part in parts] if total > 0 else [0.0] * len(parts)


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _number(value: float) -> str:
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)) + 1e-9)
    if -3 < power < 4:
        return f"{value:.3g}" if power < 3 else f"{value:.0f}"
    mantissa = value / 10.0**power
    digits = "" if abs(mantissa - 1) < 0.005 else f"{mantissa:.3g} × "
    return f"{digits}10{str(power).translate(_SUPERSCRIPTS)}"


def _plain(value: float) -> str:
    return f"{value:.3g}"
