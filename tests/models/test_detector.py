import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import scene
from bundles import CALIBRATION, crops, network, save
from clips import seconds, write_clip
from PIL import Image

from aiface.errors import ModelError
from aiface.io.files import sha256
from aiface.io.images import read_image
from aiface.models import detector as detector_module
from aiface.models.card import CLIPS, INT8, NETWORK
from aiface.models.detector import RUNTIMES, Detector, load_detector
from aiface.models.keras_import import keras
from aiface.models.network import predict_logits
from aiface.models.views import both_sides, views
from aiface.paths import ROOT

EXACT = (("keras", "auto"), ("openvino", "f32"))
EVERY = (*EXACT, ("openvino", "auto"))
LIBRARIES = {"keras", "tensorflow", "jax", "torch"}
HELPERS = ROOT / "tests" / "helpers"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save(tmp_path_factory.mktemp("bundles") / "small")


@pytest.fixture(params=EVERY, ids=" ".join)
def loaded(bundle, request):
    """The same detector through each runtime, in each precision."""
    return load_detector(bundle, *request.param)


def test_a_loaded_bundle_answers_as_the_network_it_was_saved_from(loaded):
    images = crops(12)
    expected = both_sides(lambda crops: predict_logits(network(), [crops]), images)
    assert np.ptp(expected) > 0.02  # or anything would do
    np.testing.assert_allclose(loaded.logits(images), expected, atol=4e-3)
    assert loaded.name == "small"
    assert loaded.calibration == CALIBRATION
    np.testing.assert_array_equal(loaded.score(images), CALIBRATION.probability(loaded.logits(images)))


@pytest.mark.parametrize(("choice", "tolerance"), [(("openvino", "f32"), 1e-4), (("openvino", "auto"), 0.05)])
def test_openvino_answers_as_keras_does(tmp_path, tiny_detector, make_tree, choice, tolerance):
    """A whole MobileNetV2 on faces; in "auto", bfloat16 where the CPU has it, logits differ by some hundredths."""
    kernel = np.random.default_rng(0).normal(0, 5e9, (1280, 1))  # features of an untrained network are tiny
    folder = tiny_detector(tmp_path / "tiny", kernel=kernel)
    faces = np.stack([read_image(path) for path in sorted(make_tree(tmp_path / "faces", ("test",)).rglob("*.png"))])
    expected = load_detector(folder, "keras").logits(faces)
    assert np.ptp(expected) > 5 * tolerance
    np.testing.assert_allclose(load_detector(folder, *choice).logits(faces), expected, atol=tolerance)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A bundle with a network of its own for clips."""
    return save(tmp_path_factory.mktemp("bundles") / "two", of_clips=network(seed=1))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_clips_have_a_network_of_their_own(two, bundle, runtime):
    """Which is told by its hash; the calibration is that of both."""
    pictures, clips, images = load_detector(two, runtime), load_detector(two, runtime).of(moving=True), crops(5)
    np.testing.assert_allclose(pictures.logits(images), load_detector(bundle, runtime).logits(images), atol=1e-5)
    expected = both_sides(lambda crops: predict_logits(network(seed=1), [crops]), images)
    assert np.abs(pictures.logits(images) - expected).max() > 0.05
    np.testing.assert_allclose(clips.logits(images), expected, atol=4e-3)
    np.testing.assert_allclose(predict_logits(clips.network, [images]), clips.sides(images)[0], atol=1e-4)
    assert (clips.name, clips.calibration) == ("two", pictures.calibration)
    assert pictures.of(moving=False) is pictures
    assert [sha256(two / name) for name in (NETWORK, CLIPS)] == [pictures.card["sha256"], clips.card["sha256"]]


def test_each_network_is_loaded_once_it_is_needed(two, monkeypatch):
    made, inner = [], detector_module._openvino_runtime
    monkeypatch.setattr(detector_module, "_openvino_runtime", lambda *given: made.append(given[0]) or inner(*given))
    detector = load_detector(two)
    clips = detector.of(moving=True)
    assert (made, detector.of(moving=True) is clips) == ([], True)
    for _ in range(2):
        clips.score(crops(2))
    assert made == [clips.card["sha256"]]
    assert detector.computed_by == clips.computed_by
    assert made == [clips.card["sha256"], detector.card["sha256"]]


def test_without_one_clips_have_the_same(bundle):
    detector = load_detector(bundle)
    assert detector.of(moving=True) is detector


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / CLIPS).unlink(), "clips.keras: expected the bundle's network, found no file"),
        (lambda folder: (folder / CLIPS).write_bytes(b""), "clips.keras: expected sha256"),
        (lambda folder: recarded(clips={})(folder), "card.json: expected a bundle's card, found another thing"),
        (lambda folder: recarded(clips="x")(folder), "card.json: expected a bundle's card, found another thing"),
    ],
)
def test_a_wrong_network_for_clips_is_named(tmp_path, two, damage, message):
    folder = tmp_path / "bundle"
    shutil.copytree(two, folder)
    damage(folder)
    with pytest.raises(ModelError, match=message):
        load_detector(folder)


@pytest.mark.parametrize("n", [0, 1, 3, 5, 64, 70])
def test_a_batch_scores_as_its_faces_do_one_by_one(loaded, n):
    """To the bit with OpenVINO: a verdict can't depend on who else is in the picture, nor on padding."""
    images = crops(n)
    alone = [loaded.score(image[None])[0] for image in images]
    together = loaded.score(images)
    assert together.dtype == np.float32
    assert together.shape == (n,)
    tolerance = 1e-5 if "Keras" in loaded.runtime.name else 0
    np.testing.assert_allclose(together, np.array(alone, np.float32), atol=tolerance, rtol=0)


