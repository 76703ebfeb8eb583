"""Pictures made of two: what changes, where, and that nothing else does."""

import numpy as np
import pytest

from aiface.data.blend import _mask, cutmix, hull_mask, self_blend, swap_twins
from aiface.faces.crop import crop_face


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def crop(astronaut, face):
    return crop_face(astronaut, face)


@pytest.mark.parametrize("side", [64, 160, 256])
def test_shape_type_and_the_callers_image(crop, side):
    image = np.ascontiguousarray(crop[:side, :side])
    before = image.copy()
    blended = self_blend(image, rng())
    assert (blended.dtype, blended.shape) == (np.uint8, image.shape)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(self_blend(image, rng()), blended)  # the same for the same rng


def test_the_mask_is_soft_over_the_inner_face_and_ends_before_the_edge():
    for seed in range(40):
        mask = _mask(256, rng(seed))
        assert (mask.dtype, mask.shape) == (np.float32, (256, 256))
        assert mask.min() >= 0
        assert mask.max() <= 1 + 1e-6
        assert mask[156, 128] > 0.9  # the nose
        assert max(mask[0].max(), mask[:, 0].max(), mask[:, -1].max()) < 0.02
        assert 0.01 < np.mean((mask > 0.05) & (mask < 0.95)) < 0.3  # a border, and a soft one


def test_two_versions_meet_at_the_border():
    """Inner and outer face differ by more than they did, in half the cases from inside, in half from outside."""
    grey = np.full((256, 256, 3), 120, np.uint8)
    inside, outside = np.zeros(60), np.zeros(60)
    for seed in range(60):
        blended = self_blend(grey, rng(seed)).astype(float)
        inside[seed] = np.abs(blended[140:170, 115:140] - 120).mean()
        outside[seed] = np.abs(blended[:20] - 120).mean()
    changed_outside = np.mean(outside > 0.5)
    assert 0.25 < changed_outside < 0.75
    assert np.mean(np.abs(inside - outside) > 0.5) > 0.85


def test_it_is_still_the_same_face(crop):
    differences = [np.abs(self_blend(crop, rng(seed)).astype(float) - crop).mean() for seed in range(40)]
    assert min(differences) > 0.3
    assert max(differences) < 40


@pytest.mark.parametrize(("label", "other_label"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_cutmix_sets_one_rectangle_in_and_labels_its_share(label, other_label):
    image, other = np.zeros((60, 60, 3), np.uint8), np.full((60, 60, 3), 9, np.uint8)
    shares = []
    for seed in range(60):
        mixed, found = cutmix(image, label, other, other_label, rng(seed))
        rows, columns = np.nonzero((mixed == 9).all(axis=2))
        share = len(rows) / 3600
        assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)  # a whole rectangle
        assert found == pytest.approx(label * (1 - share) + other_label * share)
        shares.append(share)
    assert 0.05 < min(shares) < 0.2
    assert 0.7 < max(shares) <= 0.9
    assert not image.any()


def test_twins_of_a_swap_differ_in_the_face_alone(crop):
    inside, outside = np.zeros(60), np.zeros(60)
    for seed in range(60):
        real, fake = swap_twins(crop, rng(seed))
        assert (real.dtype, fake.dtype, real.shape, fake.shape) == (np.uint8, np.uint8, crop.shape, crop.shape)
        difference = np.abs(real.astype(float) - fake)
        inside[seed], outside[seed] = difference[140:220, 90:166].mean(), difference[:12].mean()
    assert outside.max() < 0.05  # they share everything else, transform included
    assert np.mean(inside > 0.5) > 0.9
    assert inside.max() < 80
    targets = [swap_twins(crop, rng(seed))[0] for seed in range(40)]
    assert 0.3 < np.mean([(target == crop).all() for target in targets]) < 0.7  # either source or target is transformed


def test_the_hull_is_soft_and_lies_on_the_face():
    for seed in range(60):
        mask = hull_mask(256, rng(seed))
        assert (mask.dtype, mask.shape) == (np.float32, (256, 256))
        assert mask.min() >= 0
        assert mask.max() == pytest.approx(1, abs=1e-5)
        assert max(mask[0].max(), mask[:, 0].max(), mask[:, -1].max()) < 0.05
        assert 0.005 < mask.mean() < 0.5
