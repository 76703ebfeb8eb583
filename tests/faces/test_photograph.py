import json

import cv2
import numpy as np
import pytest

from aiface.data import degrade
from aiface.errors import ModelError
from aiface.faces.crop import CROP_SIZE, crop_face
from aiface.faces.photograph import WEIGHTS, is_art, load_network, measure


def cartoon(image):
    """Few steps of each channel, and black lines."""
    flat = image
    for _ in range(5):
        flat = cv2.bilateralFilter(flat, 9, 60, 7)
    grey = cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 5)
    lines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, 4)
    return cv2.bitwise_and(flat // 43 * 43, flat // 43 * 43, mask=lines)


def pencil(image):
    return cv2.cvtColor(cv2.pencilSketch(image, sigma_s=60, sigma_r=0.07, shade_factor=0.05)[0], cv2.COLOR_GRAY2RGB)


def dodged(image):
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.cvtColor(cv2.divide(grey, cv2.GaussianBlur(grey, (0, 0), 6), scale=256), cv2.COLOR_GRAY2RGB)


def outlines(image):
    return cv2.cvtColor(255 - cv2.Canny(cv2.GaussianBlur(image, (0, 0), 1), 40, 100), cv2.COLOR_GRAY2RGB)


def clip_art(image):
    """Flat areas with rounded borders."""
    return cv2.medianBlur(cv2.pyrMeanShiftFiltering(image, 12, 40) // 48 * 48 + 24, 7)


def oil(image, radius=4, levels=20):
    """The mean colour of the commonest grey around each pixel."""
    steps = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(int) * levels // 256
    side = (2 * radius + 1,) * 2
    counts = np.stack([cv2.boxFilter(np.float32(steps == level), -1, side) for level in range(levels)])
    means = [cv2.boxFilter(image * np.float32(steps == level)[..., None], -1, side) for level in range(levels)]
    best = counts.argmax(axis=0)[None, ..., None]
    shares = np.take_along_axis(counts[..., None], best, 0)[0]
    return np.uint8(np.take_along_axis(np.stack(means), best, 0)[0] / np.maximum(shares, 1e-3))


def shapes(image):
    """A face drawn from ellipses, as `image` has it in nothing but its size."""
    canvas = np.full_like(image, (250, 240, 200))
    cv2.ellipse(canvas, (128, 140), (85, 105), 0, 0, 360, (255, 214, 170), -1, cv2.LINE_AA)
    cv2.ellipse(canvas, (128, 140), (85, 105), 0, 0, 360, (70, 40, 20), 2, cv2.LINE_AA)
    for x in (92, 164):
        cv2.circle(canvas, (x, 118), 18, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(canvas, (x, 118), 8, (40, 80, 160), -1, cv2.LINE_AA)
    cv2.ellipse(canvas, (128, 185), (36, 20), 0, 20, 160, (180, 30, 40), 3, cv2.LINE_AA)
    return canvas


@pytest.fixture(scope="module")
def crop(astronaut, face):
    return crop_face(astronaut, face)


@pytest.mark.parametrize("draw", [cartoon, pencil, dodged, outlines, clip_art, oil, shapes])
@pytest.mark.parametrize("ship", [lambda x: x, lambda x: degrade.jpeg(x, 80)], ids=["as it is", "JPEG 80"])
def test_art_is_art(crop, draw, ship):
    assert is_art(ship(draw(crop)))


@pytest.mark.parametrize(
    "ship",
    [
        lambda x: x,
        lambda x: x[:, ::-1],
        lambda x: degrade.jpeg(x, 15),
        lambda x: degrade.jpeg(x, 40),
        lambda x: degrade.rescale(x, 64),
        lambda x: degrade.blur(x, 2),
        lambda x: degrade.h264(x, 35),
        lambda x: degrade.smooth(x, np.random.default_rng(0)),
        lambda x: degrade.noise(x, 8, np.random.default_rng(0)),
        lambda x: cv2.bilateralFilter(x, 9, 40, 5),
        lambda x: cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
        lambda x: x // 2,
    ],
    ids=["as it is", "mirrored", "JPEG 15", "JPEG 40", "64 px", "blur", "H.264", "beauty", "noise", "denoised", "grey",
         "dark"],
)  # fmt: skip
def test_a_photograph_is_none(crop, ship):
    assert not is_art(ship(crop))


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_pictures_have_finite_numbers(value):
    numbers = measure(np.full((CROP_SIZE, CROP_SIZE, 3), value, np.uint8))
    assert np.isfinite(list(numbers.values())).all()
    assert numbers["mean"] == pytest.approx(value / 255)
    assert (numbers["flat_0_0"], numbers["entropy"], numbers["chroma_90"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("name", "draw"),
    [("white", outlines), ("flat_0_0", clip_art), ("dark_lines_0", cartoon), ("flat_1_0", oil), ("top_16", shapes)],
)
def test_numbers_say_what_they_are_called(crop, name, draw):
    assert measure(draw(crop))[name] > measure(crop)[name]


def test_what_is_saved_is_what_is_loaded(tmp_path, crop):
    network = load_network()
    network.save(path := tmp_path / "saved.json", list(measure(crop)))
    assert path.read_bytes() == WEIGHTS.read_bytes()
    numbers = np.array([list(measure(crop).values())])
    assert network.above(1.5)(numbers) == pytest.approx(network(numbers) - 1.5)


def test_weights_of_other_numbers(tmp_path):
    rows = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"luck": rows["mean"]} | {key: rows[key] for key in ("hidden bias", "output")}))
    with pytest.raises(ModelError, match=r"other\.json: expected weights of entropy, .* found those of luck; run"):
        load_network(path)