@pytest.mark.parametrize("n", [0, 1, 5, 20])
def test_spread_is_that_of_each_view_alone(loaded, n):
    images = crops(n)
    scores, found = loaded.measure(images)
    np.testing.assert_array_equal(scores, loaded.score(images))
    assert (found.dtype, found.shape) == (np.float32, (n,))
    alone = [loaded.calibration.probability(loaded.runtime(view)) for view in views(images)] if n else [[]]
    moved = [abs(scores - loaded.score(images)) for scores in alone]
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
    detector = scene.detector(logits)
    _, (found,) = detector.measure(image)
    assert low <= found <= high
    for both in (True, False):
        assert detector.calibration.stable(detector.spread(image, detector.sides(image, both))) == (high < 0.2)


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_stable_as_the_median_of_all_views_is_from_fewer_passes(n, both):
    """Each bar between two of the medians, and each median itself."""
    images, passes = crops(n, seed=n), []

    def logits(faces):
        passes.append(len(faces))
        return faces[:, :, :128].std(axis=(1, 2, 3)).astype(np.float32) - 74

    for bar in [1.0, 0.0, *np.linspace(0.0, 0.05, 30), *Detector(logits, scene.CARD).measure(images)[1].tolist()]:
        card = scene.CARD | {"calibration": scene.CALIBRATION | {"unstable_above": bar}}
        detector = Detector(logits, card)
        expected = np.median(detector.measure(images)[1]) <= bar
        sides, passes[:] = detector.sides(images, both), []
        assert (detector.spread(images, sides) <= bar) == expected
        assert sum(passes) <= (0 if bar == 1 else n if both else 2 * n)


@pytest.mark.parametrize("choice", EVERY)
@pytest.mark.parametrize(("logit", "verdict"), [(-3.0, "real"), (0.0, "inconclusive"), (3.0, "ai")])
def test_a_high_logit_is_ai(tmp_path, logit, verdict, choice):
    """P(AI) from the file to the verdict, never P(real)."""
    model = network()
    model.layers[-1].set_weights([np.zeros((8, 1)), np.array([logit])])
    loaded = load_detector(save(tmp_path / "bundle", model), *choice)
    (score,) = loaded.score(crops(1))
    assert score == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-3)
    assert loaded.calibration.answer(score) == verdict


