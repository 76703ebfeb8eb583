import io
import json
import re
import shutil
import zipfile

import h5py
import numpy as np
import pytest
import scene
from bundles import CALIBRATION, crops, network, save

import aiface
from aiface.errors import ModelError
from aiface.faces.crop import CROP_VERSION
from aiface.io.files import sha256
from aiface.models import bundle as bundle_module
from aiface.models.bundle import load_network, round_to_half, save_bundle
from aiface.models.card import CLIPS, NETWORK
from aiface.models.keras_import import keras
from aiface.models.network import BACKBONES, build, predict_logits
from aiface.paths import ROOT


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save(tmp_path_factory.mktemp("bundles") / "small")


def weights_of(path):
    """All data sets in a Keras file."""
    found = []
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda name, node: found.append(node[()]) if isinstance(node, h5py.Dataset) else None)
    return found


def test_the_card_says_what_it_is(bundle):
    card = json.loads((bundle / "card.json").read_text(encoding="utf-8"))
    assert card["labels"] == ["real", "ai"]
    assert (card["backbone"], card["crop_version"], card["input_size"]) == ("small", CROP_VERSION, 256)
    assert card["sha256"] == sha256(bundle / "model.keras")
    assert (card["training"], card["metrics"]) == ({"summary": "made by the tests"}, {"auc": 0.9})
    assert set(card["versions"]) == {"aiface", "python", "keras", "backend", "numpy"}
    assert card["versions"]["aiface"] == aiface.__version__
    assert card["calibration"] == scene.CALIBRATION | {"ratios": [], "stills": None}


def test_densenet_is_stored_in_half_precision_and_any_keras_opens_it(tmp_path):
    keras.utils.set_random_seed(0)
    source, images = build("densenet121"), crops(2)
    path = save_bundle(source, tmp_path / "densenet121", CALIBRATION, {}, {}) / "model.keras"
    assert path.stat().st_size <= 16e6
    kept = [array.dtype for array in weights_of(path) if array.size > 1 and array.dtype.kind == "f"]
    assert len(kept) > 400
    assert set(kept) == {np.dtype(np.float16)}
    plain = keras.models.load_model(path)
    assert {weight.dtype for weight in plain.weights if "seed" not in weight.name} == {"float32"}
    expected = np.asarray(source.predict_on_batch(images))
    np.testing.assert_allclose(np.asarray(plain.predict_on_batch(images)), expected, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_every_backbone_comes_back_from_its_bundle(tmp_path, name):
    keras.utils.set_random_seed(0)
    source = build(name)
    round_to_half(source)
    loaded = load_network(save_bundle(source, tmp_path / name, CALIBRATION, {}, {}))
    assert loaded.name == name
    np.testing.assert_array_equal(predict_logits(loaded, [crops(2)]), predict_logits(source, [crops(2)]))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ((1.0, -2.5), np.float16),
        ((0.0, 0.0), np.float16),
        ((1.0, 65505.0), np.float32),  # beyond float16
        ((1e-6, -2e-6), np.float32),  # all would lose their digits
        ((1e-6, 1.0), np.float16),
        ((), np.float16),
    ],
)
def test_weights_are_halved_where_that_loses_no_range(values, dtype):
    array = np.array(values, np.float32)
    half = bundle_module._half(array)
    assert half.dtype == dtype
    np.testing.assert_allclose(half, array, atol=1e-6, rtol=1e-3)
    assert bundle_module._half(np.arange(3)).dtype == np.arange(3).dtype


def logits(folder):
    return predict_logits(load_network(folder), [crops(3)])


@pytest.mark.parametrize("step", ["_halve", "_card", "write_json"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_failed_saving_leaves_the_earlier_bundle(tmp_path, bundle, monkeypatch, step, error):
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)

    def fail(*_):
        raise error

    monkeypatch.setattr(bundle_module, step, fail)
    with pytest.raises(error):
        save_bundle(network(seed=1), folder, CALIBRATION, {}, {})
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "model.keras"]
    np.testing.assert_array_equal(logits(folder), logits(bundle))


def test_a_network_for_clips_lies_beside(tmp_path):
    folder = save(tmp_path / "bundle", of_clips=network(seed=1))
    card = json.loads((folder / "card.json").read_text())
    assert card["clips"] == {"sha256": sha256(folder / "clips.keras")}
    assert not np.allclose(*(load_network(folder, name).predict(crops(3), verbose=0) for name in (NETWORK, CLIPS)))


def test_saving_again_replaces_the_bundle(tmp_path):
    folder = save(tmp_path / "bundle")
    before = logits(folder)
    save(folder, network(seed=1))
    assert not np.allclose(logits(folder), before, atol=1e-3)


def test_what_was_rounded_is_saved_as_it_is(tmp_path):
    """Figures measured after `round_to_half` are those of the bundle: not one weight changes on the way."""
    model = network()
    before = [np.array(weight) for weight in model.get_weights()]
    round_to_half(model)
    rounded = [np.array(weight) for weight in model.get_weights()]
    assert any((b != r).any() for b, r in zip(before, rounded, strict=True))
    loaded = load_network(save_bundle(model, tmp_path / "rounded", CALIBRATION, {"summary": ""}, {}))
    for weight, again in zip(rounded, loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, again)


def test_safe_mode_stands_behind_the_vetting(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle_module, "vet_network", lambda path: None)
    image = keras.Input((256, 256, 3), dtype="uint8")
    keras.Model(image, keras.layers.Lambda(lambda x: x[:, :1, 0, 0])(image)).save(tmp_path / "model.keras")
    with pytest.raises(ModelError, match="safe_mode"):
        load_network(tmp_path)


def test_safe_mode_is_never_off():
    """Nor are pickles loaded, which are programs."""
    loads = re.compile(r"safe_mode\s*=\s*(?!True)|enable_unsafe|allow_pickle\s*=\s*True|import pickle|joblib")
    places = [*ROOT.glob("*.ipynb"), *ROOT.glob("aiface/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    assert len(places) > 80
    assert [path.name for path in places if loads.search(path.read_text(encoding="utf-8"))] == []
    assert loads.search("load_model(path, safe_mode=False)")
