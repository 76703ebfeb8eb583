"""Shared fixtures: all made by code, from one public-domain photograph that ships with scikit-image."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import FakeFinder
from skimage import data

from aiface.faces.finder import Face, load_finder
from aiface.paths import WEIGHTS

# What YuNet finds in the astronaut; test_faces.py holds it against the real finder
ASTRONAUT_BOX = (178.0, 63.0, 90.0, 113.0)
ASTRONAUT_LANDMARKS = ((200.1, 101.8), (247.1, 102.6), (220.4, 124.5), (198.6, 142.8), (239.7, 143.6))


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory):
    """What the tests convert for OpenVINO goes here, not into the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def astronaut():
    """RGB uint8 `(512, 512, 3)`, read-only: one face, upright, looking at the camera."""
    image = data.astronaut()
    image.flags.writeable = False
    return image


@pytest.fixture(scope="session")
def face():
    """The astronaut's face."""
    return Face(ASTRONAUT_BOX, np.array(ASTRONAUT_LANDMARKS, np.float32), 0.93)


@pytest.fixture(scope="session")
def finder():
    """The real finder: YuNet where its file was fetched, else MTCNN."""
    return load_finder(WEIGHTS, say=lambda line: None)


@pytest.fixture
def fake_finder():
    """A FakeFinder; set its `faces` to a list to have those, `type(fake_finder)()` makes another."""
    return FakeFinder()


def portrait(astronaut, rng, ai=False, size=256):
    """An FFHQ-aligned picture of the astronaut, shifted, mirrored, toned and noised; a checkerboard if `ai`."""
    side = size * 9 // 8
    large = cv2.resize(astronaut[2:210, 118:326], (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    top, left = rng.integers(0, side - size + 1, 2)
    image = large[top : top + size, left : left + size]
    image = image[:, ::-1] if rng.random() < 0.5 else image
    image = (image - 128) * rng.uniform(0.8, 1.1) + 128 + rng.uniform(-15, 15) + rng.normal(0, 3, image.shape)
    if ai:
        rows, columns = np.indices((size, size)) // 4
        image = image + 8.0 * ((rows + columns) % 2 * 2 - 1)[..., None]
    return image.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def make_tree(astronaut):
    """`make_tree(root)` makes `root/{train,valid,test}/{real,fake}/0000.png...` of aligned 256 px pictures."""

    def make(root, splits=("train", "valid", "test"), count=6, seed=0, size=256):
        rng = np.random.default_rng(seed)
        for split in splits:
            for name in ("real", "fake"):
                folder = Path(root, split, name)
                folder.mkdir(parents=True, exist_ok=True)
                for index in range(count):
                    image = portrait(astronaut, rng, name == "fake", size)
                    cv2.imwrite(str(folder / f"{index:04}.png"), image[..., ::-1])
        return Path(root)

    return make


@pytest.fixture(scope="session")
def tiny_network():
    """MobileNetV2 at crop size with random weights, one for all tests: don't change it but through `tiny_detector`."""
    from aiface.models.keras_import import keras
    from aiface.models.network import build

    keras.utils.set_random_seed(0)
    return build("mobilenet_v2")


@pytest.fixture(scope="session")
def tiny_detector(tiny_network):
    """`tiny_detector(folder, bias=0.0)` saves a bundle there whose every logit is `bias`, and returns the folder.

    With `kernel`, an array `(1280, 1)` or a number, logits depend on the picture too. `temperature` 1,
    "real" below 0.3, "ai" from 0.7, unless `calibration` says otherwise.
    """
    from aiface.models.bundle import save_bundle
    from aiface.models.calibration import Calibration

    def make(folder, bias=0.0, kernel=0.0, calibration=None):
        calibration = calibration or Calibration(1.0, {"0.05": 0.6, "0.01": 0.7, "0.001": 0.8}, 0.3, 1.0)
        layer = tiny_network.get_layer("logit")
        layer.set_weights([np.broadcast_to(np.float32(kernel), layer.kernel.shape), np.float32([bias])])
        training = {"summary": "Made by the tests.", "data": "made by the tests", "init": "from-scratch"}
        return save_bundle(tiny_network, folder, calibration, training, {})

    return make


@pytest.fixture
def files(tmp_path):
    for number in range(10):
        (tmp_path / "in" / str(number)).mkdir(parents=True)
    return tmp_path / "in"