@pytest.mark.parametrize("choice", EVERY)
def test_the_network_stays_within_reach(bundle, choice):
    loaded = load_detector(bundle, *choice)
    assert loaded.network is loaded.network
    np.testing.assert_allclose(predict_logits(loaded.network, [crops(3)]), loaded.runtime(crops(3)), atol=4e-3)


@pytest.mark.parametrize("choice", [("onnx",), ("openvino", "bf16"), ("keras", "int8")])
def test_another_runtime_or_precision_is_named(bundle, choice):
    with pytest.raises(ValueError, match=f"expected a runtime among .*, found '{choice[0]}' and"):
        load_detector(bundle, *choice)


# Where OpenVINO can't be had


@pytest.fixture
def forgetful():
    """What was said once may be said again."""
    detector_module._say_once.cache_clear()
    yield
    detector_module._say_once.cache_clear()


def missing(monkeypatch):
    for name in ("faces.openvino_import", "models.openvino_runtime"):
        monkeypatch.delitem(sys.modules, f"aiface.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "openvino", None)


def unable_to_convert(monkeypatch):
    def fail(network):
        raise RuntimeError("no such operation")

    monkeypatch.setattr("aiface.models.openvino_runtime.convert", fail)


def unable_to_compile(monkeypatch):
    def fail(*_):
        raise RuntimeError("no such device")

    monkeypatch.setattr("aiface.models.openvino_runtime.OpenVinoRuntime", fail)


WAYS_TO_FAIL = [(missing, "openvino"), (unable_to_convert, "no such operation"), (unable_to_compile, "no such device")]


@pytest.mark.parametrize(("fail", "reason"), WAYS_TO_FAIL)
def test_keras_stands_in_for_openvino_and_says_so_once(tmp_path, monkeypatch, capsys, forgetful, fail, reason):
    fail(monkeypatch)
    folder = save(tmp_path / "bundle")
    first, second = load_detector(folder), load_detector(folder)
    assert first.runtime.name == second.runtime.name == f"Keras {keras.__version__}"
    np.testing.assert_array_equal(first.logits(crops(3)), load_detector(folder, "keras").logits(crops(3)))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("aiface: OpenVINO can't be used (")
    assert reason in line


def test_keras_asked_for_says_nothing(bundle, monkeypatch, capsys, forgetful):
    missing(monkeypatch)
    load_detector(bundle, "keras").score(crops(1))
    assert capsys.readouterr().err == ""


# The INT8 version


@pytest.fixture
def with_int8(tmp_path, bundle):
    """A bundle whose "INT8 version" is the float one with a calibration of its own: NNCF need not be there."""
    from aiface.models.openvino_runtime import convert

    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    (folder / INT8).write_bytes(convert(network()))
    return recard(folder, int8={"sha256": sha256(folder / INT8), "calibration": COLD})


COLD = dict(scene.CALIBRATION, temperature=0.5)


def recard(folder, **changes):
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps(card | changes), encoding="utf-8")
    return folder


def test_the_int8_version_has_its_own_calibration(with_int8):
    loaded = load_detector(with_int8, precision="int8")
    assert loaded.runtime.name.endswith(", int8")
    assert (loaded.calibration.temperature, load_detector(with_int8).calibration.temperature) == (0.5, 1.0)
    np.testing.assert_allclose(loaded.logits(crops(3)), load_detector(with_int8, "keras").logits(crops(3)), atol=2e-3)


@pytest.mark.parametrize(
    ("file", "changes", "content", "message"),
    [
        ("card.json", {"int8": {"sha256": ""}}, None, "found another thing .*calibration"),
        ("card.json", {"int8": {"calibration": COLD}}, None, "found another thing .*sha256"),
        ("card.json", {"int8": 8}, None, "found another thing"),
        ("int8.zip", {}, b"", "expected sha256 .*, found"),
        ("int8.zip", {"int8": {"calibration": COLD, "sha256": hashlib.sha256(b"no zip").hexdigest()}}, b"no zip",
         "expected a network for OpenVINO, .*choose precision 'f32'"),
    ],
)  # fmt: skip
def test_a_wrong_int8_version_is_named(with_int8, file, changes, content, message):
    recard(with_int8, **changes)
    if content is not None:
        (with_int8 / INT8).write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        load_detector(with_int8, precision="int8")
    assert str(caught.value).startswith(str(with_int8 / file))


