import json
import sys

import numpy as np
import pytest
from bundles import save
from clips import FakeFinder

from aiface.data.crop_sets import prepare
from aiface.data.folders import scan
from aiface.errors import DataError, ModelError
from aiface.io.files import sha256
from aiface.models.card import INT8
from aiface.models.detector import load_detector
from aiface.training.quantize import compare, quantize


@pytest.fixture(scope="module")
def crops(tmp_path_factory, make_tree):
    root = tmp_path_factory.mktemp("quantize")
    return prepare(scan(make_tree(root / "faces", ("valid", "test"))), root / "crops", FakeFinder)


@pytest.fixture
def bundle(tmp_path):
    return save(tmp_path / "bundle")


def test_a_bundle_gets_an_int8_version(bundle, crops):
    pytest.importorskip("nncf", reason="the package nncf is not installed: pip install 'nncf==3.4.*'")
    before = json.loads((bundle / "card.json").read_text(encoding="utf-8"))
    path = quantize(bundle, crops)
    card = json.loads((bundle / "card.json").read_text(encoding="utf-8"))
    assert path == bundle / INT8
    assert {key: value for key, value in card.items() if key != "int8"} == before
    assert card["int8"]["sha256"] == sha256(path)
    assert card["int8"]["manifest"] == crops.split("valid").manifest()
    images = np.stack(list(crops))
    fast, exact = load_detector(bundle, precision="int8"), load_detector(bundle, precision="f32")
    difference = np.abs(fast.logits(images) - exact.logits(images))
    assert 0 < difference.max() < 0.1  # in another scale or order of colours it would be many times that
    assert set(compare(bundle, crops.split("test"))) == {"f32", "int8"}


def test_without_nncf(bundle, crops, monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(ModelError, match=r"expected the nncf package, found none .*pip install 'nncf"):
        quantize(bundle, crops)
    assert not (bundle / INT8).exists()


def test_a_class_that_is_missing(bundle, crops, monkeypatch):
    monkeypatch.setattr("aiface.training.quantize._nncf", lambda: None)
    with pytest.raises(DataError, match="expected both classes in the split valid, found 6 crops of one"):
        quantize(bundle, crops.select(crops.labels == 0))
    assert not (bundle / INT8).exists()
