import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from clips import FakeFinder

from aiface.data.batches import Batches
from aiface.data.crop_sets import prepare
from aiface.data.folders import scan
from aiface.models.keras_import import keras
from aiface.training import losses, trainer
from aiface.training.config import Phase, TrainConfig
from aiface.training.trainer import train

SMALL = TrainConfig(
    init="from-scratch", phases=(Phase(3, 1e-2, 64),), batch_size=4, steps_per_epoch=30, dropout=0.0, workers=1
)


@pytest.fixture(scope="module")
def crops(make_tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("distill")
    return prepare(scan(make_tree(folder / "tree")), folder / "crops", FakeFinder)


def network(features, backbone, size, dropout):
    image = keras.Input((size, size, 3), dtype="uint8")
    x = features(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, keras.layers.Dense(1, name="logit")(x), name=backbone)


def by_colour(backbone, size=256, dropout=0.0, policy="float32"):
    """A teacher that sees the colours of each 32 px square, and a student that could."""
    if backbone == "teacher":
        return network(keras.layers.AveragePooling2D(32), backbone, size, dropout)
    return network(keras.layers.Conv2D(4, 32, 32, name="conv"), backbone, size, dropout)


@pytest.fixture
def teacher(monkeypatch):
    """A network that calls red AI, as `load_detector` gives it."""
    made = by_colour("teacher", dropout=0.5)
    made.get_layer("logit").set_weights([np.array([[6.0], [-3.0], [-3.0]]), np.zeros(1)])
    monkeypatch.setattr(losses, "build", by_colour)
    monkeypatch.setattr(trainer, "build", by_colour)
    monkeypatch.setattr(losses, "load_detector", lambda folder, runtime: SimpleNamespace(network=made))
    return made


def test_the_student_comes_to_see_and_to_judge_as_its_teacher(crops, teacher, tmp_path):
    """What the teacher calls AI gets a higher score than what it calls real, whatever the labels say."""
    config = dataclasses.replace(SMALL, steps_per_epoch=100, teacher="there")
    model, progress = train(config, crops, tmp_path, verbose=0)
    seen = [row["loss"] for row in progress.history]
    assert seen[-1] < 0.7 * seen[0]
    red, green = (np.full((1, 256, 256, 3), colour, np.uint8) for colour in ((200, 60, 60), (60, 200, 60)))
    assert float(model.predict_on_batch(red)[0, 0]) > float(model.predict_on_batch(green)[0, 0]) + 0.5


def test_what_was_interrupted_goes_on_to_the_same_weights(crops, teacher, tmp_path):
    def stop(row):
        raise KeyboardInterrupt

    config = dataclasses.replace(SMALL, steps_per_epoch=3, teacher="there")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(config, crops, tmp_path / "halting", stop, verbose=0)
    found = [train(config, crops, tmp_path / run, verbose=0)[0].get_weights() for run in ("halting", "at once")]
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_taught_model_gives_both_logits_and_what_is_missed(crops, teacher):
    batches, student = Batches(crops.split("train"), 64, 4, 2, (0, 1)), by_colour("student", 64, 0.5)
    model = losses.taught(student, teacher, *losses.scale(teacher, batches))
    images, _ = batches[0]
    found = np.asarray(model.predict_on_batch(images))
    at_64 = by_colour("teacher", 64)
    at_64.set_weights(teacher.get_weights())
    np.testing.assert_allclose(found[:, 0], np.asarray(student.predict_on_batch(images))[:, 0], atol=1e-5)
    np.testing.assert_allclose(found[:, 1], np.asarray(at_64.predict_on_batch(images))[:, 0], atol=1e-5)
    learning = np.asarray(model(images, training=True))
    np.testing.assert_allclose(learning[:, 1:], found[:, 1:], atol=1e-5)  # the teacher drops nothing
    assert np.abs(learning[:, 0] - found[:, 0]).max() > 1e-3
    model.get_layer("translated").set_weights([np.zeros((1, 1, 4, 3)), np.zeros(3)])
    missed = np.concatenate([np.asarray(model.predict_on_batch(images))[:, 2] for images, _ in batches])
    colours = np.concatenate([images for images, _ in batches]).reshape(8, 2, 32, 2, 32, 3).mean(axis=(2, 4)) / 255
    variance = colours.var(axis=(0, 1, 2))
    scaled = (colours - colours.mean(axis=(0, 1, 2))) ** 2 / np.maximum(variance, variance.mean())
    np.testing.assert_allclose(missed, scaled.mean(axis=(1, 2, 3)), rtol=1e-3)
    assert {v.path for v in model.trainable_variables} == {
        v.path for v in (*student.trainable_variables, *model.get_layer("translated").trainable_variables)
    }


def test_the_configuration_chooses(crops, teacher):
    batches = Batches(crops.split_of_both("train"), 64, 4, 1, (0, 0))
    labels, taught = (losses.objective(dataclasses.replace(SMALL, teacher=name), batches) for name in ("", "there"))
    student = by_colour("student", 64)
    assert labels.fitted(student) is student
    assert [labels.batch_norm, taught.batch_norm] == [False, True]
    assert taught.fitted(student).output_shape == (None, 3)
    assert float(labels.loss(np.ones((1, 1)), np.zeros((1, 1)))) == pytest.approx(np.log(2))


@pytest.mark.parametrize("teacher_logit", [-3.0, 0.0, 3.0])
def test_label_and_teacher_have_half_a_say_each(teacher_logit):
    """The loss is least where the student's score is the mean of the label and the teacher's score."""
    logits = np.linspace(-4, 4, 801, dtype=np.float32)
    outputs = np.stack([logits, np.full(801, teacher_logit), np.full(801, 0.25)], axis=1).astype(np.float32)
    found = np.asarray(losses.loss(np.ones((801, 1), np.float32), outputs))
    target = (1 + 1 / (1 + np.exp(-teacher_logit))) / 2
    assert 1 / (1 + np.exp(-logits[found.argmin()])) == pytest.approx(target, abs=0.005)
    entropy = -target * np.log(target) - (1 - target) * np.log(1 - target)
    assert found.min() == pytest.approx(0.25 + entropy, abs=1e-3)
