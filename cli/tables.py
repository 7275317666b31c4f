"""Scores as tables for the terminal."""

from rich.table import Table

from scoring.report import ScoreReport, StatisticScore

LABELS = {"psd": "Power spectrum", "mass": "Mass histogram", "peak": "Peak histogram"}


def report_table(report: ScoreReport) -> Table:
    """Return a table of one report: S* and d² of each statistic, and the overall share."""
    table = Table(caption=f"overall {percent(report.overall)}", caption_justify="left")
    for column in ("", "S*", "d²", "95 %", "floor", "scatter"):
        table.add_column(column, justify="left" if not column else "right")
    for name, label in LABELS.items():
        score: StatisticScore = getattr(report, name)
        table.add_row(
            label,
            s_star(score),
            f"{score.d2:.4g}",
            interval(score.ci95),
            number(score.floor),
            number(score.scatter_ratio),
        )
    return table


def s_star(score: StatisticScore) -> str:
    """Return S*, infinite where the distance is zero."""
    return "∞" if score.score is None else f"{score.score:.3g}"


def percent(share: float | None) -> str:
    """Return a share as a percentage."""
    return "–" if share is None else f"{round(100 * share, 1):g} %"


def interval(bounds: tuple[float, float] | None) -> str:
    """Return an interval as its two ends."""
    return "–" if bounds is None else f"{bounds[0]:.3g} to {bounds[1]:.3g}"


def number(value: float | None) -> str:
    """Return a number to three digits."""
    return "–" if value is None else f"{value:.3g}"
