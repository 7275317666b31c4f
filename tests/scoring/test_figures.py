import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from scoring import set_statistics
from scoring.figures import plot_slices, plot_statistics, save_figures
from scoring.shells import wavenumbers
from tests.fields import clumpy, clumpy_set, random_statistics

SIGNATURES = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF-"}


@pytest.fixture(scope="module")
def sets():
    return set_statistics(clumpy_set(4, 16, 3, 1)), set_statistics(clumpy_set(3, 16, 3, 2))


def test_curves_are_the_means_and_their_ratio(sets):
    real, fake = sets
    figure = plot_statistics(real, fake, names=("N-body", "mine"))
    mass, spectrum, peak, _, ratio, _ = figure.axes
    ours, theirs = spectrum.get_lines()
    np.testing.assert_allclose(ours.get_xdata(), wavenumbers((16, 16, 16)))
    np.testing.assert_allclose(ours.get_ydata(), real.psd.mean(axis=0))
    np.testing.assert_allclose(theirs.get_ydata(), fake.psd.mean(axis=0))
    np.testing.assert_allclose(
        ratio.get_lines()[1].get_ydata(), fake.psd.mean(axis=0) / real.psd.mean(axis=0)
    )
    assert [text.get_text() for text in mass.get_legend().get_texts()] == ["N-body", "mine"]
    assert {axes.get_yscale() for axes in (mass, spectrum, peak)} == {"log"}


def test_axes_carry_units(sets):
    labels = [axes.get_xlabel() + axes.get_ylabel() for axes in plot_statistics(*sets).figure.axes]
    assert "Mpc" in labels[1]
    assert "^3" in labels[1]
    assert "particles per voxel" in labels[3]
    assert "/Mpc" in labels[4]


def test_the_spectrum_of_a_mapped_mean_is_called_so(sets):
    assert "mapped mean" in plot_statistics(*sets).axes[1].get_title()
    flat = set_statistics(clumpy_set(2, 16, 2, 1))
    assert "mapped" not in plot_statistics(flat, flat).axes[1].get_title()


@pytest.mark.parametrize("suffix", SIGNATURES)
def test_figures_are_saved_in_each_format(sets, tmp_path, suffix):
    figures = {
        "statistics": plot_statistics(*sets),
        "slices": plot_slices(clumpy_set(5, 16, 3, 1), clumpy_set(2, 16, 2, 2)),
    }
    files = save_figures(tmp_path / "new", figures, formats=[suffix])
    assert [file.name for file in files] == [f"statistics.{suffix}", f"slices.{suffix}"]
    for file in files:
        assert file.read_bytes().startswith(SIGNATURES[suffix])


def test_constant_fake_fields_are_plotted(sets, tmp_path):
    constant = set_statistics([np.full((16, 16, 16), value) for value in (9.0, 10.0)])
    save_figures(tmp_path, {"statistics": plot_statistics(sets[0], constant)})


def test_slices_share_one_colour_scale():
    bright, dark = clumpy(16, 3, 1, mean=1000), clumpy(16, 3, 2, mean=1)
    images = [image for axes in plot_slices([bright], [dark]).axes for image in axes.get_images()]
    assert images[0].norm is images[1].norm
    np.testing.assert_allclose(images[0].get_array(), bright[8] + 1)


def test_what_cannot_be_plotted_is_refused(sets, tmp_path):
    real, fake = sets
    with pytest.raises(ValueError, match="shape of the fields"):
        plot_statistics(random_statistics(3, 1), random_statistics(3, 2))
    with pytest.raises(ValueError, match="psd has"):
        plot_statistics(dataclasses.replace(real, psd=real.psd[:, 1:]), fake)
    with pytest.raises(ValueError, match="at least one real and one fake"):
        plot_slices([], [np.ones((4, 4))])
    with pytest.raises(ValueError, match="two or three dimensions"):
        plot_slices([np.ones(4)], [np.ones((4, 4))])
    with pytest.raises(ValueError, match="not as gif"):
        save_figures(tmp_path, {}, formats=["gif"])


def test_no_window_system_is_touched():
    script = "import sys, scoring.figures; print('matplotlib.pyplot' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert result.stdout.strip() == b"False"
