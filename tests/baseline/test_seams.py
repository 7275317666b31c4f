"""The seam measure: 1 without seams, and known values for fields made of patches."""

import numpy as np
import pytest

from baseline.seams import seam_jump
from cubes.demo import demo_fields
from cubes.transform import backward


def test_real_fields_have_no_seams():
    fields = list(demo_fields("3d-32", "train"))
    for patch in (8, 16):
        assert seam_jump(fields, patch) == pytest.approx(1, abs=0.01)


def test_a_step_at_every_face_of_a_ramp_is_found():
    # Mapped values rise by 0.1 a voxel and by 0.5 at faces; the way back at the wrap is 3.6:
    # (0.5 + 3.6) / 2 at the two faces of an axis over 0.1 elsewhere, along one axis; and 0 along
    # the others.
    ramp = 1 + 0.1 * np.arange(16.0) + 0.4 * (np.arange(16) >= 8)
    field = backward(np.broadcast_to(ramp[:, None, None], (16, 16, 16)))
    wrap = ramp[-1] - ramp[0]
    assert seam_jump([field], 8) == pytest.approx((0.5 + wrap) / 2 / 0.1, rel=1e-6)


def test_independent_patches_show():
    rng = np.random.default_rng(0)
    field = np.zeros((32, 32, 32))
    for x in range(0, 32, 16):
        smooth = np.cumsum(rng.standard_normal((16, 32, 32)) * 0.05, axis=0)
        field[x : x + 16] = rng.uniform(2, 6) + smooth
    assert seam_jump([backward(field)], 16) > 1.2
