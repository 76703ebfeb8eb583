"""The shipped detectors give the scores that they gave when they were shipped."""

import hashlib

import numpy as np
import pytest

from aiface.faces.crop import crop_face
from aiface.models.detector import load_detector
from aiface.paths import WEIGHTS

SCORES = {  # of the astronaut's crop, its mirror image and its negative, by bundle and whether in a clip
    ("mobilenet_v2", False): (0.4004010, 0.4004010, 0.7877591),
    ("mobilenet_v2", True): (0.3402435, 0.3402435, 0.7708480),
    ("densenet121", False): (0.31252539, 0.31252539, 0.78563213),
    ("densenet121", True): (0.31252539, 0.31252539, 0.78563213),
}


@pytest.fixture(scope="module")
def crops(astronaut, face):
    crop = crop_face(astronaut, face)
    return np.stack((crop, crop[:, ::-1], 255 - crop))


def test_the_crop_is_the_same_to_the_last_bit(crops):
    assert hashlib.sha256(crops[0].tobytes()).hexdigest().startswith("16b962d6d03f6c7b")


def test_every_shipped_detector_is_held():
    assert {name for name, _ in SCORES} == {path.parent.name for path in WEIGHTS.glob("*/card.json")}


@pytest.mark.parametrize("runtime", ["openvino", "keras"])
@pytest.mark.parametrize(("name", "moving"), SCORES)
def test_scores_are_the_same(crops, name, moving, runtime):
    """Another processor may round otherwise in the last bits; nothing else may move."""
    found = load_detector(WEIGHTS / name, runtime).of(moving).score(crops)
    assert found == pytest.approx(SCORES[name, moving], abs=2e-6)
