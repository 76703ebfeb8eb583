import cv2
import numpy as np
import pytest

from aiface.audit.pixel_statistics import STATISTICS, blockiness, energy, noise, perceptual_hash, statistics, window

NAMES = list(STATISTICS)


def jpeg(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (lambda x: jpeg(x, 30), 4),
        (lambda x: cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 4),
        (lambda x: cv2.resize(x, None, fx=1.3, fy=1.3, interpolation=cv2.INTER_CUBIC), 4),
        (lambda x: cv2.GaussianBlur(x, (0, 0), 2), 4),
        (lambda x: cv2.convertScaleAbs(x, alpha=0.9, beta=10), 8),
    ],
)
def test_the_hash_survives(astronaut, change, most):
    one, other = perceptual_hash(astronaut)[0], perceptual_hash(change(astronaut))[0]
    assert np.bitwise_count(one ^ other) <= most


def test_statistics_of_known_pictures():
    flat = dict(zip(NAMES, statistics(np.full((64, 64, 3), (10, 20, 30), np.uint8)), strict=True))
    assert (flat["red"], flat["green"], flat["blue"]) == (10, 20, 30)
    assert flat["sharpness"] == flat["noise"] == flat["contrast"] == flat["clipped"] == 0
    assert np.isnan([flat["blockiness"], flat["energy_top"]]).all()


@pytest.mark.parametrize("sigma", [2, 5, 10])
def test_noise_is_measured_in_grey_levels(sigma):
    grey = 128 + np.random.default_rng(0).normal(0, sigma, (256, 256)).astype(np.float32)
    assert noise(grey) == pytest.approx(sigma, rel=0.03)


@pytest.mark.parametrize("shift", [0, 3])
def test_blockiness_shows_a_jpeg_grid_wherever_it_lies(astronaut, shift):
    grey = [
        cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[shift:, shift:].astype(np.float32) for x in (astronaut, jpeg(astronaut, 15))
    ]
    assert blockiness(grey[0]) < 1.2
    assert blockiness(grey[1]) > 1.5


@pytest.mark.parametrize(("cycles", "band"), [(12, 0), (24, 1), (40, 2), (56, 3)])
def test_energy_finds_a_wave_in_its_band(cycles, band):
    wave = np.sin(2 * np.pi * cycles * np.arange(128) / 128).astype(np.float32)
    bands = energy(np.broadcast_to(100 * wave, (128, 128)))
    assert np.argmax(bands) == band
    assert bands[band] > -1


@pytest.mark.parametrize(
    ("shape", "side"), [((300, 500), 256), ((100, 200), 96), ((17, 16), 16), ((15, 40), 15), ((1, 1), 1)]
)
def test_any_size_is_measured(shape, side):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert window(image).shape == (side, side, 3)
    assert np.isfinite(statistics(image)).all() == (side >= 16)
    perceptual_hash(image)
