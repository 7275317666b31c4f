"""What a submission's diagnosis says, in sentences."""

from collections.abc import Iterator

from api.schemas import StatisticDiagnosis, StatisticView

_ALIKE, _UNLIKE = 0.5, 2.0
"""Scatter ratios below and above which the fields are said to vary too little and too much."""

_AGREEMENT = 0.05
"""Means that differ by a smaller share than this agree."""

_OUTLIER = 0.1
"""A field that makes more than this share of the distance is named."""


def findings(view: StatisticView, scatter_ratio: float | None) -> list[str]:
    """Return what makes the distance of one statistic, the most telling first.

    Args:
        view: The statistic beside that of real fields.
        scatter_ratio: Scatter of the submitted fields over that of real ones.
    """
    return [*_scatter(scatter_ratio), *_parts(view)]


def _scatter(ratio: float | None) -> Iterator[str]:
    if ratio is None:
        return
    if ratio < _ALIKE:
        yield (
            f"The fields are too alike: they scatter {ratio:.2g} times as much as real ones, as "
            "those of a collapsed model do."
        )
    elif ratio > _UNLIKE:
        yield f"The fields differ too much: they scatter {ratio:.2g} times as much as real ones."


def _parts(view: StatisticView) -> Iterator[str]:
    diagnosis = view.diagnosis
    if diagnosis is None:
        return
    d2 = diagnosis.mean + diagnosis.covariance
    if d2 <= 0:
        yield "It equals the training set."
        return
    yield (
        f"Against the training set d² is {d2:.3g}: {diagnosis.mean / d2:.0%} because the means "
        f"differ, {diagnosis.covariance / d2:.0%} because the fields scatter differently."
    )
    yield _worst_bin(view, diagnosis, d2)
    yield from _worst_field(diagnosis, d2)


def _worst_bin(view: StatisticView, diagnosis: StatisticDiagnosis, d2: float) -> str:
    worst = diagnosis.bins.index(max(diagnosis.bins))
    share = diagnosis.bins[worst] / d2
    return (
        f"The bin at {_number(view.x[worst])} {view.x_unit} adds most, {share:.0%}: "
        f"{_means(view.submission.mean[worst], view.real.mean[worst])}."
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _means(fake: float, real: float) -> str:
    if real == 0:
        return "no real field has anything there"
    if fake == 0:
        return "no submitted field has anything there"
    ratio = fake / real
    if abs(ratio - 1) < _AGREEMENT:
        return "the means agree there, the scatter does not"
    return f"its mean is {ratio:.2f} times the real one"


def _worst_field(diagnosis: StatisticDiagnosis, d2: float) -> Iterator[str]:
    if diagnosis.fields:
        most = max(diagnosis.fields)
        if most > _OUTLIER * d2:
            yield (
                f"Field {diagnosis.fields.index(most)} stands out: without it d² would be "
                f"{most / d2:.0%} less."
            )
