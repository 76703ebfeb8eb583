"""A network that learns to see and to judge as another detector does, beside what the labels say.

A label tells one bit of a picture; a teacher's feature map tells tens of thousands of numbers, and its score how sure
one can be. So even a network with random weights learns from a few thousand faces. Features: Romero et al. 2015,
"FitNets: Hints for Thin Deep Nets"; score: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network". Both see
the same spoiled windows.
"""

import numpy as np

from aiface.data.batches import Batches
from aiface.models.keras_import import keras
from aiface.models.network import build

SCALE_BATCHES = 16  # at most: enough pictures to know each channel's mean and variance


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


def loss(labels, outputs):
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
