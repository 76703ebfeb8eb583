import cv2
import numpy as np
import pytest
import scene

from aiface.analysis.look import (
    COVERED,
    MAX_COVERED,
    MIN_SHARPNESS,
    MIN_SIDE,
    TOO_BLURRED,
    TOO_SMALL,
    Look,
    frontality,
    look_at,
)
from aiface.faces.crop import crop_face


def test_look_at():
    face = scene.face_in((10.0, 20.0, 100.0, 100.0))
    crop = np.zeros((256, 256, 3), np.uint8)
    found = look_at(face, crop, 1.5)
    assert (found.time, found.box, found.sharpness, found.score) == (1.5, (10.0, 20.0, 100.0, 100.0), 0.0, None)
    assert found.side == pytest.approx(90, rel=1e-4)
    assert found.frontality == pytest.approx(1)
    assert found.crop is crop


@pytest.mark.parametrize(
    ("side", "sharpness", "covered", "flaw"),
    [
        (MIN_SIDE, MIN_SHARPNESS, MAX_COVERED, None),
        (MIN_SIDE - 0.1, MIN_SHARPNESS, 1, TOO_SMALL),
        (MIN_SIDE, MIN_SHARPNESS - 0.1, 1, TOO_BLURRED),
        (1, 0, 0, TOO_SMALL),
        (MIN_SIDE, MIN_SHARPNESS, MAX_COVERED + 0.01, COVERED),
    ],
)
def test_flaw(side, sharpness, covered, flaw):
    look = Look(0.0, (0, 0, 9, 9), 0.5, side, sharpness, covered=covered)
    assert (look.flaw, look.legible) == (flaw, flaw in {None, COVERED})


def bar(colour):
    return lambda eyes: np.full_like(eyes, colour)


def noise(eyes):
    return np.random.default_rng(0).integers(0, 256, eyes.shape, np.uint8)


def mosaic(eyes, block=10):
    small = cv2.resize(eyes, None, fx=1 / block, fy=1 / block, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, eyes.shape[1::-1], interpolation=cv2.INTER_NEAREST)


@pytest.mark.parametrize(
    ("hide", "flaw"),
    [(bar(0), COVERED), (bar(255), COVERED), (bar(110), COVERED), (mosaic, COVERED), (noise, COVERED),
     (lambda eyes: cv2.GaussianBlur(eyes, (0, 0), 4), COVERED),
     (lambda eyes: cv2.GaussianBlur(eyes, (0, 0), 0.5), None), (lambda eyes: eyes // 2, None),
     (lambda eyes: eyes, None)],
)  # fmt: skip
def test_what_hides_the_eyes(astronaut, face, hide, flaw):
    image = astronaut.copy()
    image[90:118, 180:270] = hide(image[90:118, 180:270])
    assert look_at(face, crop_face(image, face), 0.0).flaw == flaw


@pytest.mark.parametrize(("rows", "flaw"), [((108, 130), COVERED), ((116, 140), COVERED), ((150, 160), None)])
def test_a_bar_below_what_was_taken_for_the_eyes(astronaut, face, rows, flaw):
    image = astronaut.copy()
    image[slice(*rows), 150:300] = 0
    assert look_at(face, crop_face(image, face), 0.0).flaw == flaw


def points(nose, turn=0.0, scale=1.0):
    """Landmarks of a face whose eyes lie 40 px apart, the nose at x, y from the right one, turned in the image."""
    upright = np.array([(0, 0), (40, 0), nose, (5, 45), (35, 45)], np.float64) * scale
    cos, sin = np.cos(turn), np.sin(turn)
    return np.float32(upright @ [(cos, sin), (-sin, cos)] + 100)


@pytest.mark.parametrize(
    ("nose", "expected"),
    [((20, 25), 1), ((20, 5), 1), ((20, 40), 1), ((30, 25), 2 / 3), ((10, 25), 2 / 3), ((0, 25), 0.5), ((40, 25), 0.5),
     ((60, 25), 1 / 3), ((-20, 25), 1 / 3)],
)  # fmt: skip
@pytest.mark.parametrize("turn", [0.0, 0.7, 3.0])
def test_frontality_is_of_the_head_turned_aside(nose, expected, turn):
    assert frontality(points(nose, turn)) == pytest.approx(expected, abs=1e-5)
    assert frontality(points(nose, turn, scale=7)) == pytest.approx(expected, abs=1e-5)


def test_frontality_of_eyes_in_one_place():
    assert 0 < frontality(np.zeros((5, 2))) <= 1
    assert frontality(scene.face_in((0, 0, 90, 90)).landmarks) == pytest.approx(1)
