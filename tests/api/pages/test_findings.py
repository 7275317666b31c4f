"""What the pages say of a diagnosis."""

from api.pages.findings import findings
from api.schemas import StatisticDiagnosis, StatisticView, Summary


def view(
    fake: list[float],
    real: list[float],
    bins: list[float],
    covariance: float = 0.0,
    fields: list[float] | None = None,
) -> StatisticView:
    return StatisticView(
        x=[0.1, 0.2],
        x_unit="h/Mpc",
        unit="(Mpc/h)^3",
        submission=Summary(mean=fake, std=[0, 0]),
        real=Summary(mean=real, std=[0, 0]),
        diagnosis=StatisticDiagnosis(
            mean=sum(bins) - covariance, covariance=covariance, bins=bins, fields=fields
        ),
    )


def test_the_parts_and_the_worst_bin_are_named() -> None:
    assert findings(view([1, 3], [1, 2], [0.1, 0.3], covariance=0.1), 1.0) == [
        "Against the training set d² is 0.4: 75% because the means differ, 25% because the fields "
        "scatter differently.",
        "The bin at 0.2 h/Mpc adds most, 75%: its mean is 1.50 times the real one.",
    ]


def test_what_is_empty_or_agrees_is_said_so() -> None:
    assert "no submitted field has anything there" in findings(view([0, 1], [1, 1], [1, 0]), 1)[-1]
    assert "no real field has anything there" in findings(view([1, 1], [0, 1], [1, 0]), 1)[-1]
    assert "the means agree there" in findings(view([1, 1], [1, 1], [1, 0], 1.0), 1)[-1]


def test_a_collapsed_model_is_told_first_and_one_too_wild_too() -> None:
    assert findings(view([1, 1], [1, 1], [0, 0]), 0.1) == [
        "The fields are too alike: they scatter 0.1 times as much as real ones, as those of a "
        "collapsed model do.",
        "It equals the training set.",
    ]
    assert findings(view([1, 1], [1, 1], [0, 0]), 3.0)[0].startswith("The fields differ too much")


def test_a_field_that_stands_out_is_named() -> None:
    found = findings(view([1, 2], [1, 1], [0, 1], fields=[0.0, 0.01, 0.4]), None)
    assert found[-1] == "Field 2 stands out: without it d² would be 40% less."


def test_sets_without_a_diagnosis_have_none() -> None:
    bare = view([1, 2], [1, 1], [0, 1]).model_copy(update={"diagnosis": None})
    assert findings(bare, 1.0) == []
