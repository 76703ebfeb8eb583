import dataclasses

import numpy as np
import pytest
from clips import FakeFinder

from aiface import distill as module
from aiface.batches import Batches
from aiface.dataset import scan
from aiface.distill import DistillConfig, Taught, distill
from aiface.errors import ModelError
from aiface.quiet import keras
from aiface.runs import load_progress
from aiface.shards import prepare

SMALL = DistillConfig("mobilenet_v2", 64, 3, 6, 4, 1e-2, policy="float32")


@pytest.fixture(scope="module")
def crops(make_tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("distill")
    return prepare(scan(make_tree(folder / "tree")), folder / "crops", FakeFinder)


def network(features, backbone="mobilenet_v2", size=64):
    image = keras.Input((size, size, 3), dtype="uint8")
    x = features(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, keras.layers.Dense(1, name="logit")(x), name=backbone)


@pytest.fixture(scope="module")
def teacher():
    return network(keras.layers.AveragePooling2D(32))


@pytest.fixture(autouse=True)
def student(monkeypatch):
    """A student that could learn the teacher's features, which are the colours of each 32 px square."""

    def linear(backbone, size, policy):
        return network(keras.layers.Conv2D(4, 32, 32, name="conv"), backbone, size)

    monkeypatch.setattr(module, "build", linear)
    monkeypatch.setattr(module, "save_backbone", lambda model, path: path.write_bytes(model.get_weights()[0].tobytes()))


def test_it_learns_the_teachers_features(crops, teacher, tmp_path):
    rows = []
    config = dataclasses.replace(SMALL, epochs=4, steps_per_epoch=30)
    path = distill(config, teacher, crops, tmp_path, rows.append, verbose=0)
    assert rows[-1]["loss"] < 0.4 * rows[0]["loss"]
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    assert load_progress(tmp_path)["history"] == rows
    assert path == tmp_path / "backbone.weights.h5"


def test_what_was_interrupted_goes_on_to_the_same_weights(crops, teacher, tmp_path):
    class Stopped(Exception):
        pass

    def stop(row):
        raise Stopped

    for _ in range(2):
        with pytest.raises(Stopped):
            distill(SMALL, teacher, crops, tmp_path / "halting", stop, verbose=0)
    with pytest.raises(ModelError, match="differs in size"):  # nor is another run continued
        distill(dataclasses.replace(SMALL, size=96), teacher, crops, tmp_path / "halting", verbose=0)
    found = [distill(SMALL, teacher, crops, tmp_path / run, verbose=0) for run in ("halting", "at once")]
    assert len({path.read_bytes() for path in found}) == 1


def test_targets_are_the_teachers_standardised_features_of_what_is_shown(crops, teacher):
    batches = Batches(crops.split("train"), 64, 4, 2, (0, 1))
    seen = module._features(teacher)
    mean, spread = module._scale(seen, batches)
    images, targets = Taught(batches, seen, mean, spread)[1]
    np.testing.assert_array_equal(images, batches[1][0])
    np.testing.assert_allclose(targets * spread + mean, seen.predict_on_batch(images), atol=1e-5)
    every = np.concatenate([Taught(batches, seen, mean, spread)[i][1] for i in range(2)])
    np.testing.assert_allclose(every.mean(axis=(0, 1, 2)), 0, atol=1e-4)
