"""Made-up people for the tests of what judges them: blobs of colour, with a finder and a detector that know them.

Red people are AI, blue ones real, and mixed ones lie between; so scores depend on the pixels of the crop alone.
"""

import cv2
import numpy as np

from aiface.faces.finder import Face
from aiface.models.detector import Detector

WIDTH, HEIGHT = 320, 180
RED, BLUE, BETWEEN = (250, 80, 80), (80, 80, 250), (200, 60, 200)
CALIBRATION = {
    "temperature": 1.0,
    "thresholds": {"0.05": 0.7, "0.01": 0.8, "0.001": 0.9},
    "real_below": 0.3,
    "unstable_above": 0.2,
}
CARD = {
    "name": "by-colour",
    "calibration": CALIBRATION,
    "sha256": "0" * 64,
    "training": {"summary": "Made by <the> tests."},
}

NOBODY = {  # pictures in which no finder finds a face
    "black": np.zeros((480, 640, 3), np.uint8),
    "white": np.full((100, 100, 3), 255, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8),
    "a pixel": np.zeros((1, 1, 3), np.uint8),
    "a line": np.zeros((3, 900, 3), np.uint8),
    "a column": np.zeros((900, 2, 3), np.uint8),
}


def picture(*people, width=WIDTH, height=HEIGHT, ground=90):
    """A grey RGB image with a striped square of `side` pixels for each `(x, y, side, colour)`."""
    image = np.full((height, width, 3), ground, np.uint8)
    for x, y, side, colour in people:
        square = np.array(colour, np.uint8) * np.ones((side, side, 1), np.uint8)
        square[np.arange(side) // 4 % 2 == 1] //= 2  # stripes: a flat face would count as blurred
        image[y : y + side, x : x + side] = square
    return image


def in_side_light(x, y, side, colour, lit="left"):
    """A `picture` of one person, half of whom lies in the shade."""
    image = picture((x, y, side, colour))
    left = x + side // 2 if lit == "left" else x
    shade = image[y : y + side, left : left + side // 2]
    shade[:] = shade * 0.7
    return image


class Finder:
    """Finds the coloured squares of `picture`, largest first; keeps the `seen` images."""

    name = "by colour"

    def __init__(self):
        self.seen = 0

    def __call__(self, image):
        self.seen += 1
        coloured = (np.ptp(image.astype(int), axis=2) > 45).astype(np.uint8)
        coloured = cv2.morphologyEx(coloured, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
        _, _, stats, _ = cv2.connectedComponentsWithStats(coloured)
        boxes = [tuple(map(float, row[:4])) for row in stats[1:] if row[4] > 100]
        return sorted(map(face_in, boxes), key=lambda face: face.area, reverse=True)


def face_in(box, share=0.9):
    """A face whose crop takes `share` of the side of a square box."""
    x, y, width, height = box
    centre, eyes = np.array((x + width / 2, y + height / 2)), share * width / 4
    mouth = eyes / 0.9 / 2  # such that the eyes decide the crop's side, which is four times from eye to eye
    points = np.array(((-eyes / 2, 0), (eyes / 2, 0), (0, mouth / 2), (-eyes / 3, mouth), (eyes / 3, mouth)))
    return Face(box, np.float32(centre - (0, 0.1 * mouth) + points), 0.9)


def by_colour(crops):
    """Logits `(n, 1)`: positive for red crops, negative for blue ones, near 0 for mixed ones."""
    means = np.asarray(crops, np.float32).mean(axis=(1, 2))
    return (means[:, :1] - means[:, 2:]) / 20


def by_side(crops):
    """Logits `(n, 1)` as by colour, but light from the left makes AI and light from the right real."""
    left, right = np.split(np.asarray(crops, np.float32), 2, axis=2)
    return by_colour(crops) + 0.4 * (left.mean(axis=(1, 2, 3)) - right.mean(axis=(1, 2, 3)))[:, None]


class ByColour(Detector):
    """The real Detector, but for taking what is drawn here for photographs."""

    def is_art(self, crops):
        return np.zeros(len(crops), bool)


def detector(logits=by_colour, kind=ByColour, **card):
    """A Detector around a network that is a function from crops to logits `(n, 1)`."""
    return kind(lambda crops: np.float32(logits(crops))[:, 0], CARD | card)
