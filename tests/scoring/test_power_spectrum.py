import os
import subprocess
import sys

import numpy as np
import pytest

from cubes.tracks import box_side
from scoring import power_spectrum as module
from scoring import use_cache, wavenumbers
from scoring.density import as_density
from scoring.power_spectrum import power_spectrum
from scoring.shells import shells
from tests.fields import clumpy, plane_wave

EMPTY = {
    (3, 32): {1, 2, 3, 4, 6, 7, 9, 12, 14},
    (3, 64): {1, 2, 3, 5, 7, 11},
    (3, 128): {1, 2, 4, 6},
    (3, 256): {1, 2, 5},
    (2, 32): {1, 2, 3, 4, 6, 7, 8, 9, 11, 13, 14, 15, 19, 24},
    (2, 64): {1, 2, 3, 5, 6, 7, 9, 11, 12, 15},
    (2, 128): {1, 2, 4, 5, 6, 9, 10, 14},
    (2, 256): {1, 2, 4, 5, 8, 11},
}


def bins_by_definition(side, ndim):
    """|k| of every mode of the half spectrum; edges of the 49 bins, and of the rest above them."""
    length = box_side(ndim, side)
    k = 2 * np.pi * np.fft.fftfreq(side, length / side)
    axes = np.meshgrid(*[k] * (ndim - 1), k[: side // 2 + 1], indexing="ij", sparse=True)
    absolute = np.sqrt(sum(axis**2 for axis in axes))
    low = np.floor(np.log10(absolute[absolute > 0].min()) * 1e15) / 1e15
    high = np.ceil(np.log10(absolute.max()) * 1e15) / 1e15
    return absolute, np.append(np.logspace(low, high, 50), np.inf)


def by_definition(field):
    field = np.asarray(field, np.float64)
    absolute, edges = bins_by_definition(field.shape[0], field.ndim)
    power = np.abs(np.fft.rfftn(field / field.mean() - 1)) ** 2
    modes = np.histogram(absolute, edges)[0][:-1]
    kept = modes > 0
    mean = np.histogram(absolute, edges, weights=power)[0][:-1][kept] / modes[kept]
    return mean * box_side(field.ndim, field.shape[0]) ** field.ndim / field.size**2


@pytest.mark.parametrize(("ndim", "side"), EMPTY)
def test_modes_per_bin_are_those_of_the_definition(ndim, side):
    absolute, edges = bins_by_definition(side, ndim)
    modes = np.histogram(absolute, edges)[0][:-1]
    assert set(np.flatnonzero(modes == 0)) == EMPTY[ndim, side]
    np.testing.assert_array_equal(shells(side, ndim).modes, modes[modes > 0])
    # All modes but the constant one are in some bin, the corner included.
    assert modes.sum() == absolute.size - 1


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("side", [2, 3, 8, 15, 16, 17, 48, 54, 64])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_power_is_that_of_the_definition(ndim, side, dtype):
    field = clumpy(side, ndim, seed=side).astype(dtype)
    expected = by_definition(field)
    np.testing.assert_allclose(power_spectrum(as_density(field)), expected, rtol=2e-6)
    assert wavenumbers(field.shape).shape == expected.shape


@pytest.mark.parametrize(
    ("ndim", "mode"), [(2, (3, 0)), (2, (0, 5)), (3, (2, 0, 4)), (3, (0, 0, 6))]
)
def test_a_plane_wave_has_the_power_of_its_amplitude(ndim, mode):
    """A cosine of amplitude a has |delta_k|² = (a N / 2)² at +k and -k, and P = V |delta_k|² / N².

    The half spectrum holds one of the two where kz > 0, and both where kz = 0.
    """
    side, amplitude = 32, 0.25
    length = box_side(ndim, side)
    field = plane_wave(side, ndim, mode, amplitude)
    power = power_spectrum(as_density(field))
    absolute, edges = bins_by_definition(side, ndim)
    k = 2 * np.pi / length * np.sqrt(sum(m**2 for m in mode))
    b = np.searchsorted(edges, k, side="right") - 1
    modes = np.histogram(absolute, edges)[0][:-1]
    stored = 1 if mode[-1] > 0 else 2
    expected = stored * (amplitude / 2) ** 2 * length**ndim / modes[b]
    assert power.sum() == pytest.approx(expected, rel=1e-5)
    assert np.argmax(power) == np.count_nonzero(modes[:b])
    assert wavenumbers(field.shape)[np.argmax(power)] == pytest.approx(k, rel=0.1)


def test_faint_structure_on_a_bright_mean_is_not_lost():
    faint = plane_wave(32, 3, (0, 0, 3), amplitude=1e-5, mean=1e4)
    strong = plane_wave(32, 3, (0, 0, 3), amplitude=1e-1, mean=1e4)
    ratio = power_spectrum(as_density(strong)).max() / power_spectrum(as_density(faint)).max()
    assert ratio == pytest.approx(1e8, rel=1e-6)


@pytest.mark.parametrize("factor", [1e-6, 1e6, 1e30])
def test_the_unit_of_density_does_not_matter(factor):
    field = clumpy(32, 3, seed=5).astype(np.float64)
    np.testing.assert_allclose(
        power_spectrum(as_density(field * factor)), power_spectrum(as_density(field)), rtol=1e-6
    )


@pytest.mark.parametrize("value", [0.1, 1 / 3, 64.0])
def test_a_constant_field_has_no_power(value):
    power = power_spectrum(as_density(np.full((16, 16, 16), value)))
    np.testing.assert_array_equal(power, np.zeros(len(wavenumbers((16, 16, 16)))))


def test_threads_of_one_transform_agree():
    density = as_density(clumpy(64, 3, seed=9))
    np.testing.assert_allclose(
        power_spectrum(density, threads=2), power_spectrum(density), rtol=1e-6
    )


def test_buffers_of_earlier_shapes_are_let_go():
    for side in (16, 24):
        power_spectrum(as_density(clumpy(side, 3, seed=1)))
    assert {workspace.key for workspace in module._idle} == {((24, 24, 24), 1)}


PLAN = """
import sys, pyfftw, numpy as np
from scoring import field_statistics, use_cache
use_cache(sys.argv[1])
field_statistics(np.random.default_rng(1).random((40, 40, 40)) + 1)
"""


def plan_in_a_process_of_its_own(folder):
    subprocess.run([sys.executable, "-c", PLAN, str(folder)], check=True, timeout=120)


def test_plans_are_measured_once_and_kept_for_other_processes(tmp_path):
    plan_in_a_process_of_its_own(tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    wisdom = kept.read_bytes()
    assert wisdom.startswith(b"(fftw")
    stamp = kept.stat().st_mtime_ns
    plan_in_a_process_of_its_own(tmp_path / "cache")
    assert kept.stat().st_mtime_ns == stamp  # nothing new was measured
    assert kept.read_bytes() == wisdom


@pytest.mark.parametrize("content", [b"", b"\x00garbage", b"(fftw-3 fftwf_wisdom #x0"])
def test_a_damaged_wisdom_file_is_replaced(tmp_path, content):
    (tmp_path / "fftwf-wisdom").write_bytes(content)
    plan_in_a_process_of_its_own(tmp_path)
    assert (tmp_path / "fftwf-wisdom").read_bytes().startswith(b"(fftw-3.3")


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    plan_in_a_process_of_its_own(tmp_path / "file" / "cache")
    assert os.listdir(tmp_path) == ["file"]


def test_the_cache_may_be_switched_off(monkeypatch):
    monkeypatch.setattr(module, "_cache", module._cache)
    use_cache(None)
    power_spectrum(as_density(clumpy(20, 2, seed=1)))


def test_the_cache_is_where_the_system_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert module._default_cache() == tmp_path / "cosmoboard"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = module._default_cache()
    assert folder is not None
    assert folder.is_relative_to(tmp_path)
    assert folder.name == "cosmoboard"
