import numpy as np
import pytest

from aiface.faces.finder import YUNET_FILE, Face, FaceFinder, Mtcnn, load_finder
from aiface.faces.glances import EVERY, Glances
from aiface.paths import WEIGHTS

IMAGE = np.zeros((360, 640, 3), np.uint8)


def face(x, side=100.0, score=0.9):
    return Face((float(x), 50.0, side, side), np.zeros((5, 2), np.float32), score)


class Glancing:
    name = "glancing"

    def __init__(self, *now):
        self.now, self.glances = now, 0

    def __call__(self, image):
        return list(self.now)

    def glance(self, image):
        self.glances += 1
        return list(self.now)


ONE, TWO = face(0), face(300)


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ([ONE], [face(10)], [0]),
        ([ONE, TWO], [face(310), face(10)], [1, 0]),  # in the order of before
        ([ONE], [face(80)], []),  # too far to be the same
        ([ONE], [face(10), face(400, score=0.55)], []),  # somebody may have come
        ([ONE, TWO], [face(10)], []),  # somebody has left
        ([ONE, TWO], [face(10), face(15)], []),
        ([ONE], [face(10, score=0.65)], []),  # in doubt
        ([ONE], [], []),
    ],
)
def test_the_same_faces_or_none(before, now, found):
    glances = Glances(finder := Glancing(*now))
    glances.searched(before, 0.0)
    assert [[one is other for other in now].index(True) for one in glances(IMAGE, 0.2)] == found
    assert finder.glances == 1


@pytest.mark.parametrize(
    ("before", "time", "image"),
    [
        ([], 0.2, IMAGE),  # nobody to follow
        ([ONE], EVERY, IMAGE),  # a search is due
        ([face(0, side=39.0)], 0.2, IMAGE),  # too small in a copy of half the size
        ([ONE, face(300, side=39.0)], 0.2, IMAGE),
        ([ONE], 0.2, IMAGE[:180, :320]),  # a copy would be no smaller
    ],
)
def test_no_glance_where_only_a_search_can_tell(before, time, image):
    glances = Glances(finder := Glancing(*before))
    glances.searched(before, 0.0)
    assert glances(image, time) == []
    assert finder.glances == 0


def test_a_face_is_followed_from_glance_to_glance():
    """By the second it is nowhere near where the last search found it."""
    glances = Glances(finder := Glancing(ONE))
    glances.searched([ONE], 0.0)
    for step in range(1, 5):
        finder.now = (face(40 * step),)
        assert glances(IMAGE, 0.2 * step)[0] is finder.now[0]
    assert glances(IMAGE, EVERY) == []


@pytest.mark.parametrize(
    "finder", [lambda image: [ONE], FaceFinder(type("Net", (Mtcnn,), {"__init__": lambda _: None})())]
)
def test_finders_that_cannot_glance_search(finder):
    glances = Glances(finder)
    glances.searched([ONE], 0.0)
    assert glances(IMAGE, 0.2) == []


@pytest.mark.skipif(not (WEIGHTS / YUNET_FILE).is_file(), reason="YuNet is not in weights/; ./fetch.sh faces brings it")
def test_a_glance_of_yunet(astronaut):
    finder = load_finder()
    (searched,), (glanced,) = finder(astronaut), finder.glance(astronaut)
    assert np.abs(np.subtract(searched.box, glanced.box)).max() < 0.2 * searched.box[2]
    assert glanced.score > 0.7
    assert finder.glance(np.zeros((480, 640, 3), np.uint8)) == []
