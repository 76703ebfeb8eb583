import time

import cv2
import numpy as np
import pytest
from clips import FakeCamera
from skimage.metrics import structural_similarity

from aiface.faces.crop import CROP_SIZE, Quad, _region, crop_face, face_quad, fit_square, sharpness, warp_quad
from aiface.faces.finder import Face
from aiface.io.images import read_image
from aiface.reports.overlay import draw
from aiface.video.opening import Frame, open_video
from aiface.video.writer import VideoWriter

SAME_LANDMARKS = 4.0  # mean absolute difference in grey levels that H.264 makes in a crop of the same quad
OWN_LANDMARKS = 12.0  # and with the landmarks found anew in the decoded frame; swapped channels give 23
OWN_MTCNN_LANDMARKS = 20.0  # MTCNN answers in whole pixels


def difference(image, other):
    """Mean absolute difference in grey levels."""
    return float(np.abs(image.astype(float) - other).mean())


def ffhq_quad(landmarks):
    """The quad's maths of `recreate_aligned_images` in NVlabs/ffhq-dataset, whose left is the image's left."""
    eye_left, eye_right, _, mouth_left, mouth_right = np.float64(landmarks)
    eye_avg = (eye_left + eye_right) * 0.5
    eye_to_eye = eye_right - eye_left
    mouth_avg = (mouth_left + mouth_right) * 0.5
    eye_to_mouth = mouth_avg - eye_avg
    x = eye_to_eye - np.flipud(eye_to_mouth) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = np.flipud(x) * [-1, 1]
    c = eye_avg + eye_to_mouth * 0.1
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


def turned(landmarks, degrees):
    angle = np.deg2rad(degrees)
    matrix = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    return np.float32(landmarks) @ matrix.T


# Geometry

UPRIGHT = [(100, 100), (160, 100), (130, 140), (110, 170), (150, 170)]
WIDE = [(100, 100), (190, 100), (145, 120), (120, 150), (170, 150)]
LONG = [(100, 100), (130, 100), (115, 150), (105, 200), (125, 200)]
SKEWED = [(100, 100), (160, 112), (130, 140), (95, 165), (140, 181)]


@pytest.mark.parametrize("degrees", [0, 17, 90, 180, -45])
@pytest.mark.parametrize("landmarks", [UPRIGHT, WIDE, LONG, SKEWED])
def test_quad_is_ffhqs(landmarks, degrees):
    landmarks = turned(landmarks, degrees)
    quad, expected = face_quad(landmarks), ffhq_quad(landmarks)
    np.testing.assert_allclose(quad.corners, expected[[0, 3, 2, 1]], atol=1e-3)
    assert quad.side == pytest.approx(np.hypot(*(expected[1] - expected[0])), rel=1e-5)


def test_quad_by_hand():
    quad = face_quad(UPRIGHT)  # 60 px from eye to eye, 70 from eyes to mouth
    assert quad.centre == pytest.approx((130, 107))
    assert quad.side == pytest.approx(2 * 70 * 1.8)
    np.testing.assert_allclose(quad.corners[0], (130 - 126, 107 - 126))
    np.testing.assert_allclose(quad.corners[2], (130 + 126, 107 + 126))


@pytest.mark.parametrize("landmarks", [np.zeros((5, 2)), np.full((5, 2), 50.0)])
def test_landmarks_in_one_point_give_some_crop(landmarks):
    face = Face((0, 0, 1, 1), np.float32(landmarks), 1.0)
    assert crop_face(np.zeros((100, 100, 3), np.uint8), face).shape == (CROP_SIZE, CROP_SIZE, 3)


