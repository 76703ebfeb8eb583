"""Which places of a crop spoke for AI: Grad-CAM, in the closed form that it takes on this package's networks.

Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) weighs feature maps by the gradient of the logit, averaged over
places. Here the maps are averaged over places and dense layers make the logit of the means (dropout does nothing at
inference). With one such layer these gradients are its weights over the number of places, whatever the picture: the
class activation map of Zhou et al. 2016 (arXiv:1512.04150), which Selvaraju et al. prove Grad-CAM to generalise
(section 3.1). With a hidden layer of ReLUs they are those of the units that answer to this picture. Either takes one
forward pass and no automatic gradient, on each of Keras's backends.

A map shows where the network looked, in cells of 32 pixels. It is no proof that something is wrong there.
"""

from functools import lru_cache
from math import pi
from typing import TYPE_CHECKING

import cv2
import numpy as np
from matplotlib import colormaps

from aiface.data.blend import HALF_AXES, INNER_FACE
from aiface.errors import ModelError
from aiface.faces.crop import Quad, face_quad
from aiface.faces.finder import Face

if TYPE_CHECKING:
    from aiface.models.keras_import import keras

Head = list[tuple[np.ndarray, np.ndarray]]  # kernel and bias of each dense layer, the last of one logit

FAINT = 2.0  # logits: a map whose strongest cell has less stays darker than 1, so that a face read as real stays dark
STRENGTH = 0.6  # how much of a pixel the hottest colour covers: the face stays to be seen
INNER_SHARE = pi * HALF_AXES[0] * HALF_AXES[1]  # of a crop's area: what `share_inside_face` gives for an even map


def class_activation(network: "keras.Model", crops: np.ndarray) -> np.ndarray:
    """What each place adds to the logit of AI: float32 `(n, 8, 8)` of uint8 RGB crops `(n, 256, 256, 3)`.

    In logits: a crop's mean over its cells, plus what biases add for it, is its logit. So a cell
    of 3 is one that would make a logit of 3 if all the crop looked like it. Raises `ModelError` unless the network
    ends in global average pooling and dense layers, of ReLUs but for one linear logit.
    """
    return _activation(_features(_kept(network), crops), _head(network))


def heat_map(network: "keras.Model", crops: np.ndarray) -> np.ndarray:
    """Where uint8 RGB crops `(n, 256, 256, 3)` speak for AI: float32 `(n, 256, 256)` from 0 to 1.

    What speaks for real is 0, as in Grad-CAM; a crop in which nothing speaks for AI is 0 all over. 1 is the crop's own
    strongest cell, or `FAINT` logits if that is more: compare places within a crop by the map, crops by their scores.
    Between the centres of cells it is linear. Raises `ModelError` as `class_activation` does.
    """
    cells = np.maximum(class_activation(network, crops), 0)
    cells /= np.maximum(cells.max(axis=(1, 2), keepdims=True), FAINT)
    down, across = (_interpolation(cells.shape[axis], crops.shape[axis]) for axis in (1, 2))
    return down.T @ cells @ across


def _features(model: "keras.Model", crops: np.ndarray) -> np.ndarray:
    """The last feature maps, float32 `(n, rows, columns, channels)`; one by one: each new shape would compile anew."""
    if not len(crops):
        return np.zeros((0, *model.output_shape[1:]), np.float32)
    return np.concatenate([np.asarray(model.predict_on_batch(crop[None]), np.float32) for crop in crops])


def _activation(maps: np.ndarray, head: Head) -> np.ndarray:
    """Maps `(n, rows, columns, channels)` weighed by the gradients of the logits that a head makes of their means."""
    return np.einsum("nrsc,nc->nrs", maps, _gradients(head, maps.mean(axis=(1, 2))))


def _gradients(head: Head, means: np.ndarray) -> np.ndarray:
    """The gradients of the logits by the means `(n, channels)` that they are made of, in that shape."""
    *hidden, (last, _) = head
    answering = []
    for kernel, bias in hidden:
        means = np.maximum(means @ kernel + bias, 0)
        answering.append(means > 0)
    found = np.repeat(last.T, len(means), axis=0)
    for (kernel, _), answers in zip(hidden[::-1], answering[::-1], strict=True):
        found = (found * answers) @ kernel.T
    return found


