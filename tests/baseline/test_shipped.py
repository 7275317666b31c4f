"""The archives under baseline/samples: valid for their tracks, and what the models draw."""

import numpy as np
import pytest

from baseline.chain import CHAINS, read_chain
from baseline.classical import CLASSICAL_MODELS
from baseline.data import to_network
from baseline.neighbours import enlarged, shrunk
from baseline.release import SAMPLE_SEED
from baseline.sampling import Latents, upscaled_in_context
from baseline.shipped import CLASSICAL_SEED, SAMPLES, STEP, Sample, read_manifest, rounded, ship
from cubes.archive import read_fields
from cubes.demo import demo_fields
from cubes.tracks import TRACKS
from tests.fields import clumpy

SHIPPED = read_manifest()


def test_manifest_lists_every_archive_and_no_other():
    assert {sample.file for sample in SHIPPED} == {path.name for path in SAMPLES.glob("*.npz")}


@pytest.mark.parametrize("sample", SHIPPED, ids=lambda sample: sample.file)
def test_shipped_archive_is_valid_for_its_track(sample):
    track = TRACKS[sample.track]
    fields = list(read_fields(SAMPLES / sample.file, track))
    assert len(fields) == track.count
    assert all(np.array_equal(field, rounded(field)) for field in fields)


@pytest.mark.parametrize("model", CLASSICAL_MODELS, ids=lambda model: model.name)
def test_shipped_classical_archive_is_what_the_model_draws(model):
    track = TRACKS["3d-32"]
    train = np.stack(list(demo_fields(track.name, "train")))
    drawn = model.draw(train, track.count, CLASSICAL_SEED)
    shipped = np.stack(list(read_fields(SAMPLES / f"{model.name}-{track.name}.npz", track)))
    # Another machine's FFT may differ in the last bit, and so turn a rare value over to the next
    # step or swap two neighbours in rank.
    assert np.mean(shipped == rounded(drawn)) > 0.9999
    assert np.abs(shipped - drawn).max() <= 2 * STEP + 1e-3 * drawn.max()


@pytest.mark.parametrize("configuration", ["small"])
@pytest.mark.parametrize("track_name", ["3d-32", "3d-64"])
def test_shipped_gan_archive_is_what_its_weights_draw(configuration, track_name):
    drawn = list(read_chain(CHAINS[track_name], configuration).densities(2, SAMPLE_SEED))
    path = SAMPLES / f"gan-{configuration}-{track_name}.npz"
    shipped = list(read_fields(path, TRACKS[track_name]))[:2]
    for field, archived in zip(drawn, shipped, strict=True):
        # Another machine's convolutions may differ in the last bits.
        assert np.abs(archived - field).max() <= STEP / 2 + 1e-3 * field.max()


def test_shipping_again_replaces_the_entry(tmp_path):
    fields = [clumpy(8, 3, seed) for seed in range(2)]
    for description in ("first", "second"):
        sample = Sample("a.npz", "3d-32", "A", description, 1, "none")
        ship(sample, fields, tmp_path)
    ship(Sample("b.npz", "3d-32", "B", "other", 1, "none"), fields, tmp_path)
    assert [entry.description for entry in read_manifest(tmp_path)] == ["second", "other"]
    np.testing.assert_array_equal(
        np.stack(list(read_fields(tmp_path / "a.npz"))), [rounded(field) for field in fields]
    )


@pytest.mark.parametrize("name", ["m2", "m1"])
def test_shipped_upscaling_adds_detail_and_keeps_the_coarse_field(name):
    (weights,) = read_chain((name,), "small").stages
    factor = weights.stage.sizes.factor
    cube = to_network(next(demo_fields("3d-32", "train")))
    coarse = cube[None, None, :16, :16, :16]
    fine = upscaled_in_context(weights.generator, coarse, Latents(0, name), [0])
    np.testing.assert_allclose(shrunk(fine, factor), coarse, atol=1e-5)
    assert (fine - enlarged(coarse, factor)).std() > 0.1
