import io
import json
import shutil
import zipfile

import h5py
import numpy as np
import pytest
import scene

from aiface import detector as detector_module
from aiface.calibration import Calibration
from aiface.crop import CROP_VERSION
from aiface.detector import BATCH_SIZES, load_detector, round_to_half, save_bundle
from aiface.errors import ModelError
from aiface.files import sha256
from aiface.network import build, predict_logits
from aiface.quiet import keras
from aiface.stability import views
from aiface.verdict import decide

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


def save(folder, model=None, **changes):
    """A bundle whose card is changed as `changes` say; None takes a key out."""
    save_bundle(model or network(), folder, CALIBRATION, {"summary": "made by the tests"}, {"auc": 0.9})
    card = json.loads((folder / "card.json").read_text(encoding="utf-8")) | changes
    kept = {key: value for key, value in card.items() if value is not None}
    (folder / "card.json").write_text(json.dumps(kept), encoding="utf-8")
    return folder


def crops(n, seed=0):
    """Crops of four plain quarters each."""
    tones = np.random.default_rng(seed).integers(0, 256, (n, 2, 2, 3))
    return tones.repeat(128, axis=1).repeat(128, axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save(tmp_path_factory.mktemp("bundles") / "small")


def weights_of(path):
    """All data sets in a Keras file."""
    found = []
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda name, node: found.append(node[()]) if isinstance(node, h5py.Dataset) else None)
    return found


def test_a_loaded_bundle_answers_as_the_network_it_was_saved_from(bundle):
    loaded, images = load_detector(bundle), crops(12)
    expected = predict_logits(network(), [images])
    assert np.ptp(expected) > 0.02  # or anything would do
    np.testing.assert_allclose(loaded.logits(images), expected, atol=2e-3)
    assert loaded.name == "small"
    assert loaded.calibration == CALIBRATION
    np.testing.assert_array_equal(loaded.score(images), CALIBRATION.probability(loaded.logits(images)))


def test_the_card_says_what_it_is(bundle):
    card = json.loads((bundle / "card.json").read_text(encoding="utf-8"))
    assert card["labels"] == ["real", "ai"]
    assert (card["backbone"], card["crop_version"], card["input_size"]) == ("small", CROP_VERSION, 256)
    assert card["sha256"] == sha256(bundle / "model.keras")
    assert (card["training"], card["metrics"]) == ({"summary": "made by the tests"}, {"auc": 0.9})
    assert set(card["versions"]) == {"python", "keras", "backend", "numpy"}
    assert card["calibration"] == scene.CALIBRATION


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
    half = detector_module._half(array)
    assert half.dtype == dtype
    np.testing.assert_allclose(half, array, atol=1e-6, rtol=1e-3)
    assert detector_module._half(np.arange(3)).dtype == np.arange(3).dtype


@pytest.mark.parametrize("n", [0, 1, 3, 5, 64, 70])
def test_a_batch_scores_as_its_faces_do_one_by_one(bundle, n):
    loaded, images = load_detector(bundle), crops(n)
    alone = [loaded.score(image[None])[0] for image in images]
    together = loaded.score(images)
    assert together.dtype == np.float32
    assert together.shape == (n,)
    np.testing.assert_allclose(together, np.array(alone, np.float32), atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 3, 5, 16, 17, 70])
def test_the_network_sees_few_batch_sizes(n):
    sizes = []

    def logits(batch):
        sizes.append(len(batch))
        return scene.by_colour(batch)

    images = crops(n)
    found = scene.detector(logits).logits(images)
    assert set(sizes) <= set(BATCH_SIZES)
    assert n <= sum(sizes) < n + 16
    np.testing.assert_array_equal(found, scene.by_colour(images)[:, 0])


@pytest.mark.parametrize("n", [0, 1, 5, 20])
def test_spread_is_that_of_the_scores_of_the_views(bundle, n):
    loaded, images = load_detector(bundle), crops(n)
    found = loaded.spread(images)
    assert (found.dtype, found.shape) == (np.float32, (n,))
    moved = [abs(loaded.score(view) - loaded.score(images)) for view in views(images)]
    np.testing.assert_allclose(found, np.max(moved, axis=0), atol=1e-5)


@pytest.mark.parametrize(
    ("logits", "lit", "low", "high"),
    [
        (scene.by_colour, "left", 0.0, 0.05),  # a mean colour is the same either way
        (scene.by_side, "left", 0.9, 1.0),
        (scene.by_side, "right", 0.9, 1.0),
        (scene.by_side, None, 0.0, 0.05),
    ],
)
def test_spread_of_a_network_that_minds_the_side(logits, lit, low, high):
    image = np.full((1, 256, 256, 3), scene.RED, np.uint8)
    if lit:
        image[:, :, 128:] //= 2
    image = image[:, :, ::-1] if lit == "right" else image
    (found,) = scene.detector(logits).spread(image)
    assert low <= found <= high


@pytest.mark.parametrize(("logit", "verdict"), [(-3.0, "real"), (0.0, "inconclusive"), (3.0, "ai")])
def test_a_high_logit_is_ai(tmp_path, logit, verdict):
    """P(AI) from the file to the verdict, never P(real)."""
    model = network()
    model.layers[-1].set_weights([np.zeros((8, 1)), np.array([logit])])
    loaded = load_detector(save(tmp_path / "bundle", model))
    (score,) = loaded.score(crops(1))
    assert score == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-3)
    assert decide(float(score), loaded.calibration) == verdict


# What can be wrong with a bundle


def without(name):
    def damage(folder):
        (folder / name).unlink()

    return damage


