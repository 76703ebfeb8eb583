import numpy as np
import pytest

from aiface.data.degrade import jpeg
from aiface.models.views import VIEWS, both_sides, measured, spread, views


def crops(n, seed=0):
    found = np.random.default_rng(seed).integers(0, 256, (n, 256, 256, 3), np.uint8)
    found.flags.writeable = False
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("as it is", lambda image: image),
        ("mirrored", lambda image: image[:, ::-1]),
        ("re-encoded", lambda image: jpeg(image, 75)),
    ],
)
def test_a_view(name, expected):
    (image,) = crops(1)
    np.testing.assert_array_equal(VIEWS[name](image), expected(image))
    assert (VIEWS[name](image) != image).any() == (name != "as it is")


def left_half(crops):
    return crops[:, :, :128].mean(axis=(1, 2, 3)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 3])
def test_both_sides_of_a_face_count_alike(n):
    images = crops(n)
    found = both_sides(left_half, images)
    assert (found.dtype, found.shape) == (np.float32, (n,))
    np.testing.assert_allclose(found, images.mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_array_equal(both_sides(left_half, images[:, :, ::-1]), found)


def test_measured_is_of_each_face_and_each_view_by_itself():
    images = crops(5)
    asked = []
    faces, of_views = measured(lambda batch: (asked.append(len(batch)), left_half(batch))[1], [images[:2], images[2:]])
    assert asked == [2, 2, 2, 3, 3, 3]  # no more passes than views
    np.testing.assert_array_equal(faces, both_sides(left_half, images))
    np.testing.assert_array_equal(of_views, [left_half(view) for view in views(images)])


def test_of_nobody_there_is_nothing():
    faces, of_views = measured(left_half, [])
    assert (faces.shape, of_views.shape) == ((0,), (len(VIEWS), 0))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_views_are_of_each_crop(n):
    images = crops(n)
    found = list(views(images))
    assert len(found) == len(VIEWS) == 3
    for view, seen in zip(VIEWS.values(), found, strict=True):
        assert (seen.dtype, seen.shape) == (np.uint8, (n, 256, 256, 3))
        for image, other in zip(images, seen, strict=True):
            np.testing.assert_array_equal(other, view(image))


@pytest.mark.parametrize(
    ("score", "of_views", "expected"),
    [
        ((0.5,), ((0.5,), (0.5,)), (0.0,)),
        ((0.5,), ((0.75,), (0.5,)), (0.25,)),  # the largest, not the mean
        ((0.5,), ((0.5,), (0.125,)), (0.375,)),  # in either direction
        ((0.5,), ((0.75,), (0.25,)), (0.25,)),  # from the face, not between the views
        ((0.0, 1.0), ((1.0, 1.0), (0.0, 0.5)), (1.0, 0.5)),  # each face for itself
        ((0.5,), ((0.25,),), (0.25,)),
        ((), ((), ()), ()),
    ],
)
def test_spread(score, of_views, expected):
    found = spread(np.array(score), np.array(of_views))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