@pytest.mark.parametrize(
    ("centre", "half", "tilt", "shape", "covers"),
    [
        ((128, 128), 128, 0, (256, 256, 3), True),
        ((512, 512), 512, 0, (1024, 1024, 3), True),
        ((160, 128), 128, 0, (256, 256, 3), True),  # 12.5 % off
        ((170, 128), 128, 0, (256, 256, 3), False),  # 16 % off
        ((128, 86), 128, 0, (256, 256, 3), False),
        ((128, 128), 100, 0, (256, 256, 3), True),
        ((128, 128), 85, 0, (256, 256, 3), False),  # a face in a square picture
        ((128, 128), 170, 0, (256, 256, 3), False),  # a tight tile
        ((128, 128), 128, 5, (256, 256, 3), True),
        ((128, 128), 128, 20, (256, 256, 3), False),
        ((128, 128), 128, 180, (256, 256, 3), False),  # upside down
        ((128, 128), 128, 0, (256, 300, 3), False),  # not square
    ],
)
def test_which_images_are_aligned_already(centre, half, tilt, shape, covers):
    x_axis = turned([(half, 0)], tilt)[0]
    assert Quad(centre, tuple(x_axis)).covers(shape) is covers


# Resampling


def test_an_aligned_picture_passes_through(make_tree, tmp_path, fake_finder, finder):
    files = sorted(make_tree(tmp_path, splits=("train",), count=3).rglob("*.png"))
    for path in files:
        image = read_image(path)
        np.testing.assert_array_equal(crop_face(image, fake_finder.aligned(image)), image)
    unchanged = [np.array_equal(crop_face(image, finder(image)[0]), image) for image in map(read_image, files)]
    assert sum(unchanged) >= 5  # of 6: also with landmarks as they are found


