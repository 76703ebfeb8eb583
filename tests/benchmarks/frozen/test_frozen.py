"""Heads on frozen features: what is drawn, what is left out, and that several networks become one layer."""

from dataclasses import replace

import numpy as np
import pytest

from aiface.data.crop_sets import CropSet, _Row
from aiface.data.groups import sets
from aiface.labels import AI, REAL
from benchmarks.frozen import features, heads
from benchmarks.frozen.features import shown
from benchmarks.frozen.heads import Recipe, fit, load, logits, trained_on, weights_of
from benchmarks.quality.unseen import deal

SMALL = Recipe(hidden=4, decay=0.1, draws=4000, epochs=20, networks=3)
SIZES = {("old", "train", REAL, "a"): 9, ("old", "train", REAL, "b"): 1, ("old", "train", AI, "c"): 20,
         ("old", "valid", AI, "c"): 5, ("old", "test", REAL, "a"): 5, ("new", "train", REAL, "d"): 4,
         ("new", "valid", AI, "e"): 6, ("new", "train", REAL, "f"): 3, ("new", "train", AI, "g"): 5}  # fmt: skip


@pytest.fixture
def crops(monkeypatch):
    monkeypatch.setattr(heads, "SHARES", {"old": 0.25, "new": 0.75})
    return CropSet("crops", [
        _Row(f"/data/{name}/{split}/{'ai' if label else 'real'}/{source}_{i:05}.jpg", label, split, source,
             f"{name} {split} {label} {source} {i}", None, 0, 0)
        for (name, split, label, source), size in SIZES.items() for i in range(size)
    ])  # fmt: skip


def of(crops, column, value):
    return getattr(crops, column) == value


def test_sets_have_their_shares_and_sources_the_root_of_their_size(crops):
    mask = crops.splits != "test"
    weights = weights_of(crops, mask)
    assert weights.sum() == pytest.approx(1)
    assert not weights[~mask].any()
    for name, share in (("old", 0.25), ("new", 0.75)):
        for label in (REAL, AI):
            here = (sets(crops) == name) & of(crops, "labels", label)
            assert weights[here].sum() == pytest.approx(share / 2)
    assert weights[of(crops, "sources", "a")].sum() / weights[of(crops, "sources", "b")].sum() == pytest.approx(3)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_fold_learns_from_the_others_and_from_training_splits(crops, number):
    fold = deal(crops, ["new"], 2)
    learns = trained_on(crops, fold, number)
    assert set(learns[sets(crops) == "old"] == (crops.splits == "train")[sets(crops) == "old"]) == {True}
    assert set(learns[fold == number]) <= {False}
    assert learns[(fold >= 0) & (fold != number)].all()  # fold 2 is none: then nothing is left out


def features_of(crops, seed=0):
    """Two channels tell the classes, each half; one is large, one nearly constant, and one is noise."""
    rng = np.random.default_rng(seed)
    both = crops.labels[:, None] * [1.5, 1500.0] + rng.normal(size=(len(crops), 2)) * [1, 1000]
    return np.float32(np.c_[both, np.full(len(crops), 7.0), rng.normal(size=len(crops))])


def test_a_head_tells_the_classes(crops):
    copies, weights = [features_of(crops), features_of(crops, 1)], weights_of(crops, crops.splits != "test")
    found = logits(features_of(crops, 2), fit(copies, crops.labels, weights, SMALL))
    assert found.shape == (len(crops),)
    assert found[crops.labels == AI].mean() > found[crops.labels == REAL].mean() + 1


def test_several_networks_are_one_layer(crops):
    copies, weights = [features_of(crops)], weights_of(crops, crops.splits != "test")
    head = fit(copies, crops.labels, weights, SMALL)
    assert [array.shape for array in head] == [(4, 12), (12,), (12, 1), (1,)]
    kernel, bias, last, end = head
    parts = [[kernel[:, i : i + 4], bias[i : i + 4], 3 * last[i : i + 4], end] for i in (0, 4, 8)]
    each = [logits(copies[0], part) for part in parts]
    np.testing.assert_allclose(np.mean(each, axis=0), logits(copies[0], head), atol=1e-4)
    assert np.abs(each[0] - each[1]).max() > 1e-3  # of other seeds
    alone = fit(copies, crops.labels, weights, replace(SMALL, networks=1))
    np.testing.assert_allclose(alone[0], kernel[:, :4], rtol=1e-5)


def test_copies_are_read_in_order(tmp_path):
    for number in (1, 0):
        features.save(tmp_path / f"copy-{number}.npy", np.full((2, 3), number, np.float16))
    assert [copy[0, 0] for copy in load(tmp_path)] == [0, 1]


def test_the_first_copy_is_the_crop_and_others_are_the_same_again():
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    assert shown(crop, 0, 5) is crop
    copies = [shown(crop, copy, 5) for copy in (1, 1, 2)]
    assert np.array_equal(copies[0], copies[1])
    assert not np.array_equal(copies[1], copies[2])
    assert copies[0].shape == crop.shape


def test_features_stay_in_the_order_of_crops():
    class Crops(list):
        """Crops told apart by their only value."""

    crops = Crops(np.full((1, 1, 3), n, np.uint8) for n in range(37))
    found = features.seen(lambda batch: batch[:, 0, 0, :1].astype(np.float32), crops, 0)
    assert found[:, 0].tolist() == list(range(37))
