"""How scores are rounded for the public."""

import pytest

from api.published import decimals, published
from tests.boards import report


@pytest.mark.parametrize(
    ("value", "error", "places"),
    [
        (0.6234, 0.04, 2),
        (0.6234, 0.0999, 2),
        (0.6234, 0.03, 3),
        (0.6234, 0.1, 2),
        (12.34, 4.0, 0),
        (12.34, 3.0, 1),
        (123.4, 40.0, -1),
        (0.0042, 0.04, 3),  # one digit of the value is left
        (0.6234, 0.0, 3),
        (0.0, 0.1, 3),
    ],
)
def test_the_last_digit_is_the_first_or_second_of_the_standard_error(value, error, places):
    half = 1.959964 * error
    assert decimals(value, (value - half, value + half)) == places


def test_two_reports_that_differ_by_less_than_their_error_are_published_alike():
    one, other = (published(report(0.2 + shift, 0.52 + shift).to_dict()) for shift in (0, 0.002))
    for name in ("psd", "mass", "peak", "overall"):
        assert one[name] == other[name], name


def test_what_is_published_hides_the_rest_of_the_digits():
    exact = report(0.2537, 0.51234).to_dict()
    shown = published(exact)
    assert shown["overall"] == 0.25
    assert shown["psd"]["d2"] == 0.51
    assert shown["psd"]["score"] == 1.96
    assert shown["psd"]["d2_jackknife"] == 0.41
    assert exact["psd"]["d2"] == 0.51234


def test_an_infinite_score_stays_one_and_no_error_bar_leaves_three_digits():
    exact = report(1.0, 0.0).to_dict()
    assert published(exact)["psd"]["score"] is None
    exact["mass"] |= {"d2": 0.123456, "ci95": None, "d2_jackknife": None}
    assert published(exact)["mass"]["d2"] == 0.123
