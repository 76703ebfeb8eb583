import numpy as np
import pytest
import scene

from aiface.analysis.best_looks import MOMENTS
from aiface.analysis.person import GALLERY, Person, sight
from aiface.analysis.trail import Trail
from aiface.analysis.verdict import Sighting


def look(index, side=100.0, sharpness=9.0):
    crop = np.full((4, 4, 3), index, np.uint8)
    return Sighting(index / 5, (index, 0, 9, 9), 0.5, side, sharpness, crop=crop)


def test_what_is_remembered():
    person = Person(7)
    for index in range(3, 200):
        person.see(look(index))
        assert len(person.sightings) <= MOMENTS
    assert (person.looks, person.first_time, person.last_time) == (197, 0.6, 39.8)
    assert (person.trail, person.every, person.verdict) == (None, None, None)


def test_every_look_and_where_it_was():
    person = Person(0, every=[], trail=Trail())
    for index in range(50):
        person.see(look(index))
    assert [sighting.time for sighting in person.sightings] == [index / 5 for index in range(50)]
    assert all(sighting.crop is None for sighting in person.sightings)
    assert person.trail.at(4.0) == (20, 0, 9, 9)
    assert len(list(person.moments)) <= MOMENTS


def test_the_gallery_is_of_the_best_usable_faces():
    person = Person(0)
    for index, side in enumerate([90, 500, 80, 100, 110, 120, 130, 70, 140, 150, 160, 100]):
        person.see(look(index, side, sharpness=0.1 if side == 500 else 9.0))
        assert len(person.gallery) <= GALLERY
    assert [moment.side for moment in person.gallery] == [100, 110, 120, 130, 140, 150, 160, 100]
    assert all(moment.crop[0, 0, 0] == round(moment.time * 5) for moment in person.gallery)
    person.drop_crops()
    assert person.gallery == []
    assert len(person.sightings) == 11


def test_looks_that_are_alike():
    """Equal sightings with other crops: arrays can't be compared as such."""
    person = Person(0)
    for _ in range(2 * GALLERY):
        person.see(look(1))
    assert person.sightings == [look(1)]
    assert person.looks == 2 * GALLERY


def test_sight():
    face = scene.face_in((10.0, 20.0, 100.0, 100.0))
    crop = np.zeros((256, 256, 3), np.uint8)
    found = sight(face, crop, 1.5)
    assert (found.time, found.box, found.sharpness, found.score) == (1.5, (10.0, 20.0, 100.0, 100.0), 0.0, None)
    assert found.side == pytest.approx(90, rel=1e-4)
    assert found.frontality == pytest.approx(1)
    assert found.crop is crop
