"""Detectors as files of other programs, run as those run them."""

import json
import sys

import numpy as np
import pytest

from aiface.apps.cli import export as command
from aiface.apps.cli.main import main
from aiface.errors import ModelError
from aiface.io.files import sha256
from aiface.models.bundle import save_bundle
from aiface.models.calibration import Calibration
from aiface.models.detector import load_detector
from aiface.models.keras_import import keras
from aiface.training import export as module
from aiface.training.export import EPSILON, FORMATS, check, export, fixed_inputs

STILLS = {"thresholds": {"0.01": 0.65}, "real_below": 0.4}
CALIBRATION = Calibration(1.7, {"0.05": 0.6, "0.01": 0.7, "0.001": 0.8}, 0.3, 0.2, stills=STILLS)


def network(seed=0):
    """A few layers, preprocessing inside, whose logit differs from a face to its mirror image."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((256, 256, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.05, 0.06, 0.07])(x)
    x = keras.layers.MaxPooling2D(16)(keras.layers.Conv2D(2, 5, strides=8, activation="relu")(x))
    return keras.Model(image, keras.layers.Dense(1, name="logit")(keras.layers.Flatten()(x)), name="small")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "small"
    return save_bundle(network(), folder, CALIBRATION, {"summary": "Made by the tests."}, {})


def needed(to):
    for package in FORMATS[to].packages:
        pytest.importorskip(package, reason=f"the package {package} is not installed: pip install 'aiface[export]'")


def test_the_bundle_tells_left_from_right(bundle):
    """So a file that forgets the mirror image would be found out."""
    detector, crops = load_detector(bundle, "keras"), fixed_inputs()
    alone = detector.calibration.probability(detector.runtime(crops))
    assert np.abs(alone - detector.score(crops)).max() > 10 * EPSILON


def test_the_network_for_clips_is_a_file_of_its_own(tmp_path):
    folder = save_bundle(network(), tmp_path / "two", CALIBRATION, {"summary": ""}, {}, network(seed=1))
    crops, detector, found, answers = fixed_inputs(), load_detector(folder, "keras"), {}, {}
    for clips in (False, True):
        path, about, _ = export(folder, "openvino", tmp_path / "out", clips)
        run, card = FORMATS["openvino"].load(path), json.loads(about.read_text(encoding="utf-8"))
        found[path.name] = np.array([np.asarray(run(crop[None])).item() for crop in crops])
        np.testing.assert_allclose(found[path.name], detector.of(clips).score(crops), atol=EPSILON)
        assert card["made_from"]["sha256"] == detector.of(clips).card["sha256"]
        answers[path.name] = {key for key in card["answer"] if key != "rule"}
    assert answers == {"two.xml": {"of_a_picture"}, "two-clips.xml": {"of_a_clip"}}
    assert np.abs(found["two.xml"] - found["two-clips.xml"]).max() > 10 * EPSILON


def test_without_a_network_for_clips_there_is_none_to_export(bundle, tmp_path):
    with pytest.raises(ModelError, match="expected a network of its own for clips, found one for all; leave out"):
        export(bundle, "openvino", tmp_path / "out", clips=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", FORMATS)
def test_a_file_scores_as_its_bundle(bundle, tmp_path, to):
    needed(to)
    path, about, difference = export(bundle, to, tmp_path)
    assert path == tmp_path / f"small{FORMATS[to].suffixes[0]}"
    assert {each.name for each in tmp_path.iterdir()} == {about.name, *(f"small{end}" for end in FORMATS[to].suffixes)}
    crops = np.random.default_rng(1).integers(0, 256, (3, 256, 256, 3), dtype=np.uint8)
    run = FORMATS[to].load(path)
    found = [np.asarray(run(crop[None])).item() for crop in crops]
    np.testing.assert_allclose(found, load_detector(bundle, "keras").score(crops), atol=EPSILON)
    card = json.loads(about.read_text(encoding="utf-8"))
    assert card["files"] == {f"small{end}": sha256(tmp_path / f"small{end}") for end in FORMATS[to].suffixes}
    assert card["checked"] == {"inputs": 10, "largest_difference": difference, "epsilon": EPSILON}
    assert card["input"]["shape"][1:] == [256, 256, 3]
    assert card["answer"]["of_a_clip"] == {"ai_from": 0.7, "real_below": 0.3}
    assert card["answer"]["of_a_picture"] == {"ai_from": 0.65, "real_below": 0.4}
    assert card["calibration"]["temperature"] == CALIBRATION.temperature


def test_fixed_inputs_are_fixed_and_tell_detectors_apart(bundle):
    np.testing.assert_array_equal(fixed_inputs(), fixed_inputs())
    assert fixed_inputs().dtype == np.uint8
    assert np.ptp(load_detector(bundle, "keras").score(fixed_inputs())) > 50 * EPSILON


@pytest.mark.parametrize(
    ("off", "fits"), [(0.0, True), (EPSILON / 2, True), (2 * EPSILON, False), (-2 * EPSILON, False), (np.nan, False)]
)
def test_how_far_a_file_may_be_off(off, fits):
    scores = np.array([0.1, 0.5, 0.9])
    if fits:
        assert check(scores + np.array((0, off, 0)), scores, "x") == pytest.approx(off)
    else:
        with pytest.raises(ModelError, match=r"x: expected P\(AI\) within 0.001 .* found a difference of"):
            check(scores + np.array((0, off, 0)), scores, "x")


def test_a_file_that_is_off_is_not_written(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "EPSILON", -1.0)
    with pytest.raises(ModelError, match="as openvino: expected"):
        export(bundle, "openvino", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # what a missing package looks like
    assert main(["export", str(bundle), "--to", "onnx", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "expected the package tf2onnx, found none" in told
    assert "pip install tf2onnx onnx onnxruntime (the extra aiface[export])" in told


def test_a_network_that_cannot_be_exported_is_named(bundle, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise ValueError("no such operation")

    monkeypatch.setattr(keras.Model, "export", fails)
    with pytest.raises(ModelError, match="exported to tflite, found ValueError: no such operation; try another format"):
        export(bundle, "tflite", tmp_path)


def test_the_command(bundle, tmp_path, capfd):
    assert main(["export", str(bundle), "--to", "openvino", "--out", str(tmp_path / "new")]) == 0
    told = capfd.readouterr()
    assert told.out.startswith("P(AI) differs by ")
    assert told.err.splitlines() == [
        f"aiface: wrote {tmp_path / 'new' / name}" for name in ("small.xml", "small.openvino.json")
    ]


@pytest.mark.parametrize("to", ["pickle", ""])
def test_another_format_is_wrong_use(bundle, to):
    with pytest.raises(SystemExit) as ended:
        main(["export", str(bundle), "--to", to])
    assert ended.value.code == 2


def test_no_bundle(tmp_path):
    with pytest.raises(ModelError, match=r"card\.json: expected a bundle's card, found no file"):
        export(tmp_path / "none", "openvino", tmp_path)


def test_the_command_knows_every_format():
    assert tuple(FORMATS) == command.FORMATS
