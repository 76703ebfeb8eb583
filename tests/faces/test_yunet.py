from itertools import product

import cv2
import numpy as np
import pytest
from scene import NOBODY

from aiface.faces import yunet
from aiface.faces.finder import YUNET_FILE, OpenCvYuNet
from aiface.faces.yunet import OpenVinoYuNet
from aiface.paths import WEIGHTS

PATH = WEIGHTS / YUNET_FILE

pytestmark = pytest.mark.skipif(not PATH.is_file(), reason="YuNet is not in weights/; ./fetch.sh faces brings it")


@pytest.fixture(scope="module")
def networks():
    return OpenVinoYuNet(PATH), OpenCvYuNet(PATH)


def crowd(astronaut, height, width):
    """A face in two sizes, upright and mirrored, side by side, as often as they fit."""
    face = astronaut[20:220, 120:320]
    tiles = [cv2.resize(part, (side, side)) for part, side in product((face, face[:, ::-1]), (64, 128))]
    image = np.full((height, width, 3), 110, np.uint8)
    for number, (top, left) in enumerate(product(range(0, height - 127, 130), range(0, width - 127, 130))):
        tile = tiles[number % len(tiles)]
        image[top : top + len(tile), left : left + len(tile)] = tile
    return image


@pytest.mark.parametrize(
    ("height", "width", "least"),
    [(512, 512, 8), (360, 640, 4), (640, 352, 4), (333, 447, 2), (131, 129, 0), (1280, 1280, 40)],
)
@pytest.mark.parametrize("confidence", [0.7, 0.3])
def test_what_opencv_finds(networks, astronaut, height, width, least, confidence):
    image = crowd(astronaut, height, width)
    ours, theirs = (network(image, confidence) for network in networks)
    assert len(theirs) >= least
    assert ours.shape == theirs.shape
    assert (ours.dtype, theirs.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(ours, theirs, atol=0.01)


@pytest.mark.parametrize("image", NOBODY.values(), ids=NOBODY)
def test_nobody(networks, image):
    for network in networks:
        rows = network(image, 0.7)
        assert (rows.shape, rows.dtype) == ((0, 15), np.float32)


def test_less_confidence_finds_more(networks, astronaut):
    blurred = cv2.GaussianBlur(cv2.resize(astronaut, (96, 96)), (0, 0), 1.5)
    for network in networks:
        assert len(network(blurred, 0.9)) < len(network(blurred, 0.2))


def test_the_image_stays_as_it_is(networks, astronaut):
    image = astronaut[:500, :500].copy()
    networks[0](image, 0.7)
    np.testing.assert_array_equal(image, astronaut[:500, :500])


def test_many_images_of_one_size_find_the_same(monkeypatch, astronaut):
    monkeypatch.setattr(yunet, "MANY", 3)
    network, images = OpenVinoYuNet(PATH), [crowd(astronaut, *size) for size in ((360, 640), (361, 639), (180, 320))]
    expected = [network(image, 0.5) for image in images]
    for _ in range(4):
        for image, faces in zip(images, expected, strict=True):
            np.testing.assert_array_equal(network(image, 0.5), faces)
    assert list(network._of_size) == [(384, 640, 3), (192, 320, 3)]