def test_a_large_aligned_picture_is_averaged(astronaut, fake_finder):
    expected = astronaut.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    crop = crop_face(astronaut, fake_finder.aligned(astronaut))
    assert np.abs(crop - expected).max() <= 0.75
    np.testing.assert_array_equal(crop, cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("side", [1, 100, 256, 300, 1024])
@pytest.mark.parametrize("size", [64, 256])
def test_any_square_fits(side, size):
    image = np.full((side, side, 3), (200, 100, 30), np.uint8)
    np.testing.assert_array_equal(fit_square(image, size), np.full((size, size, 3), (200, 100, 30), np.uint8))


@pytest.mark.parametrize("offset", [(0, 0), (37, 91)])
def test_a_quad_on_the_pixel_grid_copies_pixels(astronaut, offset):
    """No half pixel is lost between landmarks, whose pixel centres lie at .5, and OpenCV, whose lie at 0."""
    left, top = offset
    quad = Quad((left + 128, top + 128), (128, 0))
    expected = astronaut[top : top + 256, left : left + 256]
    np.testing.assert_array_equal(warp_quad(astronaut, quad), expected)


def test_a_quarter_turn_copies_pixels(astronaut):
    quad = Quad((160, 160), (0, 128))  # the face's horizontal runs down the image: it lies on its side
    np.testing.assert_array_equal(warp_quad(astronaut, quad), np.rot90(astronaut[32:288, 32:288]))


@pytest.mark.parametrize("degrees", [-160, -90, -45, -20, -5, 5, 20, 45, 90, 180])
def test_the_crop_stands_level(astronaut, face, degrees):
    """However the head is held, the crop is the same but for one more resampling, at 512 px, in between."""
    matrix = cv2.getRotationMatrix2D((222, 120), degrees, 1.0)
    image = cv2.warpAffine(astronaut, matrix, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    landmarks = (face.landmarks - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5  # pixel centres lie at .5
    crop, expected = crop_face(image, Face(face.box, landmarks, 1.0)), crop_face(astronaut, face)
    assert difference(crop, expected) < 2.0
    assert structural_similarity(crop, expected, channel_axis=2) > 0.95


@pytest.mark.parametrize(("scale", "epsilon"), [(0.5, 4.5), (1.5, 1.5), (2.0, 1.0), (4.0, 1.5)])
def test_the_crop_does_not_depend_on_the_frames_size(astronaut, face, scale, epsilon):
    size = round(512 * scale)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image = cv2.resize(astronaut, (size, size), interpolation=interpolation)
    assert difference(crop_face(image, face.moved(scale, 0, 0)), crop_face(astronaut, face)) < epsilon


@pytest.mark.parametrize("degrees", [0, 10, 45])
@pytest.mark.parametrize("period", [2, 3, 4])
@pytest.mark.parametrize("shrink", [4, 8])
def test_fine_stripes_come_out_flat(period, degrees, shrink):
    """Above the crop's Nyquist frequency nothing may be left: resampled without a filter it makes moiré."""
    side = CROP_SIZE * shrink
    image = np.zeros((side, side, 3), np.uint8)
    image[:, np.arange(side) % period < (period + 1) // 2] = 255
    x_axis = turned([(side * 0.35, 0)], degrees)[0]
    quad = Quad((side / 2, side / 2), tuple(x_axis))
    crop = warp_quad(image, quad, round(CROP_SIZE * 0.7))
    assert crop.std() < 3.0
    assert crop.mean() == pytest.approx(image.mean(), abs=2)


def test_unfiltered_stripes_would_not_be_flat():
    """The test above can fail."""
    image = np.zeros((1024, 1024, 3), np.uint8)
    image[:, ::3] = 255
    assert cv2.resize(image, (256, 256), interpolation=cv2.INTER_CUBIC).std() > 50


@pytest.mark.parametrize(("x", "y"), [(20, 30), (250, 20), (300, 256), (10, 250), (160, 128)])
@pytest.mark.parametrize("degrees", [0, 30])
def test_past_the_border_the_picture_is_mirrored(astronaut, x, y, degrees):
    image = np.ascontiguousarray(astronaut[100:356, 100:420])
    x_axis = turned([(150, 0)], degrees)[0]
    padded = np.pad(image, ((250, 250), (250, 250), (0, 0)), mode="reflect")
    crop = warp_quad(image, Quad((x, y), tuple(x_axis)))
    np.testing.assert_array_equal(crop, warp_quad(padded, Quad((x + 250, y + 250), tuple(x_axis))))
    assert crop.min(axis=(1, 2)).max() > 0  # no black border


def test_a_quad_far_larger_than_the_image(astronaut):
    """Mirrored as often as it takes."""
    image = np.ascontiguousarray(astronaut[80:120, 200:260])
    crop = warp_quad(image, Quad((30, 20), (200, 0)))
    assert crop.shape == (256, 256, 3)
    assert crop.mean() == pytest.approx(image.mean(), abs=10)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 200, 3), (200, 1, 3)])
def test_degenerate_images(shape):
    assert (warp_quad(np.full(shape, 77, np.uint8), Quad((0, 0), (50, 0))) == 77).all()


def test_only_the_face_is_filtered(monkeypatch, astronaut, face):
    """A small face in a large frame costs what a small face should, and is the same face."""
    filtered, blur = [], cv2.GaussianBlur
    monkeypatch.setattr(cv2, "GaussianBlur", lambda image, *args: filtered.append(image.shape) or blur(image, *args))
    frame = np.zeros((2160, 3840, 3), np.uint8)
    frame[1600:1920, 3000:3512] = astronaut[:320]
    crop = crop_face(frame, face.moved(1, 3000, 1600), 128)
    assert max(filtered[0]) < 250
    assert np.abs(crop.astype(int) - crop_face(astronaut, face, 128)).max() <= 1


def test_channels_stay_in_order(face):
    image = np.full((512, 512, 3), (250, 100, 10), np.uint8)
    np.testing.assert_array_equal(crop_face(image, face), np.full((256, 256, 3), (250, 100, 10), np.uint8))


@pytest.mark.parametrize("size", [64, 256, 300])
def test_crop_is_what_the_contract_says(astronaut, face, size):
    before = astronaut.copy()
    crop = crop_face(astronaut, face, size)
    assert (crop.dtype, crop.shape) == (np.uint8, (size, size, 3))
    np.testing.assert_array_equal(astronaut, before)


# Parity: one face from a picture, a video frame and a webcam frame


@pytest.fixture(scope="module")
def sources(astronaut, tmp_path_factory):
    """The same picture read from a PNG, an H.264 video and a camera."""
    folder = tmp_path_factory.mktemp("parity")
    cv2.imwrite(str(folder / "a.png"), astronaut[..., ::-1])
    with VideoWriter(folder / "a.mp4", 512, 512) as writer:
        for index in range(5):
            writer.write(Frame(astronaut, index / 25))
    camera = FakeCamera()
    camera.read = lambda: time.sleep(0.01) or (True, np.ascontiguousarray(astronaut[..., ::-1]))
    frames = {"png": read_image(folder / "a.png")}
    for name, source in (("video", folder / "a.mp4"), ("camera", 0)):
        with open_video(source, capture=lambda index: camera) as video:
            frames[name] = next(iter(video)).image
    return frames


@pytest.mark.parametrize(("source", "epsilon"), [("png", 0), ("camera", 0), ("video", SAME_LANDMARKS)])
def test_parity_of_the_crop(sources, astronaut, face, source, epsilon):
    crop = crop_face(sources[source], face)
    assert difference(crop, crop_face(astronaut, face)) <= epsilon


@pytest.mark.parametrize("source", ["png", "camera", "video"])
def test_parity_of_finding_and_cropping(sources, astronaut, finder, source):
    expected = crop_face(astronaut, finder(astronaut)[0])
    (found,) = finder(sources[source])
    exact, loose = source != "video", OWN_LANDMARKS if finder.name == "YuNet" else OWN_MTCNN_LANDMARKS
    assert difference(crop_face(sources[source], found), expected) <= (0 if exact else loose)


def test_parity_can_fail(astronaut, face):
    """Swapped channels, a face box for a quad or a face turned by 10 degrees differ by more than the epsilons."""
    crop = crop_face(astronaut, face)
    x, y, width, height = map(round, face.box)
    box = cv2.resize(astronaut[y : y + height, x : x + width], (256, 256), interpolation=cv2.INTER_AREA)
    assert difference(crop[..., ::-1], crop) > OWN_MTCNN_LANDMARKS
    assert difference(box, crop) > 2 * OWN_MTCNN_LANDMARKS


def test_drawing_leaves_the_frame_as_it_is(astronaut, face):
    """A box drawn into the frame before the crop is taken would be part of the face."""
    frame = astronaut.copy()
    drawn = draw(frame, [(face.box, "AI 0.97", "ai")])
    np.testing.assert_array_equal(frame, astronaut)
    assert difference(crop_face(drawn, face), crop_face(frame, face)) > 2.0


# Sharpness


def test_sharpness_falls_with_blur(astronaut, face):
    crop = crop_face(astronaut, face)
    found = [sharpness(crop)] + [sharpness(cv2.GaussianBlur(crop, (0, 0), sigma)) for sigma in (0.7, 1.5, 3, 8)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.1 * found[0]
    assert sharpness(np.full((256, 256, 3), 90, np.uint8)) == 0


@pytest.mark.parametrize("shape", [(90, 120, 3), (120, 40, 3), (1, 50, 3), (33, 1, 3), (2, 2, 3)])
@pytest.mark.parametrize("seed", range(20))
def test_a_part_is_the_mirrored_picture(shape, seed):
    """However far it lies outside, pixel by pixel."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, shape, np.uint8)
    centre = rng.uniform(-0.5, 1.5, 2) * (shape[1], shape[0])
    quad = Quad(tuple(centre), tuple(rng.uniform(-60, 60, 2) * rng.choice((0.2, 1, 4))))
    part, (x, y) = _region(image, quad)
    folded = []
    for at, count, length in zip((y, x), part.shape, shape[:2], strict=False):
        index = np.abs(np.arange(at, at + count)) % (period := max(1, 2 * (length - 1)))
        folded.append(np.where(index < length, index, period - index))
    np.testing.assert_array_equal(part, image[np.ix_(*folded)])
