"""The leaderboard as JSON and as CSV."""

import csv
import io

import httpx
import pytest

URL = "/api/v1/leaderboard"


def read(client, **params) -> httpx.Response:
    return client.get(URL, params={"track": "3d-32"} | params)


def test_rows_are_ranked_below_the_real_cubes(client, board):
    worse = board.scored(0.2, "ada")
    better = board.scored(0.4, "bob")
    board.queued("eve")

    body = read(client).json()

    assert (body["track"], body["sort"], body["reference"]) == ("3d-32", "overall", "a" * 64)
    assert [(row["rank"], row["submission"]) for row in body["rows"]] == [
        (None, None),
        (1, str(better)),
        (2, str(worse)),
    ]
    assert body["rows"][0]["method"] == "Real cubes (training set)"
    assert body["rows"][1] == {
        "rank": 1,
        "submission": str(better),
        "method": "mine",
        "participant": "bob",
        "baseline": False,
        "overall": 0.4,
        "overall_ci95": [0.2, 0.8],
        "tied_with_leader": body["rows"][1]["tied_with_leader"],
        "scores": body["rows"][1]["scores"],
    }
    assert body["rows"][1]["scores"]["mass"] == {
        "d2": 0.5,
        "score": 2.0,
        "d2_jackknife": 0.4,
        "ci95": [0.25, 1.0],
        "scatter_ratio": 0.8,
    }


def test_rows_sort_by_each_statistic(client, board):
    near = board.scored(0.1, "ada", d2=0.05)
    far = board.scored(0.8, "bob", d2=5.0)

    def order(sort):
        return [row["submission"] for row in read(client, sort=sort).json()["rows"]]

    assert order("overall") == [None, str(far), str(near)]
    for statistic in ("psd", "mass", "peak"):
        assert order(statistic) == [str(near), None, str(far)]


def test_a_distance_of_zero_has_no_finite_score(client, board):
    board.scored(1.0, d2=0.0)
    assert read(client, sort="psd").json()["rows"][0]["scores"]["psd"]["score"] is None
    rows = csv.DictReader(io.StringIO(read(client, sort="psd", format="csv").text))
    assert next(rows)["psd_score"] == "inf"


def test_a_track_that_is_not_open_has_no_rows(client, board):
    body = read(client, track="3d-256").json()
    assert (body["reference"], body["rows"]) == (None, [])


@pytest.mark.parametrize("params", [{"track": "4d-1"}, {"sort": "luck"}, {"format": "xml"}])
def test_parameters_are_checked(client, board, params):
    answer = read(client, **params)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    (fault,) = answer.json()["errors"]
    assert fault["field"] == f"query.{next(iter(params))}"


def test_csv_holds_the_same_values_one_to_a_column(client, board):
    submission = board.scored(0.4, "bob")
    answer = read(client, format="csv")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    real, row = csv.DictReader(io.StringIO(answer.text))
    assert (real["rank"], real["submission"], real["participant"]) == ("", "", "")
    assert row["submission"] == str(submission)
    assert (row["rank"], row["baseline"]) == ("1", "false")
    assert [float(row[f"overall{end}"]) for end in ("", "_ci95_low", "_ci95_high")] == [
        0.4,
        0.2,
        0.8,
    ]
    assert [float(row[f"peak_{name}"]) for name in ("d2", "score", "ci95_low", "ci95_high")] == [
        0.5,
        2.0,
        0.25,
        1.0,
    ]


def test_a_name_that_a_spreadsheet_would_run_is_quoted(client, board):
    board.scored(0.4, "+bob", method='=HYPERLINK("http://evil")')
    _, row = csv.DictReader(io.StringIO(read(client, format="csv").text))
    assert (row["method"], row["participant"]) == ('\'=HYPERLINK("http://evil")', "'+bob")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv", "text/csv"),
        ("text/csv;q=0.9, application/json;q=0.5", "text/csv"),
        ("application/json, text/csv", "application/json"),
        ("text/csv;q=0.1, */*", "application/json"),
        ("text/csv;q=many", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
def test_the_client_says_what_it_accepts(client, board, accept, form):
    answer = client.get(URL, params={"track": "3d-32"}, headers={"Accept": accept})
    assert answer.headers["content-type"].split(";")[0] == form
    assert answer.headers["vary"] == "Accept, Accept-Encoding"


def test_what_has_not_changed_is_not_sent_again(client, board):
    submission_id = board.scored(0.2)
    first = read(client)
    tag = {"If-None-Match": first.headers["ETag"]}
    assert client.get(URL, params={"track": "3d-32"}, headers=tag).status_code == 304
    assert client.get(URL, params={"track": "3d-32", "sort": "psd"}, headers=tag).is_success

    board.scored(0.4, "bob")
    answer = client.get(URL, params={"track": "3d-32"}, headers=tag)
    assert answer.status_code == 200
    assert answer.json()["rows"][2]["submission"] == str(submission_id)


def test_it_is_gzipped_for_those_who_take_it(client, board):
    board.scored(0.2)
    packed = client.get(URL, params={"track": "3d-32"}, headers={"Accept-Encoding": "gzip"})
    plain = client.get(URL, params={"track": "3d-32"}, headers={"Accept-Encoding": "gzip;q=0"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()
