import inspect
import itertools

import numpy as np
import pytest

from aiface.data import degrade
from aiface.faces.crop import crop_face, sharpness


@pytest.fixture(scope="module")
def crop(astronaut, face):
    return crop_face(astronaut, face)


def rng(seed=0):
    return np.random.default_rng(seed)


def difference(image, other):
    """Mean absolute difference in grey levels."""
    return float(np.abs(image.astype(float) - other).mean())


EVERY = [
    ("jpeg", lambda x: degrade.jpeg(x, 60)),
    ("webp", lambda x: degrade.webp(x, 60)),
    ("h264", lambda x: degrade.h264(x, 28)),
    ("blur", lambda x: degrade.blur(x, 1.5)),
    ("rescale", lambda x: degrade.rescale(x, 100)),
    ("noise", lambda x: degrade.noise(x, 8, rng())),
    ("tone", lambda x: degrade.tone(x, rng())),
    ("levels", lambda x: degrade.levels(x, rng())),
    ("smooth", lambda x: degrade.smooth(x, rng())),
    ("sharpen", lambda x: degrade.sharpen(x, rng())),
    ("occlude", lambda x: degrade.occlude(x, rng())),
    ("tighten", lambda x: degrade.tighten(x, rng())),
    ("degrade", lambda x: degrade.degrade(x, rng(1))),
    ("recompress", lambda x: degrade.recompress(x, rng())),
]


@pytest.mark.parametrize("function", [row[1] for row in EVERY], ids=[row[0] for row in EVERY])
@pytest.mark.parametrize("shape", [(256, 256), (128, 128), (100, 140)])
def test_every_degradation(crop, function, shape):
    image = np.ascontiguousarray(crop[: shape[0], : shape[1]])
    before = image.copy()
    degraded = function(image)
    assert (degraded.dtype, degraded.shape) == (np.uint8, image.shape)
    np.testing.assert_array_equal(image, before)  # the caller keeps its image
    assert difference(degraded, image) > 0.3
    np.testing.assert_array_equal(function(image), degraded)  # the same for the same rng


@pytest.mark.parametrize("function", [row[1] for row in EVERY if row[0] != "tighten"])
def test_colours_stay_in_order(function):
    image = np.full((128, 128, 3), (200, 120, 40), np.uint8)
    red, green, blue = function(image).reshape(-1, 3).mean(axis=0)
    assert red > green + 20 > blue + 40


@pytest.mark.parametrize(
    ("function", "weak_to_strong", "weakest"),
    [
        (degrade.jpeg, (100, 95, 80, 50, 30, 10), 1.0),
        (degrade.webp, (100, 95, 80, 50, 30, 10), 2.5),
        (degrade.h264, (0, 18, 25, 32, 38, 51), 2.5),  # 4:2:0 colours alone differ
        (degrade.blur, (0, 0.5, 1, 2, 4), 0),
        (degrade.rescale, (256, 200, 128, 64, 32), 0),
        (lambda image, sigma: degrade.noise(image, sigma, rng()), (0, 1, 4, 12, 25), 0),
    ],
    ids=["jpeg", "webp", "h264", "blur", "rescale", "noise"],
)
def test_stronger_is_further_off(crop, function, weak_to_strong, weakest):
    found = [difference(function(crop, strength), crop) for strength in weak_to_strong]
    assert found[0] <= weakest
    assert all(less < more for less, more in itertools.pairwise(found))
    assert found[-1] > 5


@pytest.mark.parametrize("sigma", [2, 8])
def test_noise_has_the_sigma_it_is_given(sigma):
    image = np.full((256, 256, 3), 128, np.uint8)
    degraded = degrade.noise(image, sigma, rng()).astype(float)
    assert degraded.std() == pytest.approx(sigma, rel=0.05)
    assert degraded.mean() == pytest.approx(128, abs=0.1)  # rounded, not cut off


def test_noise_is_clipped_not_wrapped():
    dark = degrade.noise(np.zeros((64, 64, 3), np.uint8), 5, rng())
    light = degrade.noise(np.full((64, 64, 3), 255, np.uint8), 5, rng())
    assert dark.max() < 60
    assert light.min() > 195


