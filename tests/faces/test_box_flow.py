import cv2
import numpy as np
import pytest

from aiface.faces.box_flow import follow, small_grey

RNG = np.random.default_rng(0)
PICTURE = cv2.resize(RNG.integers(0, 255, (45, 80, 3), np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
BOX = (400.0, 200.0, 240.0, 300.0)


def moved(x, y):
    return np.roll(PICTURE, (y, x), axis=(0, 1))


@pytest.mark.parametrize(("x", "y"), [(0, 0), (8, 0), (-20, 12), (40, -32), (80, 40)])
def test_a_box_goes_with_the_picture(x, y):
    (box, other) = follow([BOX, (700.0, 100.0, 200.0, 200.0)], small_grey(PICTURE), small_grey(moved(x, y)), 4.0)
    assert box == pytest.approx((400 + x, 200 + y, 240, 300), abs=2)
    assert other == pytest.approx((700 + x, 100 + y, 200, 200), abs=2)


def test_each_box_goes_its_own_way():
    now = PICTURE.copy()
    now[:, :640] = moved(16, 0)[:, :640]
    left, right = follow([(200, 200, 200, 200), (800, 200, 200, 200)], small_grey(PICTURE), small_grey(now), 4.0)
    assert left[0] == pytest.approx(216, abs=2)
    assert right[0] == pytest.approx(800, abs=2)


@pytest.mark.parametrize(
    ("boxes", "now"),
    [
        ([BOX], np.zeros_like(PICTURE)),
        ([BOX], PICTURE[:, :640]),
        ([(-50.0, 690.0, 240.0, 300.0)], PICTURE),
        ([], PICTURE),
    ],
    ids=["nothing to see", "another size", "beyond the edge", "no box"],
)
def test_where_nothing_can_be_followed_it_stays(boxes, now):
    found = follow(boxes, small_grey(PICTURE), small_grey(now), 4.0)
    assert np.shape(found) == np.shape(boxes)
    assert np.abs(np.subtract(found, boxes)).max(initial=0) < 30
