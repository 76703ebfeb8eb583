import functools

import cv2
import h5py
import numpy as np
import pytest
from bundles import CALIBRATION

from aiface.errors import ModelError
from aiface.faces.crop import CROP_SIZE
from aiface.io.files import sha256
from aiface.models import network
from aiface.models.bundle import load_network, save_bundle
from aiface.models.keras_import import keras
from aiface.models.network import (
    BACKBONES,
    FROM_SCRATCH,
    Backbone,
    build,
    initialise,
    predict_logits,
    read_levels,
    set_trainable,
    with_head,
)
from benchmarks.soak.archives import NETWORKS, write_zip

SIZE = 64
PREPROCESS = {
    "densenet121": keras.applications.densenet.preprocess_input,
    "mobilenet_v2": keras.applications.mobilenet_v2.preprocess_input,
}


@pytest.fixture(scope="module")
def models():
    """One network of each kind with random weights."""
    keras.utils.set_random_seed(0)
    return {name: build(name, SIZE) for name in BACKBONES}


@pytest.fixture(params=list(BACKBONES))
def model(request, models):
    return models[request.param]


def logits(model, images):
    return np.asarray(model.predict_on_batch(images))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


# The graph


def test_one_flat_graph(model):
    """Grad-CAM fails on nested models, and a Lambda is code in a file."""
    kinds = {type(layer) for layer in model.layers}
    assert keras.layers.Lambda not in kinds
    assert not any(issubclass(kind, keras.Model) for kind in kinds)
    assert len(model.layers) > 100
    assert sum(isinstance(layer, keras.layers.InputLayer) for layer in model.layers) == 1


def test_bytes_in_and_a_logit_out(model, images):
    assert model.input_shape == (None, SIZE, SIZE, 3)
    assert model.inputs[0].dtype == "uint8"
    assert model.output_shape == (None, 1)
    found = logits(model, images)
    assert (found.dtype, found.shape) == (np.float32, (3, 1))
    assert len(np.unique(found)) == 3  # it depends on the picture
    assert model.layers[-1].activation is keras.activations.linear  # a logit, no probability


@pytest.mark.parametrize("name", list(BACKBONES))
def test_preprocessing_is_that_of_keras(models, name):
    values = np.arange(256, dtype=np.uint8).repeat(48).reshape(1, SIZE, SIZE, 3)
    values = np.concatenate([values, np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)])
    model = models[name]
    normalised = np.asarray(keras.Model(model.input, model.get_layer("normalise").output)(values))
    expected = PREPROCESS[name](values.astype(np.float32))
    np.testing.assert_allclose(normalised, expected, atol=1e-5)