def test_no_int8_version(bundle, with_int8):
    with pytest.raises(ModelError, match=r"card.json: expected an INT8 version, found none; add it with"):
        load_detector(bundle, precision="int8")
    (with_int8 / INT8).unlink()
    with pytest.raises(ModelError, match=r"int8.zip: expected the bundle's network, found no file"):
        load_detector(with_int8, precision="int8")


@pytest.mark.parametrize("fail", [missing, unable_to_compile])
def test_float_does_not_stand_in_for_int8(with_int8, monkeypatch, fail):
    fail(monkeypatch)
    with pytest.raises(ModelError, match="expected a network for OpenVINO, which can't be used"):
        load_detector(with_int8, precision="int8")


# Without Keras

SCORE = """
from aiface.models.detector import load_detector
assert load_detector(sys.argv[1]).score(np.zeros((3, 256, 256, 3), np.uint8)).shape == (3,)
"""
ANALYZE = """
from aiface import __main__
from aiface.faces import finder
finder.load_finder = lambda folder: scene.Finder()
assert __main__.main(["analyze", *sys.argv[2:], "--detector", sys.argv[1]]) == 0
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A picture and a clip of one person."""
    folder = tmp_path_factory.mktemp("inputs")
    person = scene.picture((100, 40, 100, scene.BLUE))
    Image.fromarray(person).save(folder / "face.png")
    write_clip(folder / "clip.mp4", seconds(5), lambda _: person, (scene.WIDTH, scene.HEIGHT))
    return folder


@pytest.mark.parametrize("code", [SCORE, ANALYZE], ids=["score", "analyze"])
def test_scoring_imports_no_keras_once_the_network_was_converted(bundle, inputs, code):
    def libraries_imported():
        lines = f"import sys; import numpy as np; import scene\n{code}\nprint(sorted(sys.modules))"
        command = [sys.executable, "-c", lines, str(bundle), str(inputs)]
        paths = os.pathsep.join((str(HELPERS.parent), str(HELPERS)))
        found = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})
        assert (found.returncode, found.stderr) == (0, "")
        return LIBRARIES & set(ast.literal_eval(found.stdout.splitlines()[-1]))

    load_detector(bundle)
    assert libraries_imported() == set()


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
        (recarded(card_version=1, calibration=BEFORE), "card.json", "expected card_version 3, found 1; use the aiface"),
        (recarded(calibration=BEFORE), "card.json", "found another thing .*unstable_above"),
        (recarded(crop_version="box-224"), "card.json", "expected crop_version 'ffhq-quad-256-1', found 'box-224'"),
        (recarded(crop_version=None), "card.json", "expected crop_version .*, found None"),
        (recarded(labels=["ai", "real"]), "card.json", r"expected labels \['real', 'ai'\], found \['ai', 'real'\]"),
        (recarded(input_size=224), "card.json", "expected input_size 256, found 224"),
        (flip_a_bit, "model.keras", "expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}; restore"),
        (rewritten("model.keras", b""), "model.keras", "expected sha256"),
        (
            another_model(lambda path: path.write_bytes(b"no network")),
            "model.keras",
            "expected a network of plain layers",
        ),
        (another_model(empty_zip), "model.keras", "expected a network of plain layers"),
        (another_model(weightless), "model.keras", "expected a network of plain layers"),
        (another_model(with_code), "model.keras", "expected a network of plain layers"),
        (another_model(lambda path: network(size=224).save(path)), "model.keras", "expected crops in and a logit out"),
        (another_model(lambda path: network(outputs=2).save(path)), "model.keras", "expected crops in and a logit out"),
    ],
)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_wrong_bundle_is_named(tmp_path, bundle, damage, file, message, runtime):
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    damage(folder)
    with pytest.raises(ModelError, match=message) as caught:
        load_detector(folder, runtime)
    assert str(caught.value).startswith(str(folder / file))
