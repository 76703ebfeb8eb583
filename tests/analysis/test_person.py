import numpy as np
import pytest

from aiface.analysis.best_looks import BEST_LOOKS
from aiface.analysis.look import Look
from aiface.analysis.person import GALLERY, LINGER, Person, Trail


def look(index, side=100.0, sharpness=9.0):
    crop = np.full((4, 4, 3), index, np.uint8)
    return Look(index / 5, (index, 0, 9, 9), 0.5, side, sharpness, crop=crop)


def test_what_is_remembered():
    person = Person(7)
    for index in range(3, 200):
        person.see(look(index))
        assert len(person.each_look) <= BEST_LOOKS
    assert (person.looks, person.first_time, person.last_time) == (197, 0.6, 39.8)
    assert (person.trail, person.all_looks, person.verdict) == (None, None, None)


def test_every_look_and_where_it_was():
    person = Person(0, all_looks=[], trail=Trail())
    for index in range(50):
        person.see(look(index))
    assert [look.time for look in person.each_look] == [index / 5 for index in range(50)]
    assert all(look.crop is None for look in person.each_look)
    assert person.trail.at(4.0) == (20, 0, 9, 9)
    assert len(list(person.best_looks)) <= BEST_LOOKS


def test_the_gallery_is_of_the_best_usable_faces():
    person = Person(0)
    for index, side in enumerate([90, 500, 80, 100, 110, 120, 130, 70, 140, 150, 160, 100]):
        person.see(look(index, side, sharpness=0.1 if side == 500 else 9.0))
        assert len(person.gallery) <= GALLERY
    assert [look.side for look in person.gallery] == [100, 110, 120, 130, 140, 150, 160, 100]
    assert all(look.crop[0, 0, 0] == round(look.time * 5) for look in person.gallery)
    person.drop_crops()
    assert person.gallery == []
    assert len(person.each_look) == 11


def test_looks_that_are_alike():
    """Equal looks with other crops: arrays can't be compared as such."""
    person = Person(0)
    for _ in range(2 * GALLERY):
        person.see(look(1))
    assert person.each_look == [look(1)]
    assert person.looks == 2 * GALLERY


@pytest.fixture(scope="module")
def moving():
    trail = Trail()
    for time, box in ((1.0, (0, 0, 10, 10)), (1.2, (20, 10, 10, 20)), (2.0, (20, 10, 30, 20))):
        trail.add(time, box)
    return trail


@pytest.mark.parametrize(
    ("time", "box"),
    [
        (0.0, None),
        (0.99, None),  # not yet there
        (1.0, (0, 0, 10, 10)),
        (1.05, (5, 2.5, 10, 12.5)),
        (1.1, (10, 5, 10, 15)),
        (1.2, (20, 10, 10, 20)),
        (1.6, (20, 10, 20, 20)),
        (2.0, (20, 10, 30, 20)),
        (2.0 + LINGER, (20, 10, 30, 20)),
        (2.01 + LINGER, None),
        (99, None),
    ],
)
def test_where_a_face_is(moving, time, box):
    assert moving.at(time) == (box and pytest.approx(box, abs=1e-5))


def test_nobody_was_anywhere():
    assert Trail().at(0.0) is None
