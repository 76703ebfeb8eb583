"""Small bundles for the tests: a network of a few layers, and what can be wrong with its files."""

import json

import numpy as np
import scene

from aiface.models.bundle import save_bundle
from aiface.models.calibration import Calibration
from aiface.models.keras_import import keras

CALIBRATION = Calibration(**scene.CALIBRATION)


def network(size=256, outputs=1, seed=0):
    """A few layers whose logits depend on the whole crop."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((size, size, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(8, 5, strides=4, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(outputs, kernel_initializer="glorot_normal")(x), name="small")


def save(folder, model=None, of_clips=None, **changes):
    """A bundle whose card is changed as `changes` say; None takes a key out."""
    save_bundle(model or network(), folder, CALIBRATION, {"summary": "made by the tests"}, {"auc": 0.9}, of_clips)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8")) | changes
    kept = {key: value for key, value in card.items() if value is not None}
    (folder / "card.json").write_text(json.dumps(kept), encoding="utf-8")
    return folder


def crops(n, seed=0):
    """Crops of four plain quarters each."""
    tones = np.random.default_rng(seed).integers(0, 256, (n, 2, 2, 3))
    return tones.repeat(128, axis=1).repeat(128, axis=2).astype(np.uint8)
