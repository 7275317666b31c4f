"""From the statistics of two sets of fields to the scores of one against the other."""

from scoring.floor import floor_from_halves
from scoring.frechet import frechet_distance, log_statistics
from scoring.inference import LeaveOut, d2_interval, overall_interval
from scoring.report import Floor, Level, ScoreReport, StatisticScore, overall
from scoring.statistic_sets import STATISTICS, SetStatistics
from scoring.uncertainty import leave_out


def compare(real: SetStatistics, fake: SetStatistics, *, floor: Floor | None = None) -> ScoreReport:
    """Score fake fields against real ones (paper, section 2.4).

    The two do not play the same part: statistics are normalised by the real ones.

    Args:
        real: Statistics of at least 2 real fields.
        fake: Statistics of at least 2 fake fields of the same shape.
        floor: The d² of fresh real sets; estimated from halves of `real` if not given, which
            takes 4 real fields.

    Raises:
        ValueError: If a set is too small, if the two do not fit, or if a statistic is zero in all
            real fields.
    """
    require_comparable(real, fake)
    if floor is None and len(real) >= 4:
        floor = floor_from_halves(real)
    left_out = leave_out(real, fake)
    psd, mass, peak = (_score(name, real, fake, floor, left_out) for name in STATISTICS)
    scores = (psd, mass, peak)
    return ScoreReport(
        psd,
        mass,
        peak,
        overall=overall(scores),
        overall_ci95=_overall_interval(scores, left_out),
        leave_out=left_out,
    )


def require_comparable(real: SetStatistics, fake: SetStatistics) -> None:
    """Raise ValueError unless both sets hold 2 fields or more, of the same shape."""
    for label, fields in (("real", real), ("fake", fake)):
        if len(fields) < 2:
            raise ValueError(f"a distance needs at least 2 {label} fields, not {len(fields)}")
    if real.shape and fake.shape and real.shape != fake.shape:
        raise ValueError(f"real fields of {real.shape} and fake of {fake.shape} do not compare")
    for name in STATISTICS:
        bins, others = getattr(real, name).shape[1], getattr(fake, name).shape[1]
        if bins != others:
            raise ValueError(f"{name} has {bins} bins in the real set and {others} in the fake")
        if not getattr(real, name).any():
            raise ValueError(f"{name} is zero in every real field: nothing compares with it")


def _score(
    name: str,
    real: SetStatistics,
    fake: SetStatistics,
    floor: Floor | None,
    left_out: LeaveOut | None,
) -> StatisticScore:
    distance = frechet_distance(*log_statistics(getattr(real, name), getattr(fake, name)))
    level: Level | None = getattr(floor, name, None)
    corrected, interval = None, None
    if left_out:
        corrected, interval = d2_interval(left_out, STATISTICS.index(name))
    return StatisticScore(
        d2=distance.d2,
        score=1 / distance.d2 if distance.d2 > 0 else None,
        d2_jackknife=corrected,
        ci95=interval,
        floor=level.mean if level else None,
        floor_spread=level.spread if level else None,
        scatter_ratio=distance.trace_fake / distance.trace_real if distance.trace_real else None,
    )


def _overall_interval(
    scores: tuple[StatisticScore, ...], left_out: LeaveOut | None
) -> tuple[float, float] | None:
    floors = [score.floor for score in scores if score.floor is not None]
    if left_out is None or len(floors) < len(scores):
        return None
    return overall_interval(left_out, floors)
