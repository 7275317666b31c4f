"""A submission's statistics beside real ones, and slices of both."""

import gzip
import io

import numpy as np
import pytest

from board.models import Reference, SubmissionStatistics
from cubes.preview import Preview
from scoring import SetStatistics, diagnose, wavenumbers
from tests.boards import TRACK, bearer
from tests.fields import random_statistics


def statistics(seed: int, shift: float = 0.0) -> SetStatistics:
    found = random_statistics(30, seed, shift, bins=(len(wavenumbers(TRACK.shape)), 20, 20))
    return SetStatistics(found.psd, found.mass, found.peak, TRACK.shape)


TRAINING, HELD_OUT, FAKE = statistics(1), statistics(2), statistics(3, shift=0.1)


def packed_preview(level: float) -> bytes:
    preview = Preview(TRACK)
    preview.add(np.full(TRACK.shape, level))
    return preview.to_bytes()


@pytest.fixture
def scored(board):
    """A scored submission whose statistics, and those of its reference, are kept."""
    submission_id = board.scored(0.25)
    with board.session() as session:
        session.query(Reference).update(
            {
                "training": TRAINING.to_bytes(),
                "held_out": HELD_OUT.to_bytes(),
                "training_preview": packed_preview(9.0),
            }
        )
        session.query(SubmissionStatistics).update(
            {"statistics": FAKE.to_bytes(), "preview": packed_preview(99.0)}
        )
    return submission_id


def url(submission_id) -> str:
    return f"/api/v1/submissions/{submission_id}/statistics"


def test_everybody_sees_a_scored_submission_beside_the_training_set(client, scored):
    body = client.get(url(scored)).json()
    assert (body["against"], body["fields"], body["real_fields"]) == ("training", 30, 30)
    np.testing.assert_allclose(body["psd"]["x"], wavenumbers(TRACK.shape))
    for name in ("psd", "mass", "peak"):
        rows, real = getattr(FAKE, name), getattr(TRAINING, name)
        np.testing.assert_allclose(body[name]["submission"]["mean"], rows.mean(axis=0))
        np.testing.assert_allclose(body[name]["submission"]["std"], rows.std(axis=0))
        np.testing.assert_allclose(body[name]["real"]["mean"], real.mean(axis=0))
        expected = getattr(diagnose(TRAINING, FAKE), name)
        np.testing.assert_allclose(body[name]["diagnosis"]["bins"], expected.bins)
        np.testing.assert_allclose(body[name]["diagnosis"]["fields"], expected.fields)


def test_held_out_statistics_are_for_the_host(client, board, scored):
    params = {"against": "held-out"}
    for headers in ({}, bearer(board.token("ada")), bearer(board.token("eve"))):
        answer = client.get(url(scored), params=params, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    host = bearer(board.token("hostess", is_host=True))
    body = client.get(url(scored), params=params, headers=host).json()
    np.testing.assert_allclose(body["psd"]["real"]["mean"], HELD_OUT.psd.mean(axis=0))


def test_nothing_of_the_held_out_set_is_on_a_page(client, board, scored):
    """Not a number of its means, in whatever way it may be written."""
    page = client.get(f"/submissions/{scored}").text + client.get(url(scored)).text
    assert f"{TRAINING.psd.mean(axis=0)[0]:.4g}"[:4] in page
    for value in HELD_OUT.psd.mean(axis=0)[:5]:
        assert repr(float(value))[:8] not in page


def test_what_is_not_scored_has_no_statistics(client, board):
    headers = bearer(board.token())
    answer = client.get(url(board.queued()), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_the_page_draws_three_plots(client, scored):
    page = client.get(f"/submissions/{scored}").text
    assert page.count('<svg class="plot"') == 3
    assert "because the means differ" in page
    assert "NaN" not in page
    assert "inf" not in page.replace("information", "")


def read(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content), allow_pickle=False)


def test_slices_of_both_can_be_read(client, scored):
    own = read(client.get(f"/api/v1/submissions/{scored}/preview"))
    real = read(client.get("/api/v1/tracks/3d-32/training-preview"))
    assert own.shape == real.shape == TRACK.shape
    assert (own == 102).all()  # 2 of 5 decades
    assert (real == 51).all()


def test_a_preview_that_is_not_kept_is_said(client, board):
    answer = client.get(f"/api/v1/submissions/{board.scored(0.2)}/preview")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert client.get("/api/v1/tracks/3d-256/training-preview").json()["code"] == "no_reference"


def test_a_preview_travels_gzipped(client, scored):
    with client.stream("GET", f"/api/v1/submissions/{scored}/preview") as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(gzip.decompress(raw)) > len(raw)
