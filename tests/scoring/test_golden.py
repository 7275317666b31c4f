"""Agreement with the published evaluation code, on inputs that anyone can regenerate."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import scoring
from cubes.archive import read_fields, write_archive
from scoring import (
    MASS_BINS,
    PEAK_BINS,
    Floor,
    Level,
    SetStatistics,
    compare,
    set_statistics,
    wavenumbers,
)
from tests.golden.cascade import cascade_set

CASES = {
    case["name"]: case
    for case in json.loads((Path(__file__).parents[1] / "golden" / "cases.json").read_text())[
        "cases"
    ]
}

FLOOR = Floor(Level(1, 0), Level(1, 0), Level(1, 0))  # none is published


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def fields(case, label):
    for field in cascade_set(
        case["count"], case["n"], case["ndim"], case[f"{label}_seed"], case[f"{label}_table"]
    ):
        yield field.astype(case["dtype"])


@cache
def statistics(name, label) -> SetStatistics:
    return set_statistics(fields(CASES[name], label), threads=2)


def box_ratio(case):
    """The published code takes a cube of `n` voxels for a corner of the box; here it is the box."""
    return 256 / case["n"] if case["ndim"] == 3 else 1.0


def test_inputs_are_those_of_the_published_run(case):
    for field, total in zip(fields(case, "fake"), case["fake_voxel_sum"], strict=False):
        assert field.sum(dtype=np.float64) == total


@pytest.mark.parametrize("statistic", ["mass", "peak"])
def test_histograms_agree_bit_for_bit(case, statistic):
    golden = np.array(case[f"fake_{statistic}"])
    fake = getattr(statistics(case["name"], "fake"), statistic)
    real = getattr(statistics(case["name"], "real"), statistic)
    np.testing.assert_array_equal(fake[: len(golden)], golden)
    np.testing.assert_array_equal(real.mean(axis=0), case[f"real_mean_{statistic}"])


def test_power_spectra_agree_to_a_millionth(case):
    golden = np.array(case["fake_psd"])
    volume = box_ratio(case) ** 3
    fake, real = statistics(case["name"], "fake").psd, statistics(case["name"], "real").psd
    np.testing.assert_allclose(fake[: len(golden)], golden * volume, rtol=1e-6)
    np.testing.assert_allclose(
        real.mean(axis=0), np.array(case["real_mean_psd"]) * volume, rtol=1e-6
    )


def test_distances_agree_to_a_millionth(case):
    report = compare(
        statistics(case["name"], "real"), statistics(case["name"], "fake"), floor=FLOOR
    )
    for name, d2 in case["nuclear_norm_d2"].items():
        assert getattr(report, name).d2 == pytest.approx(d2, rel=1e-6, abs=0)


def test_axes_agree(case):
    k = wavenumbers((case["n"],) * case["ndim"])
    assert len(k) == case["n_psd_bins"]
    np.testing.assert_allclose(k, np.array(case["k"]) / box_ratio(case), rtol=1e-12)
    # The published centres of a float32 run are themselves rounded to float32.
    rtol = 1e-12 if case["dtype"] == "float64" else 1e-6
    np.testing.assert_allclose(MASS_BINS.centres, case["mass_centres"], rtol=rtol)
    np.testing.assert_allclose(PEAK_BINS.centres, case["peak_centres"], rtol=rtol)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<u4", ">u4", "<i8", ">i8", "<f4", ">f4", "<f8", ">f8", "g"])
@pytest.mark.parametrize("name", ["2d-64", "3d-32-float64"])
def test_every_dtype_byte_order_and_memory_order_agrees(name, dtype, order):
    case = CASES[name]
    cast = (np.array(field, dtype, order=order) for field in fields(case, "fake"))
    fake = set_statistics(cast)
    for statistic in ("psd", "mass", "peak"):
        np.testing.assert_array_equal(
            getattr(fake, statistic), getattr(statistics(name, "fake"), statistic)
        )
    report = compare(statistics(name, "real"), fake, floor=FLOOR)
    for statistic, d2 in case["nuclear_norm_d2"].items():
        assert getattr(report, statistic).d2 == pytest.approx(d2, rel=1e-6, abs=0)


@pytest.mark.parametrize("compression", ["stored", "deflated"])
@pytest.mark.parametrize("threads", [1, 2])
def test_an_archive_scores_as_its_fields_do(tmp_path, compression, threads):
    name = "3d-64"
    write_archive(tmp_path / "fake.npz", fields(CASES[name], "fake"), compression=compression)
    streamed = set_statistics(read_fields(tmp_path / "fake.npz"), threads=threads)
    for statistic in ("psd", "mass", "peak"):
        np.testing.assert_array_equal(
            getattr(streamed, statistic), getattr(statistics(name, "fake"), statistic)
        )


def test_every_public_name_is_there():
    for name in scoring.__all__:
        assert getattr(scoring, name) is not None
    assert sorted(scoring.__all__) == dir(scoring)