def test_saved_and_loaded_it_is_the_same(model, images, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(logits(loaded, images), logits(model, images))
    assert loaded.name == model.name
    assert not any(isinstance(layer, keras.Model) for layer in loaded.layers)


def test_size_is_that_of_a_crop_by_default(tiny_network):
    assert tiny_network.input_shape == (None, CROP_SIZE, CROP_SIZE, 3)


@pytest.mark.parametrize("name", ["resnet50", "DenseNet121", ""])
def test_an_unknown_backbone(name):
    with pytest.raises(ModelError, match=rf"expected a backbone among {', '.join(sorted(BACKBONES))}, found '{name}'"):
        build(name)


def test_mixed_precision_ends_in_float32(images):
    model = build("mobilenet_v2", SIZE, policy="mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"  # restored
    assert model.get_layer("normalise").compute_dtype == "float32"
    assert model.get_layer("Conv_1").compute_dtype == "bfloat16"
    assert model.get_layer("Conv_1").variable_dtype == "float32"
    assert logits(model, images).dtype == np.float32
    single = build("mobilenet_v2", SIZE)
    single.set_weights(model.get_weights())
    np.testing.assert_allclose(logits(model, images), logits(single, images), atol=0.05)


def test_the_policy_is_restored_after_an_error():
    with pytest.raises(ValueError, match="Negative dimensions"):
        build("mobilenet_v2", -1, policy="mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"


# What could not be loaded again is not built


class LayerScale(keras.layers.Layer):
    """A layer of another's making."""

    def call(self, x):
        return x


def of(*layers):
    """A backbone of these layers, which stands in for one of Keras's."""

    def made(include_top, weights, input_tensor):
        image = keras.utils.get_source_inputs(input_tensor)[0]
        return keras.Model(image, functools.reduce(lambda x, layer: layer(x), layers, input_tensor))

    return Backbone(made, (0.5,) * 3, (0.5,) * 3, "", "")


@pytest.mark.parametrize(
    ("layers", "found"),
    [  # ConvNeXt has the first two
        ([keras.layers.LayerNormalization(name="stem_norm")], r"stem_norm, a keras\.layers\.LayerNormalization"),
        ([LayerScale(name="scale")], r"scale, a .*\.LayerScale"),
        ([keras.layers.Conv2D(2, 1), keras.layers.Lambda(lambda x: x, name="code")], r"code, a keras\.layers\.Lambda"),
        ([keras.layers.Conv2D(20_000, 1)], "an axis of 20000, over 16384"),
    ],
)
def test_what_loading_would_refuse_building_refuses_and_names(monkeypatch, layers, found):
    monkeypatch.setitem(BACKBONES, "other", of(*layers))
    with pytest.raises(
        ModelError, match=f"other: expected a backbone whose network can be loaded again, found.* {found}"
    ):
        build("other", SIZE)


def test_other_backbones_of_known_layers_can_be_built(monkeypatch):
    monkeypatch.setitem(BACKBONES, "other", of(keras.layers.Conv2D(4, 3), keras.layers.ReLU()))
    assert build("other", SIZE).name == "other"


# First weights


def save_legacy(model, path):
    """The HDF5 layout of the ImageNet files that Keras distributes."""
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def save(model, path):
    model.save_weights(path) if path.name.endswith(".weights.h5") else save_legacy(model, path)


@pytest.fixture(scope="module")
def bare():
    """Both backbones without preprocessing and head, as Keras's ImageNet files hold them, with weights of our own."""
    keras.utils.set_random_seed(1)
    return {
        name: kind.build(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
        for name, kind in BACKBONES.items()
    }


@pytest.fixture(scope="module")
def files(bare, tmp_path_factory):
    folder = tmp_path_factory.mktemp("imagenet")
    found = {(name, suffix): folder / f"{name}{suffix}" for name in bare for suffix in (".h5", ".weights.h5")}
    for (name, _), path in found.items():
        save(bare[name], path)
    return found


@pytest.fixture
def fresh(models):
    """`fresh(name)`: the model with weights that no file holds, for the time of a test."""
    kept = {}

    def make(name):
        kept[name] = models[name].get_weights()
        models[name].set_weights([np.full_like(weight, 0.5) for weight in kept[name]])
        return models[name]

    yield make
    for name, weights in kept.items():
        models[name].set_weights(weights)


def hashed(path):
    return f"{path}#sha256={sha256(path)}"


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5"])
@pytest.mark.parametrize("name", list(BACKBONES))
def test_first_weights_are_those_of_the_file(fresh, bare, files, name, suffix):
    model = fresh(name)
    initialise(model, hashed(files[name, suffix]))
    compared = 0
    for layer in (layer for layer in bare[name].layers if layer.weights):
        weights = model.get_layer(layer.name).get_weights()
        for found, expected in zip(weights, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(found, expected)
            compared += found.size
    head = model.get_layer("logit").count_params()
    normalise = model.get_layer("normalise").count_params()
    assert compared == model.count_params() - head - normalise > 2_000_000  # all of it
    assert (model.get_layer("logit").get_weights()[0] == 0.5).all()  # and nothing else


@pytest.mark.parametrize("name", list(BACKBONES))
def test_imagenet_is_the_file_in_weights(fresh, bare, files, name, monkeypatch, tmp_path):
    monkeypatch.setattr(network, "WEIGHTS", tmp_path)
    suffix = ".weights.h5" if BACKBONES[name].imagenet_file.endswith(".weights.h5") else ".h5"
    (tmp_path / BACKBONES[name].imagenet_file).write_bytes(files[name, suffix].read_bytes())
    model, layer = fresh(name), next(layer for layer in bare[name].layers if layer.weights)
    initialise(model, "imagenet")
    np.testing.assert_array_equal(model.get_layer(layer.name).get_weights()[0], layer.get_weights()[0])


@pytest.mark.parametrize("name", list(BACKBONES))
@pytest.mark.parametrize("init", ["imagenet", "path"])
def test_missing_weights_are_never_replaced_by_chance(models, name, init, monkeypatch, tmp_path):
    monkeypatch.setattr(network, "WEIGHTS", tmp_path)
    init = tmp_path / "none.h5" if init == "path" else init
    message = rf"expected ImageNet weights for {name}, found no file; run \./fetch\.sh .*'from-scratch'"
    with pytest.raises(ModelError, match=message) as caught:
        initialise(models[name], init)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("given", ["", f"#sha256={'0' * 64}", "#sha256="])
def test_a_file_from_elsewhere_needs_its_hash(fresh, files, given):
    path = files["mobilenet_v2", ".weights.h5"]
    model = fresh("mobilenet_v2")
    with pytest.raises(ModelError, match=f"expected weights of the SHA-256 .*, found {sha256(path)}") as caught:
        initialise(model, f"{path}{given}")
    assert str(caught.value).endswith(hashed(path))
    assert all((weight == 0.5).all() for weight in model.get_weights())


def test_from_scratch_is_allowed(fresh):
    model = fresh("mobilenet_v2")
    initialise(model, FROM_SCRATCH)
    assert all((weight == 0.5).all() for weight in model.get_weights())


def other_network(files, path):
    name = "densenet121" if "mobilenet" in path.name else "mobilenet_v2"
    path.write_bytes(files[name, path.suffix if ".weights" not in path.name else ".weights.h5"].read_bytes())


def truncated(files, path):
    name = path.name.split(".")[0]
    path.write_bytes(files[name, ".weights.h5" if ".weights" in path.name else ".h5"].read_bytes()[:1_000_000])


def text(files, path):
    path.write_text("<html>not found</html>")


def other_hdf5(files, path):
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("densenet121", other_network),
        ("mobilenet_v2", other_network),
        ("mobilenet_v2", truncated),
        ("mobilenet_v2", text),
        ("mobilenet_v2", other_hdf5),
    ],
)
def test_weights_of_another_kind(fresh, files, tmp_path, name, suffix, content):
    path = tmp_path / f"{name}{suffix}"
    content(files, path)
    model = fresh(name)
    with pytest.raises(ModelError, match=f"expected weights of {name} without top, found others") as caught:
        initialise(model, hashed(path))
    assert str(caught.value).startswith(str(path))
    assert all((weight == 0.5).all() for weight in model.get_weights())  # no half of them taken


HARM = ("an external link", "a soft link", "data in another file", "a virtual array", "a huge array",
        "many large arrays", "text for weights", "groups without end")  # fmt: skip


@pytest.mark.parametrize("name", HARM)
def test_weights_that_mean_harm_are_refused(fresh, tmp_path, name):
    """However well their hash is known."""
    path, model = tmp_path / "a.weights.h5", fresh("mobilenet_v2")
    path.write_bytes(dict(NETWORKS[name]())["model.weights.h5"])
    with pytest.raises(ModelError, match="expected arrays of weights, found another thing"):
        initialise(model, hashed(path))
    assert all((weight == 0.5).all() for weight in model.get_weights())


def test_a_whole_network_that_means_harm_is_refused(fresh, tmp_path):
    path = write_zip(tmp_path / "a.keras", NETWORKS["a Lambda layer"]())
    with pytest.raises(ModelError, match="expected arrays of weights, found another thing"):
        initialise(fresh("mobilenet_v2"), hashed(path))


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5"])
def test_weights_that_lack_a_part(fresh, bare, files, tmp_path, suffix):
    """Keras only warns when a file fits in part; the rest would be random."""
    name = "mobilenet_v2"
    smaller = keras.Model(bare[name].input, bare[name].layers[-4].output)
    save(smaller, tmp_path / f"part{suffix}")
    with pytest.raises(ModelError, match="found others"):
        initialise(fresh(name), hashed(tmp_path / f"part{suffix}"))


# What learns


@pytest.mark.parametrize(("backbone", "batch_norm"), [(False, False), (True, False), (True, True), (False, True)])
def test_what_learns(models, backbone, batch_norm):
    model = models["mobilenet_v2"]
    set_trainable(model, backbone, batch_norm)
    trainable = {variable.path for variable in model.trainable_variables}
    assert {"logit/kernel", "logit/bias"} <= trainable
    norms = {v.path for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
             for v in layer.variables}  # fmt: skip
    assert bool(norms & trainable) == (backbone and batch_norm)
    assert bool(trainable - norms - {"logit/kernel", "logit/bias"}) == backbone
    kernels = sum("kernel" in variable.path for variable in model.variables)
    assert sum("kernel" in path for path in trainable) == (kernels if backbone else 1)


def test_trainable_can_be_changed_back(models):
    model = models["mobilenet_v2"]
    set_trainable(model, True, True)
    every = len(model.trainable_variables)
    set_trainable(model, False)
    assert len(model.trainable_variables) == 2
    set_trainable(model, True, True)
    assert len(model.trainable_variables) == every


# Prediction


class Spy:
    """A model whose logit is a picture's first value; remembers the shapes it was given."""

    def __init__(self):
        self.shapes = []

    def predict_on_batch(self, batch):
        assert batch.dtype == np.uint8
        self.shapes.append(batch.shape)
        return batch[:, 0, 0, :1].astype(np.float32)


@pytest.mark.parametrize(
    ("lengths", "shapes"),
    [([], []), ([3], [3]), ([4, 4, 1], [4, 4, 4]), ([4, 4], [4, 4]), ([1, 1], [1, 1])],
)
def test_the_last_batch_is_padded(lengths, shapes):
    values = np.arange(sum(lengths), dtype=np.uint8)
    pictures = np.broadcast_to(values[:, None, None, None], (len(values), 8, 8, 3))
    spy = Spy()
    found = predict_logits(spy, np.split(pictures, np.cumsum(lengths)[:-1]) if lengths else [])
    assert (found.dtype, found.tolist()) == (np.float32, values.tolist())
    assert spy.shapes == [(length, 8, 8, 3) for length in shapes]


def test_batching_does_not_change_a_logit(models, images):
    model = models["densenet121"]
    one_by_one = predict_logits(model, images[:, None])
    assert len(np.unique(one_by_one)) == 3
    np.testing.assert_allclose(predict_logits(model, [images[:2], images[2:]]), one_by_one, rtol=1e-4, atol=1e-4)


# What networks see early on


SIDES = {"one": CROP_SIZE, "other": CROP_SIZE // 2}


@pytest.fixture(scope="module")
def seen():
    keras.utils.set_random_seed(1)
    towers = {name: (build("mobilenet_v2"), side) for name, side in SIDES.items()}
    usual = np.linspace(-1, 1, 1280, dtype=np.float32)
    return towers, usual, read_levels(towers, usual)


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (2, CROP_SIZE, CROP_SIZE, 3), np.uint8)


def middle(crops, side):
    """As OpenCV enlarges it, in float32."""
    cut = (CROP_SIZE - side) // 2
    parts = [np.float32(crop[cut : cut + side, cut : cut + side]) for crop in crops]
    return np.stack([cv2.resize(part, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR) for part in parts])


def test_levels_are_means_and_what_lies_above(seen, crops):
    towers, usual, both = seen
    found, place = np.asarray(both.predict_on_batch(crops)), 0
    assert found.shape == (2, 1280)
    for tower, side in towers.values():
        shown = middle(crops, side)
        for level in network.LEVELS:
            from_unit = keras.Model(tower.get_layer("to_unit").output, tower.get_layer(level).output)
            maps = np.asarray(from_unit.predict_on_batch(shown / np.float32(255)))
            channels = maps.shape[-1]
            shifted = maps - usual[place : place + channels]
            expected = np.concatenate((shifted, np.maximum(shifted, 0)), axis=-1).mean(axis=(1, 2))
            np.testing.assert_allclose(found[:, place : place + 2 * channels], expected, atol=1e-4)
            place += 2 * channels


def test_what_the_middle_tells_lies_in_the_middle(seen, crops):
    *_, both = seen
    maps = np.asarray(keras.Model(both.input, both.get_layer("pool").input).predict_on_batch(crops))
    assert maps.shape == (2, 8, 8, 1280)
    border = np.ones((8, 8), bool)
    border[2:6, 2:6] = False
    assert not maps[:, border, 640:].any()
    assert maps[:, ~border, 640:].any(axis=-1).all()
    assert maps[:, border, :640].any(axis=-1).all()


def test_without_what_is_usual_it_is_zero(seen, crops):
    towers, usual, both = seen
    plain = np.asarray(read_levels(towers).predict_on_batch(crops))
    np.testing.assert_allclose(plain[:, :64] - usual[:64], np.asarray(both.predict_on_batch(crops))[:, :64], atol=1e-4)


@pytest.mark.parametrize("length", [1279, 1281, 640])
def test_what_is_usual_of_other_networks(seen, length):
    with pytest.raises(ModelError, match=f"of 1280 channels, found {length}; make those features anew"):
        read_levels(seen[0], np.zeros(length, np.float32))


def test_a_head_makes_a_detector(seen, crops, tmp_path):
    *_, both = seen
    rng = np.random.default_rng(2)
    head = [np.float32(rng.normal(size=shape)) for shape in ((1280, 3), (3,), (3, 1), (1,))]
    detector = with_head(both, head, "small")
    means = np.asarray(both.predict_on_batch(crops))
    expected = (np.maximum(means @ head[0] + head[1], 0) @ head[2] + head[3])[:, 0]
    np.testing.assert_allclose(logits(detector, crops)[:, 0], expected, rtol=1e-4, atol=1e-3)
    save_bundle(detector, tmp_path, CALIBRATION, {}, {})
    loaded = load_network(tmp_path)  # what is saved may be loaded, its weights rounded
    np.testing.assert_allclose(logits(loaded, crops)[:, 0], expected, rtol=0.02, atol=0.05)
    test_one_flat_graph(loaded)
