import json

import numpy as np
import pytest
from bundles import network, save
from clips import FakeFinder

from aiface.__main__ import main
from aiface.data.crop_sets import prepare
from aiface.data.folders import scan
from aiface.errors import DataError
from aiface.models.detector import load_detector
from aiface.training.recalibrate import recalibrate


@pytest.fixture(scope="module")
def crops(tmp_path_factory, make_tree):
    root = tmp_path_factory.mktemp("recalibrate")
    return prepare(scan(make_tree(root / "faces", ("valid", "test"))), root / "crops", FakeFinder)


@pytest.fixture
def bundle(tmp_path):
    return save(tmp_path / "bundle")


def card_of(bundle):
    return json.loads((bundle / "card.json").read_text(encoding="utf-8"))


def test_the_card_gets_what_these_faces_say(bundle, crops, capsys):
    before = card_of(bundle)
    assert main(["calibrate", str(bundle), str(crops.folder)]) == 0
    after, valid, test = card_of(bundle), crops.split("valid"), crops.split("test")
    changed = {key for key in after if after[key] != before.get(key)}
    assert changed == {"calibration", "calibrated_on", "metrics"}
    assert after["calibrated_on"] == valid.manifest()
    detector = load_detector(bundle)
    scores = np.concatenate([detector.score(batch) for batch in valid.batches()])
    assert np.mean(scores[valid.labels == 0] >= detector.calibration.ai_from) <= 0.01
    figures = after["metrics"]["test"]
    assert (figures["n_real"], figures["n_ai"]) == (sum(test.labels == 0), sum(test.labels == 1))
    assert set(figures["sources"]) == set(test.sources)
    assert f"AI from {detector.calibration.ai_from:.3f}" in capsys.readouterr().out


def test_a_network_for_clips_is_given_up(tmp_path, crops):
    """Its logits are not those that were calibrated."""
    bundle = save(tmp_path / "two", of_clips=network(seed=1))
    assert "clips" in card_of(bundle)
    recalibrate(bundle, crops)
    assert "clips" not in card_of(bundle)
    assert load_detector(bundle).of(moving=True).card["sha256"] == card_of(bundle)["sha256"]


def test_without_a_test_split_there_are_no_test_figures(bundle, crops):
    fitted = recalibrate(bundle, crops.select(crops.splits == "valid"))
    assert set(card_of(bundle)["metrics"]) == {"valid"}
    assert load_detector(bundle).calibration == fitted


def test_a_class_that_is_missing(bundle, crops):
    before = card_of(bundle)
    with pytest.raises(DataError, match="expected both classes in the split valid, found 6 crops of one"):
        recalibrate(bundle, crops.select(crops.labels == 0))
    assert card_of(bundle) == before