def _head(network: "keras.Model") -> Head:
    """The kernels and biases behind a network's pooling."""
    from aiface.models.keras_import import keras

    layers = [layer for layer in network.layers if not isinstance(layer, keras.layers.Dropout)]
    places = [n for n, layer in enumerate(layers) if isinstance(layer, keras.layers.GlobalAveragePooling2D)]
    head = layers[places[-1] + 1 :] if places else layers[-1:]
    kinds = [layer.activation if isinstance(layer, keras.layers.Dense) else None for layer in head]
    relus = [keras.activations.relu] * (len(head) - 1)
    if not places or kinds != [*relus, keras.activations.linear] or head[-1].units != 1:
        raise ModelError(
            f"{network.name}: expected a network that ends in global average pooling and one linear logit, "
            f"with ReLUs between them at most, found {', '.join(layer.name for layer in layers[-2:])}; "
            "a map can't be drawn for it"
        )
    arrays = (layer.get_weights() for layer in head)
    return [(np.asarray(kernel, np.float32), np.asarray(bias, np.float32)) for kernel, bias in arrays]


def _feature_model(network: "keras.Model") -> "keras.Model":
    """The part of a network up to its pooling."""
    from aiface.models.keras_import import keras

    _head(network)
    pools = [layer for layer in network.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D)]
    return keras.Model(network.input, pools[-1].input)


_kept = lru_cache(maxsize=2)(_feature_model)  # compiled once for a network, not once for a picture


def _interpolation(cells: int, size: int) -> np.ndarray:
    """Weights float32 `(cells, size)` that stretch evenly spread cells over `size` pixels, linear between centres."""
    centres = (np.arange(cells) + 0.5) * size / cells - 0.5
    return np.array([np.interp(np.arange(size), centres, cell) for cell in np.eye(cells)], np.float32)


# Drawing


def overlay_heat(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A copy of an RGB uint8 image `(h, w, 3)` under its `heat`, `(h, w)` from 0 to 1, in matplotlib's "inferno".

    The hotter, the brighter and the more opaque, up to `STRENGTH`: where the heat is 0 the image is as it was.
    """
    colours = colormaps["inferno"](heat, bytes=True)[..., :3].astype(np.float32)
    opacity = (STRENGTH * heat).astype(np.float32)[..., None]
    return np.rint(image + (colours - image) * opacity).astype(np.uint8)


def onto_frame(image: np.ndarray, face: Face | Quad, heat: np.ndarray) -> np.ndarray:
    """A copy of an RGB uint8 frame with a crop's `heat`, `(s, s)` from 0 to 1, drawn where the crop was taken from.

    face: the one that was cropped, or its quad. As in `crop_face`, an image that is already an aligned face was taken
    whole. Outside the quad the frame stays as it was.
    """
    quad = _taken(image.shape, face if isinstance(face, Quad) else face_quad(face.landmarks))
    size = (image.shape[1], image.shape[0])
    low = np.clip(np.floor(quad.corners.min(axis=0)).astype(int), 0, size)
    high = np.clip(np.ceil(quad.corners.max(axis=0)).astype(int), 0, size)
    drawn = image.copy()
    if (high > low).all():
        part = np.s_[low[1] : high[1], low[0] : high[0]]
        drawn[part] = overlay_heat(image[part], _laid_out(heat, quad, low, high - low))
    return drawn


def _taken(shape: tuple[int, ...], quad: Quad) -> Quad:
    """What of an image of `shape` the crop of a quad shows."""
    half = shape[1] / 2
    return Quad((half, half), (half, 0.0)) if quad.covers(shape) else quad


def _laid_out(heat: np.ndarray, quad: Quad, origin: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The heat at each pixel of a part of the frame, `(height, width)`, 0 outside the quad: `warp_quad` undone."""
    right = (np.arange(size[0]) + 0.5 + origin[0] - quad.centre[0]).astype(np.float32)
    down = (np.arange(size[1]) + 0.5 + origin[1] - quad.centre[1]).astype(np.float32)[:, None]
    x, y = np.array(quad.x_axis, np.float32) / np.float32(np.dot(quad.x_axis, quad.x_axis))
    across, along = right * x + down * y, down * x - right * y  # -1 to 1 within the quad
    within = np.maximum(np.abs(across), np.abs(along)) <= 1
    columns, rows = ((axis + 1) * (len(heat) / 2) - 0.5 for axis in (across, along))
    return cv2.remap(heat, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) * within


def share_inside_face(heat: np.ndarray) -> float | None:
    """Share of a map's sum that lies in the inner face, between brows and chin: 0 to 1, None for a map of zeros.

    heat: `(s, s)`, of a crop, whose geometry puts the inner face into an ellipse that takes `INNER_SHARE` of it.
    """
    if not heat.any():
        return None
    rows, columns = (np.indices(heat.shape) + 0.5) / len(heat)
    inside = np.hypot((columns - INNER_FACE[0]) / HALF_AXES[0], (rows - INNER_FACE[1]) / HALF_AXES[1]) <= 1
    return float(heat[inside].sum(dtype=np.float64) / heat.sum(dtype=np.float64))
