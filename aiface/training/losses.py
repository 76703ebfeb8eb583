"""What a training minimises: what the labels say, or also how another detector sees and judges.

`Taught`: a label tells one bit of a picture; a teacher's feature map tells tens of thousands of numbers, and its score
how sure one can be. So even a network with random weights learns from a few thousand faces. Features: Romero et al.
2015, "FitNets: Hints for Thin Deep Nets"; score: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network".
Both see the same degraded windows.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from aiface.data.batches import Batches
from aiface.models.detector import load_detector
from aiface.models.keras_import import keras
from aiface.models.network import build
from aiface.training.config import TrainConfig

SCALE_BATCHES = 16  # at most: enough pictures to know each channel's mean and variance


class Objective(Protocol):
    """One way to learn from batches of uint8 windows `(n, s, s, 3)` and labels `(n, 1)`, for one phase of a training.

    loss: of labels and of what the `fitted` model gives. batch_norm: whether batch normalisations learn, too.
    """

    loss: Callable
    batch_norm: bool

    def fitted(self, network: keras.Model) -> keras.Model:
        """The model that `fit` gets, with the network that learns within it, or that network itself."""


class Labels:
    """The binary cross-entropy of the network's logit and the label, or a `smoothing` of it."""

    def __init__(self, smoothing: float = 0.0):
        self.loss, self.batch_norm = keras.losses.BinaryCrossentropy(True, smoothing), False

    def fitted(self, network: keras.Model) -> keras.Model:
        """The network itself."""
        return network


class Taught:
    """The labels, and a detector's features and score (`taught`); `batches`: some to standardise its channels on."""

    def __init__(self, folder: str, batches: Batches):
        self.loss, self.batch_norm = loss, True
        self._teacher = load_detector(folder, runtime="keras").network
        self._channels = scale(self._teacher, batches)

    def fitted(self, network: keras.Model) -> keras.Model:
        """The network with its teacher beside it."""
        return taught(network, self._teacher, *self._channels)


def objective(config: TrainConfig, batches: Batches) -> Objective:
    """The one that a configuration chooses. `batches`: of the phase that begins."""
    return Taught(config.teacher, batches) if config.teacher else Labels(config.smoothing)


def scale(teacher: keras.Model, batches: Batches) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel of a detector's last feature map, float32 `(c,)`, on the first few batches.

    The least variance is the mean one: a channel that hardly varies is not to be blown up.
    """
    shown = [batches[index][0] for index in range(min(len(batches), SCALE_BATCHES))]
    seeing = _seeing(teacher, shown[0].shape[1])
    found = np.concatenate([np.asarray(seeing.predict_on_batch(images)[0]) for images in shown])
    variance = found.var(axis=(0, 1, 2))
    return found.mean(axis=(0, 1, 2)), np.maximum(variance, variance.mean())


def taught(student: keras.Model, teacher: keras.Model, mean: np.ndarray, variance: np.ndarray) -> keras.Model:
    """A model to fit with `loss`: the student, the teacher and the convolution that translates between them.

    Both are detectors' networks; the teacher's channels are standardised by `scale`. The student's uint8 windows in,
    float32 `(n, 3)` out: the student's logit, the teacher's, and the share of the teacher's variance that the student's
    last feature map, put through a 1x1 convolution, leaves unexplained.
    """
    seeing = _seeing(teacher, student.input_shape[1])
    goal, logit = seeing(student.input)
    goal = keras.layers.Normalization(mean=mean, variance=variance, dtype="float32", name="standardised")(goal)
    told = keras.layers.Conv2D(len(mean), 1, dtype="float32", name="translated")(student.get_layer("pool").input)
    missed = keras.ops.mean(keras.ops.square(told - goal), axis=(1, 2, 3))[:, None]
    return keras.Model(student.input, keras.ops.concatenate([student.output, logit, missed], axis=1))


def loss(labels: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.KerasTensor:
    """Of labels `(n, 1)` and what a `taught` model gives `(n, 3)`: what is missed of the teacher's features, and the
    cross-entropy of the student's logit, for whose target label and teacher have half a say each. `(n,)`."""
    logit, teacher, missed = (outputs[:, i] for i in range(3))
    target = (labels[:, 0] + keras.ops.sigmoid(teacher)) / 2
    return keras.ops.binary_crossentropy(target, logit, from_logits=True) + missed


def _seeing(teacher: keras.Model, size: int) -> keras.Model:
    """A detector's last feature map `(n, h, w, c)` and its logit `(n, 1)`, for windows of `size`; it does not learn."""
    network = build(teacher.name, size, dropout=0.0)  # Keras hands the outer model's `training` on to inner ones
    network.set_weights(teacher.get_weights())
    seeing = keras.Model(network.input, [network.get_layer("pool").input, network.output], name="teacher")
    seeing.trainable = False
    return seeing