def rewritten(name, content):
    def damage(folder):
        (folder / name).write_bytes(content)

    return damage


def flip_a_bit(folder):
    content = bytearray((folder / "model.keras").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.keras").write_bytes(content)


def recarded(**changes):
    def damage(folder):
        save(folder, **changes)

    return damage


def another_model(make):
    """Another file whose hash is right."""

    def damage(folder):
        make(folder / "model.keras")
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        (folder / "card.json").write_text(json.dumps(card | {"sha256": sha256(folder / "model.keras")}))

    return damage


def empty_zip(path):
    zipfile.ZipFile(path, "w").close()


def weightless(path):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != "model.weights.h5"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def with_code(path):
    """A Lambda layer holds code, which a file from elsewhere must not bring in."""
    image = keras.Input((256, 256, 3), dtype="uint8")
    x = keras.layers.Lambda(lambda x: x[:, :1, 0, 0])(image)
    keras.Model(image, x).save(path)


SWAPPED = dict(scene.CALIBRATION, real_below=0.95)
RESTLESS = dict(scene.CALIBRATION, unstable_above=1.5)
BEFORE = {key: value for key, value in scene.CALIBRATION.items() if key != "unstable_above"}  # cards of version 1
NO_RATE = dict(scene.CALIBRATION, thresholds={"0.05": 0.7})


@pytest.mark.parametrize(
    ("damage", "file", "message"),
    [
        (shutil.rmtree, "card.json", "expected a bundle's card, found no file; name a folder such as"),
        (without("card.json"), "card.json", "expected a bundle's card, found no file"),
        (without("model.keras"), "model.keras", "expected the bundle's network, found no file; restore it"),
        (rewritten("card.json", b"{"), "card.json", "expected a bundle's card, found another thing"),
        (rewritten("card.json", b"\xff\xfe"), "card.json", "expected a bundle's card, found another thing"),
        (rewritten("card.json", b"[]"), "card.json", "expected a bundle's card, found another thing"),
        (recarded(calibration=None), "card.json", "found another thing .*'calibration'"),
        (recarded(sha256=None), "card.json", "found another thing .*'sha256'"),
        (recarded(name=None), "card.json", "found another thing .*'name'"),
        (recarded(training=None), "card.json", "found another thing .*'training'"),
        (recarded(calibration={"temperature": 1}), "card.json", "found another thing .*thresholds"),
        (recarded(calibration=NO_RATE), "card.json", "found another thing .*0.01"),
        (recarded(calibration=SWAPPED), "card.json", "found another thing .*real_below"),
        (recarded(calibration=RESTLESS), "card.json", "found another thing .*unstable_above"),
        (recarded(card_version=1, calibration=BEFORE), "card.json", "expected card_version 2, found 1; use the aiface"),
        (recarded(calibration=BEFORE), "card.json", "found another thing .*unstable_above"),
        (recarded(crop_version="box-224"), "card.json", "expected crop_version 'ffhq-quad-256-1', found 'box-224'"),
        (recarded(crop_version=None), "card.json", "expected crop_version .*, found None"),
        (recarded(labels=["ai", "real"]), "card.json", r"expected labels \['real', 'ai'\], found \['ai', 'real'\]"),
        (recarded(input_size=224), "card.json", "expected input_size 256, found 224"),
        (flip_a_bit, "model.keras", "expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}; restore"),
        (rewritten("model.keras", b""), "model.keras", "expected sha256"),
        (another_model(lambda path: path.write_bytes(b"no network")), "model.keras", "expected a network for Keras"),
        (another_model(empty_zip), "model.keras", "expected a network for Keras"),
        (another_model(weightless), "model.keras", "expected a network for Keras"),
        (another_model(with_code), "model.keras", "expected a network for Keras"),
        (another_model(lambda path: network(size=224).save(path)), "model.keras", "expected crops in and a logit out"),
        (another_model(lambda path: network(outputs=2).save(path)), "model.keras", "expected crops in and a logit out"),
    ],
)
def test_a_wrong_bundle_is_named(tmp_path, bundle, damage, file, message):
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    damage(folder)
    with pytest.raises(ModelError, match=message) as caught:
        load_detector(folder)
    assert str(caught.value).startswith(str(folder / file))


@pytest.mark.parametrize("step", ["_halve", "_card", "write_json"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_failed_saving_leaves_the_earlier_bundle(tmp_path, bundle, monkeypatch, step, error):
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)

    def fail(*_):
        raise error

    monkeypatch.setattr(detector_module, step, fail)
    with pytest.raises(error):
        save_bundle(network(seed=1), folder, CALIBRATION, {}, {})
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "model.keras"]
    np.testing.assert_array_equal(load_detector(folder).logits(crops(3)), load_detector(bundle).logits(crops(3)))


def test_saving_again_replaces_the_bundle(tmp_path):
    folder = save(tmp_path / "bundle")
    before = load_detector(folder).logits(crops(3))
    save(folder, network(seed=1))
    assert not np.allclose(load_detector(folder).logits(crops(3)), before, atol=1e-3)


def test_what_was_rounded_is_saved_as_it_is(tmp_path):
    """Figures measured after `round_to_half` are those of the bundle: not one weight changes on the way."""
    model = network()
    before = [np.array(weight) for weight in model.get_weights()]
    round_to_half(model)
    rounded = [np.array(weight) for weight in model.get_weights()]
    assert any((b != r).any() for b, r in zip(before, rounded, strict=True))
    loaded = load_detector(save_bundle(model, tmp_path / "rounded", CALIBRATION, {"summary": ""}, {})).network
    for weight, again in zip(rounded, loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, again)
