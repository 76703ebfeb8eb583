"""Others' designs, for `make ablation`: what a crop is in the reference recipe, and Meso4."""

import cv2
import numpy as np

from aiface.data.crop_sets import CropSet
from aiface.faces.crop import CROP_SIZE
from aiface.io.images import read_image
from aiface.models.keras_import import keras
from aiface.models.network import Backbone

SMALL = 160  # px; what networks without windows see in training and in use


class Shrunk(CropSet):
    """Crops for a network that sees all of a crop at SMALL pixels: `crops[i]` is RGB uint8 `(160, 160, 3)`."""

    def __getitem__(self, index: int) -> np.ndarray:
        return shrink(self.large(index))

    def large(self, index: int) -> np.ndarray:
        """The crop itself, RGB uint8 `(256, 256, 3)`: what degradations are applied to."""
        return super().__getitem__(index)


class Squeezed(Shrunk):
    """No face is looked for: the whole picture, whatever its shape, squeezed into a square, as `cv2.resize` does it."""

    def large(self, index: int) -> np.ndarray:
        """The whole picture, RGB uint8 `(256, 256, 3)`."""
        return cv2.resize(read_image(self.rows[index].path), (CROP_SIZE, CROP_SIZE))


def shrink(crop: np.ndarray) -> np.ndarray:
    """A crop at SMALL pixels."""
    return cv2.resize(crop, (SMALL, SMALL), interpolation=cv2.INTER_AREA)


def meso4(
    input_tensor: keras.KerasTensor | None = None, input_shape: tuple | None = None, **ignored: object
) -> keras.Model:
    """Meso4 up to its last hidden layer (Afchar et al. 2018, "MesoNet: a Compact Facial Video Forgery Detection
    Network", figure 4), as features `(n, 1, 1, 16)` for the common head: dropout and one logit."""
    x = keras.Input(input_shape) if input_tensor is None else input_tensor
    image = keras.utils.get_source_inputs(x)[0]
    for filters, kernel, pool in ((8, 3, 2), (8, 5, 2), (16, 5, 2), (16, 5, 4)):
        x = keras.layers.Conv2D(filters, kernel, padding="same", activation="relu")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.MaxPooling2D(pool, padding="same")(x)
    x = keras.layers.Dropout(0.5, name="meso_dropout")(keras.layers.Flatten()(x))
    x = keras.layers.LeakyReLU(0.1)(keras.layers.Dense(16)(x))
    return keras.Model(image, keras.layers.Reshape((1, 1, 16))(x))


MESO4 = Backbone(meso4, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "", "")