def test_tone_stays_within_its_range(crop):
    grey = np.full((8, 8, 3), 128, np.uint8)
    for seed in range(50):
        assert np.abs(degrade.tone(grey, rng(seed)).astype(int) - 128).max() <= 36


def test_tone_takes_colour_away_and_adds_it():
    image = np.full((8, 8, 3), (150, 120, 90), np.uint8)
    spans = [np.ptp(degrade.tone(image, rng(seed))[0, 0].astype(int)) for seed in range(50)]
    assert min(spans) < 40 < 60 < 80 < max(spans)


def test_levels_clip_what_was_not_clipped():
    """Up to 4 % at each end, and a flat picture stays a picture."""
    image = np.tile(np.arange(60, 160, dtype=np.uint8)[:, None, None], (1, 100, 3))
    shares = [[np.mean(degrade.levels(image, rng(seed)) == value) for value in (0, 255)] for seed in range(40)]
    assert np.max(shares, axis=0).tolist() == pytest.approx([0.04, 0.04], abs=0.015)
    assert np.min(shares) <= 0.015
    assert np.ptp(degrade.levels(np.full((8, 8, 3), 90, np.uint8), rng())) == 0


def test_sharpen_sharpens(crop):
    assert all(sharpness(degrade.sharpen(crop, rng(seed))) > 1.05 * sharpness(crop) for seed in range(20))


def test_smooth_flattens_skin_and_keeps_edges():
    image = np.full((64, 64, 3), 60, np.uint8)
    image[:, 32:] = 190
    grainy = degrade.noise(image, 6, rng(1))
    smoothed = degrade.smooth(grainy, rng(3)).astype(float)
    assert smoothed[:, 4:28].std() < 0.7 * grainy[:, 4:28].astype(float).std()
    assert smoothed[:, 34:].mean() - smoothed[:, :30].mean() == pytest.approx(130, abs=5)
    assert np.abs(np.diff(smoothed.mean(axis=(0, 2)))).argmax() == 31


@pytest.mark.parametrize("shape", [(256, 256), (100, 140), (20, 20)])
@pytest.mark.parametrize("seed", range(12))
def test_occlude_covers_one_rectangle_in_one_colour(shape, seed):
    image = rng(99).integers(0, 256, (*shape, 3), np.uint8)
    covered = degrade.occlude(image, rng(seed))
    changed = (covered != image).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    patch = covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert len(np.unique(patch.reshape(-1, 3), axis=0)) == 1
    assert 0.01 <= patch.shape[0] * patch.shape[1] / image[..., 0].size <= 0.2


def test_tighten_mirrors_what_is_left():
    """Each row and column is either kept in its place or a mirror image of a kept one."""
    rows, columns = np.indices((100, 100))
    image = np.stack((rows, columns, rows), axis=-1).astype(np.uint8)
    lost = []
    for seed in range(20):
        tight = degrade.tighten(image, rng(seed))
        for channel, line in ((0, tight[:, 50, 0]), (1, tight[50, :, 1])):
            kept = np.flatnonzero(line == np.arange(100))
            low, high = kept.min(), kept.max()
            assert low <= 25, channel
            assert high >= 74, channel
            expected = np.pad(np.arange(low, high + 1), (low, 99 - high), mode="reflect")
            np.testing.assert_array_equal(line, expected)
            lost += [low, 99 - high]
    assert max(lost) > 18  # up to a quarter
    assert min(lost) < 5


@pytest.mark.parametrize("size", [64, 128, 160, 256])
def test_window_has_its_size(crop, size):
    windows = [degrade.window(crop, size, rng(seed)) for seed in range(40)]
    assert {(w.dtype.name, w.shape) for w in windows} == {("uint8", (size, size, 3))}
    assert min(w.min(axis=(1, 2)).max() for w in windows) > 0  # no black border
    again = degrade.window(crop, size, rng(7))
    np.testing.assert_array_equal(windows[7], again)


