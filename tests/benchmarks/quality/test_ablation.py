"""The ablation's parts; the trainings themselves take half an hour and belong to `make ablation`."""

import argparse

import cv2
import numpy as np
import pytest

from aiface.data.crop_sets import CropSet, prepare
from aiface.faces.finder import load_finder
from aiface.labels import AI, REAL
from aiface.models.calibration import Calibration
from aiface.models.network import BACKBONES, build, predict_logits
from aiface.paths import WEIGHTS
from aiface.training.trainer import train
from benchmarks.quality import ablation
from benchmarks.quality.ablation import ROWS, Row, config, decisions, markdown, measure, overall
from benchmarks.quality.peers import MESO4, SMALL, Shrunk, Squeezed


@pytest.fixture(scope="module")
def crops(tmp_path_factory, make_tree):
    from aiface.data.folders import scan

    root = tmp_path_factory.mktemp("ablation")
    make_tree(root / "faces140k")
    make_tree(root / "deepfake", seed=1)
    items = [*scan(root / "faces140k"), *scan(root / "deepfake")]
    prepare(items, root / "crops", lambda: load_finder(WEIGHTS, say=lambda line: None))
    return root / "crops"


@pytest.fixture(autouse=True)
def meso4(monkeypatch):
    monkeypatch.setitem(BACKBONES, "meso4", MESO4)


def test_each_row_adds_one_thing_to_the_one_above():
    configs = {row.name: config(row, 3, 10, "imagenet") for row in ROWS}
    assert (configs["reference recipe"].degrade, configs["reference recipe"].balance) == (False, False)
    assert configs["+ one crop"] == configs["reference recipe"]
    assert [configs[row.name].degrade for row in ROWS[:4]] == [False, False, True, True]
    assert [configs[row.name].balance for row in ROWS[:4]] == [False, False, False, True]
    assert {(c.steps_per_epoch, c.epochs, c.batch_size) for c in configs.values()} == {(10, 3, 32)}
    assert ROWS[0].crops is Squeezed
    assert ROWS[1].crops is Shrunk
    assert sorted(c.seed for name, c in configs.items() if "seed" in name) == [1, 2]


@pytest.mark.parametrize("kind", [Shrunk, Squeezed])
def test_small_pictures(crops, kind):
    found, plain = kind(crops).split("test"), CropSet(crops).split("test")
    assert isinstance(found, kind)
    assert len(found) == len(plain) > 0
    assert (found[0].shape, found[0].dtype) == ((SMALL, SMALL, 3), np.uint8)
    expected = plain[0] if kind is Shrunk else cv2.imread(plain.rows[0].path)[..., ::-1]
    np.testing.assert_array_equal(found.large(0), expected)


def test_squeezed_takes_the_whole_picture_whatever_its_shape(crops, tmp_path):
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, :30] = (255, 0, 0)
    cv2.imwrite(str(tmp_path / "wide.png"), wide[..., ::-1])
    found = Squeezed(crops)
    object.__setattr__(found.rows[0], "path", str(tmp_path / "wide.png"))
    assert found.large(0).shape == (256, 256, 3)
    assert found[0][80, 5].tolist() == [255, 0, 0]
    assert found[0][80, 40].tolist() == [0, 0, 0]


def test_meso4_is_the_papers():
    network = build("meso4", 256)
    trainable = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    assert trainable == 27_977  # as Afchar et al. 2018 count them
    crops = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3)).astype(np.uint8)
    assert np.isfinite(predict_logits(network, [crops])).all()


@pytest.mark.parametrize(
    ("real_below", "ai_from", "decided", "error", "real_called_ai"),
    [(0.5, 0.5, 1, 0.5, 0.5), (0.2, 0.8, 0.5, 0, 0), (0.65, 0.65, 1, 0.25, 0), (0.0, 1.1, 0, 0, 0)],
)
def test_decisions(real_below, ai_from, decided, error, real_called_ai):
    scores, labels = np.array([0.1, 0.6, 0.4, 0.9]), np.array([REAL, REAL, AI, AI])
    found = decisions(scores, labels, Calibration(1.0, {"0.01": ai_from}, real_below, 1.0))
    expected = {"decided": decided, "error": error, "real_called_ai": real_called_ai}
    assert {key: found[key] for key in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    "row",
    [Row("reference recipe", Squeezed, ablation.BARE, threshold=0.65), Row("meso", options={"backbone": "meso4"})],
    ids=["squeezed", "meso4"],
)
def test_a_row_is_trained_and_measured(crops, row, tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "PAIR", ("faces140k",))
    row = Row(row.name, row.crops, row.options | {"init": "from-scratch", "batch_size": 2}, 160, row.threshold)
    row = row if "backbone" not in row.options else Row(row.name, row.crops, row.options, 256)
    data = row.crops(crops)
    model, _ = train(config(row, 1, 2, "from-scratch"), data, tmp_path / "run", verbose=0)
    found = measure(model, data, row)
    assert set(found["auc"]) == {"faces140k", "deepfake"}
    assert all(0 <= value <= 1 for value in (*found["auc"].values(), found["degraded"]))
    assert found["raw"]["decided"] == 1


def made_up(name, shift, threshold=0.5):
    shares = {"decided": 1.0, "error": 0.25, "real_called_ai": 0.125, "ece": 0.0625}
    aucs = {"deepfake": 0.6 + shift, "faces140k": 0.7 + shift, "wild": 0.8 + shift}
    return {"name": name, "auc": aucs, "degraded": 0.7 + shift, "threshold": threshold, "raw": shares,
            "calibrated": shares | {"decided": 0.5, "error": 0.0}}  # fmt: skip


def test_markdown():
    rows = [
        made_up("reference recipe", 0, 0.65) | {"unseen": 0.9},
        made_up("+ balanced sources, pairs", 0.1),
        made_up("the same, seed 1", 0.2),
    ]
    text = markdown({"rows": rows, "epochs": 3, "steps": 10, "backbone": "mobilenet_v2", "init": "ImageNet"})
    lines = text.splitlines()
    aucs = "0.600 | 0.700 | 0.800 | 0.700 | 0.700 | 0.900"
    assert f"| reference recipe | {aucs} | at 0.65 | 12.5% | 100.0% | 25.0% | 0.062 |" in lines
    assert any(
        line.startswith("| + calibration, inconclusive band | 0.700 | 0.800") and "50.0%" in line for line in lines
    )
    assert "960 pictures" in text
    assert "deepfake 0.750 +- 0.071" in text
    assert overall(rows[0]) == pytest.approx(0.7)


def test_unseen_sources_are_not_trained_on(crops, tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "UNSEEN", ("deepfake",))
    seen = []
    monkeypatch.setattr(ablation, "train", lambda config, crops, run, verbose: (seen.append(crops), None))
    monkeypatch.setattr(ablation, "predict_logits", lambda model, batches: np.concatenate(list(batches))[:, 0, 0, 0])
    options = argparse.Namespace(crops=crops, runs=tmp_path, epochs=1, steps=1, init="imagenet")
    arguments = (ROWS[0], options, "unseen-0", ablation.measure_unseen, ablation.UNSEEN)
    found = ablation.train_and_measure(*arguments)
    assert set(seen[0].sources) == {"faces140k"}
    assert isinstance(seen[0], Squeezed)
    assert 0 <= found["unseen"] <= 1
    assert ablation.train_and_measure(*arguments) == found
    assert len(seen) == 1  # the second time it is read
