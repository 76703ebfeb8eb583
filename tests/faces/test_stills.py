import cv2
import numpy as np
import pytest
from clips import FakeFinder

from aiface.faces.finder import YUNET_FILE, Face, load_finder
from aiface.faces.stills import find_in_still
from aiface.paths import WEIGHTS

needs_yunet = pytest.mark.skipif(
    not (WEIGHTS / YUNET_FILE).is_file(), reason="YuNet is not in weights/; ./fetch.sh faces brings it"
)
HEIGHT = 113  # pixels: of the astronaut's face
GROUNDS = ("brick", "grass", "gravel", "coffee", "coins", "page", "chelsea", "rocket")


@pytest.fixture(scope="module")
def yunet():
    return load_finder(WEIGHTS)


def ground(width, height, name="grass"):
    """One of scikit-image's pictures, side by side."""
    from skimage import data

    one = getattr(data, name)()
    one = one if one.ndim == 3 else np.repeat(one[..., None], 3, axis=2)
    rows, columns = (-(-side // part) for side, part in zip((height, width), one.shape, strict=False))
    return np.tile(one, (rows, columns, 1))[:height, :width].copy()


def paste(image, astronaut, height, x, y):
    """The astronaut's face, so many pixels high, at x, y of an image."""
    head, scale = astronaut[40:200, 140:310], height / HEIGHT
    size = (round(head.shape[1] * scale), round(head.shape[0] * scale))
    small = cv2.resize(head, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    image[y : y + size[1], x : x + size[0]] = small


@needs_yunet
@pytest.mark.parametrize(
    ("width", "height", "faces"),
    [
        (1280, 960, [(64, 30, 30), (64, 1150, 850)]),
        (1600, 1200, [(64, 20, 20), (64, 800, 600), (64, 1480, 1090)]),
        (4000, 3000, [(67, 200 + 700 * index, 1400) for index in range(6)]),
        (5656, 4242, [(83, 5500, 4100), (83, 2790, 2100)]),  # about the middle: where tiles meet
        (8064, 6048, [(133, 10, 10), (133, 4000, 3000)]),
        (12_000, 2000, [(166, 700 + 2400 * index, 900) for index in range(5)]),
        (4000, 3000, [(1500, 700, 300), *((64, 3500, 300 * index) for index in range(1, 8))]),  # beside a large one
        (4000, 3000, [(64, 10, 10), (100, 500, 500), (200, 1000, 1000), (400, 1500, 1500), (700, 2800, 1500)]),
    ],
)  # fmt: skip
def test_every_face_of_64_pixels(yunet, astronaut, width, height, faces):
    image = ground(width, height)
    for face in faces:
        paste(image, astronaut, *face)
    found, turned = find_in_still(yunet, image)
    assert turned == 0
    assert len(found) == len(faces)
    assert [face.area for face in found] == sorted((face.area for face in found), reverse=True)
    for tall, x, y in faces:
        (face,) = (face for face in found if 0 < face.box[0] - x < 1.5 * tall and 0 <= face.box[1] - y < 1.5 * tall)
        assert face.box[3] == pytest.approx(tall, rel=0.15)
        eyes = np.array((60.0, 62.0)) * tall / HEIGHT + (x, y)
        assert face.landmarks[0] == pytest.approx(eyes, abs=0.1 * tall)


@needs_yunet
@pytest.mark.parametrize("name", GROUNDS)
def test_no_face_in_textures(yunet, name):
    assert find_in_still(yunet, ground(3000, 2000, name)) == ([], 0)


# Turning


UPRIGHT = Face((10.0, 5.0, 30.0, 40.0), np.float32([(18, 20), (32, 21), (25, 30), (19, 38), (31, 37)]), 0.9)


def marked(side):
    """A picture that lies as it should: its top left corner is white."""
    image = np.zeros((side * 3 // 4, side, 3), np.uint8)
    image[:2, :2] = 255
    return image


class OnlyUpright(FakeFinder):
    """Finds one face, and nothing in a picture that lies otherwise; counts the looks at pictures as they are."""

    def __call__(self, image):
        self.calls += 1
        return [UPRIGHT] if image[0, 0, 0] > 100 else []


class Scaled(OnlyUpright):
    def look(self, image, side):
        return []


def turned_clockwise(face, height):
    """A face after its image, so high, was turned by 90 degrees."""
    x, y, box_width, box_height = face.box
    landmarks = np.column_stack((height - face.landmarks[:, 1], face.landmarks[:, 0]))
    return Face((height - y - box_height, x, box_height, box_width), landmarks, face.score)


@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
@pytest.mark.parametrize(
    ("finder", "side", "scale"), [(OnlyUpright(), 200, 1), (Scaled(), 200, 1), (Scaled(), 2000, 2)]
)
def test_a_picture_that_lies_sideways(finder, side, scale, clockwise):
    finder.calls = 0
    lying = np.ascontiguousarray(np.rot90(marked(side), -clockwise // 90))
    (found,), turned = find_in_still(finder, lying)
    assert turned == (360 - clockwise) % 360
    assert finder.calls == (4 if turned else 1)
    for _ in range(turned // 90):
        found, lying = turned_clockwise(found, lying.shape[0]), np.rot90(lying, -1)
    upright = UPRIGHT.moved(scale, 0, 0)
    np.testing.assert_allclose(found.landmarks, upright.landmarks)
    assert found.box == pytest.approx(upright.box)


@pytest.mark.parametrize("finder", [FakeFinder([]), lambda image: []])
def test_no_face_however_it_is_turned(finder):
    assert find_in_still(finder, marked(3000)) == ([], 0)


def test_the_surest_of_three_turns_counts():
    def finder(image):
        if image[0, 0, 0] or image[-1, 0, 0]:  # as it lies, or turned by 270 degrees
            return []
        return [Face(UPRIGHT.box, UPRIGHT.landmarks, 0.9 if image[-1, -1, 0] else 0.8)]  # by 180, by 90

    assert find_in_still(finder, marked(200))[1] == 180


# Scales and tiles


class Spot:
    """Finds the white square of 40 pixels height at the scale of the picture's tiles, wherever it is whole."""

    name = "spot"

    def __init__(self, score=0.9, least=20):
        self._score, self._least, self.sizes = score, least, []

    def __call__(self, image):
        return []

    def look(self, image, side):
        self.sizes.append(image.shape[:2])
        rows, columns = np.nonzero(image[..., 0] > 200)
        if side < 640 or not len(rows) or max(image.shape) > side:
            return []
        box = tuple(map(float, (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)))
        return [Face(box, np.zeros((5, 2), np.float32), self._score)] if box[3] >= self._least else []


def spot(width, height, x, y, side=80):
    image = np.zeros((height, width, 3), np.uint8)
    image[y : y + side, x : x + side] = 255
    return image


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1950, 1450), (2170, 1600), (3920, 2920)])
def test_a_face_that_tiles_share_or_cut_comes_once(x, y):
    ((found,), _) = find_in_still(Spot(), spot(4000, 3000, x, y))
    assert found.box == pytest.approx((x, y, 80, 80), abs=2)


@pytest.mark.parametrize(
    ("side", "score", "count"), [(80, 0.79, 0), (80, 0.81, 1), (44, 0.9, 0), (50, 0.9, 1)]
)  # fmt: skip
def test_what_is_doubtful_or_tiny_is_left_out(side, score, count):
    assert len(find_in_still(Spot(score), spot(4000, 3000, 900, 900, side))[0]) == count


@pytest.mark.parametrize(
    ("width", "looks"), [(640, 0), (641, 1), (1280, 1), (1282, 2)]
)  # fmt: skip
def test_small_pictures_cost_what_they_did(width, looks):
    class Finder(Spot):
        def __call__(self, image):
            return [UPRIGHT]

    finder = Finder()
    find_in_still(finder, np.zeros((480, width, 3), np.uint8))
    assert len(finder.sizes) == looks


def test_of_two_finds_of_one_face_the_surer_stays():
    class Twice(Spot):
        def __call__(self, image):
            small = Face((60.0, 60.0, 20.0, 20.0), UPRIGHT.landmarks, 0.75)  # a part of it
            return [Face((50.0, 50.0, 60.0, 60.0), UPRIGHT.landmarks, 0.8), small]

        def look(self, image, side):
            return [Face((52.0, 48.0, 60.0, 60.0), UPRIGHT.landmarks, 0.9)]

    ((found,), _) = find_in_still(Twice(), np.zeros((700, 700, 3), np.uint8))
    assert found.score == 0.9