@pytest.mark.parametrize("size", [128, 160, 256])
def test_half_of_the_windows_are_native_pixels(crop, size):
    native = 0
    for seed in range(60):
        part = degrade.window(crop, size, rng(seed))
        views = np.lib.stride_tricks.sliding_window_view(crop[..., 0], (size, size))
        native += bool((views[:, :, 0] == part[0, :, 0]).all(axis=2).any())
    assert 18 <= native <= 42


@pytest.mark.parametrize("size", [128, 160])
def test_windows_come_from_everywhere(size):
    """Over many draws nearly every column of the crop is seen, the middle most often."""
    columns = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None], (256, 256, 3))
    seen = set()
    for seed in range(200):
        seen |= set(np.unique(degrade.window(np.ascontiguousarray(columns), size, rng(seed))).tolist())
    assert len(seen) > 245


def test_window_larger_than_the_image(crop):
    assert degrade.window(np.ascontiguousarray(crop[:100, :100]), 128, rng()).shape == (128, 128, 3)


# The chain


def test_degrade_never_sees_a_label():
    """Degradations that know the class would teach it: nothing but the image and chance goes in."""
    assert list(inspect.signature(degrade.degrade).parameters) == ["image", "rng"]
    for name in ("window", "tighten", "tone", "levels", "sharpen"):
        assert "label" not in inspect.signature(getattr(degrade, name)).parameters
    assert not any("label" in line for line in inspect.getsource(degrade).splitlines() if line.startswith("from"))


@pytest.mark.parametrize("seed", range(8))
def test_degrade_depends_on_image_and_rng_alone(crop, seed):
    first = degrade.degrade(crop, rng(seed))
    degrade.degrade(crop[::-1].copy(), rng(seed + 1))  # whatever came before
    np.testing.assert_array_equal(degrade.degrade(crop, rng(seed)), first)


def test_degrade_draws_the_same_steps_whatever_the_image(crop):
    """Chance is consumed alike by every image of a shape, so that the label can't leak through the rng either."""
    for seed in range(20):
        generators = [rng(seed), rng(seed)]
        for image, generator in zip((crop, 255 - crop), generators, strict=True):
            degrade.degrade(image, generator)
        assert generators[0].random() == generators[1].random()


def test_degrade_leaves_an_eighth_clean_and_degrades_the_rest(crop):
    degraded = [degrade.degrade(crop, rng(seed)) for seed in range(200)]
    clean = sum(np.array_equal(image, crop) for image in degraded)
    assert 12 <= clean <= 42
    assert min(sharpness(image) for image in degraded) < 0.4 * sharpness(crop)
    assert max(difference(image, crop) for image in degraded) < 60  # a face is still a face


@pytest.mark.parametrize(("codec", "share"), [("jpeg", 0.5), ("h264", 0.33), ("webp", 0.17)])
def test_recompress_uses_each_codec(monkeypatch, crop, codec, share):
    calls = []
    for name in ("jpeg", "webp", "h264"):
        monkeypatch.setattr(degrade, name, lambda image, strength, name=name: calls.append((name, strength)) or image)
    generator = rng()
    for _ in range(2000):
        degrade.recompress(crop, generator)
    strengths = [strength for name, strength in calls if name == codec]
    assert len(strengths) / 2000 == pytest.approx(share, abs=0.04)
    low, high = (18, 38) if codec == "h264" else (30, 101)
    assert low <= min(strengths) < low + 5
    assert high - 5 < max(strengths) <= high


def test_muted_pictures_have_little_colour_and_keep_their_shapes(astronaut):
    image = astronaut[:256, 100:356]
    colour = [float(np.ptp(degrade.mute(image, np.random.default_rng(seed)), axis=2).mean()) for seed in range(20)]
    assert max(colour) < 0.55 * np.ptp(image, axis=2).mean()
    assert sum(value < 1 for value in colour) in range(5, 16)  # about half are grey
    shown = degrade.mute(image, np.random.default_rng(0)).mean(axis=2)
    assert np.corrcoef(shown.ravel(), image.mean(axis=2).ravel())[0, 1] > 0.97
