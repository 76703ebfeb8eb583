"""Heads on frozen features: what is drawn, what is left out, and that several networks become one layer."""

from dataclasses import replace

import numpy as np
import pytest
import scene
from clips import seconds, write_clip

from aiface.analysis.pipeline import analyze_video
from aiface.data.crop_sets import CropSet, _Row
from aiface.data.groups import sets
from aiface.labels import AI, REAL
from benchmarks.frozen import features, final
from benchmarks.frozen.features import shown
from benchmarks.frozen.heads import Recipe, fit, load, logits, trained_on, weights_of
from benchmarks.quality.unseen import Scores, deal
from benchmarks.quality.unseen_figures import joined

SMALL = Recipe(hidden=4, decay=0.1, draws=4000, epochs=20, networks=3)
SIZES = {("old", "train", REAL, "a"): 9, ("old", "train", REAL, "b"): 1, ("old", "train", AI, "c"): 20,
         ("old", "valid", AI, "c"): 5, ("old", "test", REAL, "a"): 5, ("new", "train", REAL, "d"): 4,
         ("new", "valid", AI, "e"): 6, ("new", "train", REAL, "f"): 3, ("new", "train", AI, "g"): 5}  # fmt: skip


SHARES = {"old": 0.25, "new": 0.75}


@pytest.fixture
def crops():
    return CropSet("crops", [
        _Row(f"/data/{name}/{split}/{'ai' if label else 'real'}/{source}_{i:05}.jpg", label, split, source,
             f"{name} {split} {label} {source} {i}", None, 0, 0)
        for (name, split, label, source), size in SIZES.items() for i in range(size)
    ])  # fmt: skip


def of(crops, column, value):
    return getattr(crops, column) == value


def test_sets_have_their_shares_and_sources_the_root_of_their_size(crops):
    mask = crops.splits != "test"
    weights = weights_of(crops, mask, SHARES)
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
    copies, weights = [features_of(crops), features_of(crops, 1)], weights_of(crops, crops.splits != "test", SHARES)
    found = logits(features_of(crops, 2), fit(copies, crops.labels, weights, SMALL))
    assert found.shape == (len(crops),)
    assert found[crops.labels == AI].mean() > found[crops.labels == REAL].mean() + 1


def test_several_networks_are_one_layer(crops):
    copies, weights = [features_of(crops)], weights_of(crops, crops.splits != "test", SHARES)
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


# Real clips at hand


def clip_scores(logits, label=REAL):
    """Clips of two looks each, in which these are the means."""
    n = len(logits)
    names = np.repeat([f"{label} {at}" for at in range(n)], 2)
    found = np.repeat(np.asarray(logits, float), 2) + np.tile([-1.0, 1.0], n)
    return Scores(np.full(2 * n, "talking"), names, names, np.full(2 * n, label), np.full(2 * n, True), found)


def folds():
    rng = np.random.default_rng(0)
    clips = joined([clip_scores(rng.normal(0, 1, 40)), clip_scores(rng.normal(6, 1, 40), AI)])
    return [clips, replace(clips, set=np.full(len(clips.set), "pictures"))]


@pytest.mark.parametrize(("logits", "called"), [([0.0, 1.0], []), ([0.0, 4.0], ["0 1"]), ([4.0], ["0 0"])])
def test_which_of_our_clips_are_called_ai(logits, called):
    assert final.called_ai(folds(), clip_scores(logits)) == called


def test_scores_of_clips_are_of_their_looks():
    clips = {"a.mp4": np.full((2, 1, 1, 3), 10, np.uint8), "b.mp4": np.full((1, 1, 1, 3), 30, np.uint8)}
    head = [np.ones((3, 1), np.float32), np.zeros(1, np.float32), np.ones((1, 1), np.float32), np.float32([-1])]
    found = final.scores_of(clips, lambda crops: crops[:, 0, 0].astype(np.float32), head)
    assert found.clip.tolist() == ["a.mp4", "a.mp4", "b.mp4"]
    assert found.logits.tolist() == [29, 29, 89]
    assert set(found.label.tolist()) == {REAL}
    assert found.unseen.all()
    assert final.told(folds(), [found], ["a.mp4"]).endswith(
        "of 40 real and 40 generated clips that folds left out, and of 2 real ones at hand that no training had seen. "
        "Called AI there, a.mp4 was learnt from afterwards."
    )
    assert final.told(folds(), [], []).endswith("that folds left out.")


def test_a_clip_that_was_called_ai_is_learnt_from_as_a_real_source(crops, monkeypatch):
    monkeypatch.setattr(final, "MOVING", ("new",))
    copies, weights = [features_of(crops), features_of(crops, 1)], weights_of(crops, crops.splits != "test", SHARES)
    clip = np.random.default_rng(0).integers(0, 256, (5, 256, 256, 3), np.uint8)

    def runner(images):
        return images.reshape(len(images), -1)[:, :4].astype(np.float32)

    found, labels, more = final.with_more(copies, crops, weights, [clip[:3], clip[3:]], runner)
    assert [len(copy) for copy in found] == [len(labels)] * 2 == [len(more)] * 2 == [len(crops) + 5] * 2
    assert np.array_equal(found[0][-5:], runner(clip))
    assert not np.array_equal(found[1][-5:], runner(clip))  # degraded
    assert labels[-5:].tolist() == [REAL] * 5
    assert more.sum() == pytest.approx(1)
    like = weights[(sets(crops) == "new") & (crops.labels == REAL)].sum() / 2  # of two sources
    assert more[-5:-2].sum() / more[0] == pytest.approx(like / weights[0])
    assert more[-2:].sum() == pytest.approx(more[-5:-2].sum())


def test_looks_at_a_clip_are_those_that_its_verdict_rests_on(tmp_path, monkeypatch):
    monkeypatch.setattr(final, "load_finder", scene.Finder)
    size = (scene.WIDTH, scene.HEIGHT)
    path = write_clip(
        tmp_path / "one.mp4", seconds(30, 0.1), lambda index: scene.picture((60, 50, 100, scene.RED)), size
    )
    judged = analyze_video(path, scene.Finder(), scene.detector(scene.by_colour))
    assert final.looks(path).shape == (judged.verdict.faces, 256, 256, 3)
    (tmp_path / "clips.csv").write_text("file,label\none.mp4,real\n")
    assert list(final.real_clips(str(tmp_path))) == ["one.mp4"]
    (tmp_path / "clips.csv").write_text("file,label\none.mp4,ai\n")
    assert final.real_clips(str(tmp_path)) == {}
