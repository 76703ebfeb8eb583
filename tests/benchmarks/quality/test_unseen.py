"""Leaving sources out: what stands on which side, what is scored, and figures and thresholds of known scores."""

from dataclasses import replace

import numpy as np
import pytest

from aiface.data.batches import Batches
from aiface.data.crop_sets import CropSet, _Row
from aiface.data.groups import pools, sets
from aiface.errors import DataError
from aiface.labels import AI, REAL
from aiface.models.network import build, predict_logits
from benchmarks.quality.unseen import Scores, clip_of, deal, family, fold_crops, thin
from benchmarks.quality.unseen_figures import (
    auc,
    by_clip,
    calibrate,
    decided,
    ensemble,
    figures,
    joined,
    source_aucs,
    table,
)
from benchmarks.quality.unseen_final import counts, of_all_sources, shifted, summary


def rows(name, split, kind, source, n, first=0):
    label = {"real": REAL, "fake": AI}[kind]
    return [
        _Row(f"/somewhere/{name}/{split}/{kind}/{source}_{first + i:05}.jpg", label, split, source,
             f"{name} {split} {kind} {source} {first + i}", None, 0, 0)
        for i in range(n)
    ]  # fmt: skip


@pytest.fixture
def crops():
    found = [
        r for split in ("train", "valid", "test") for k in ("real", "fake") for r in rows("old", split, k, "old", 10)
    ]
    for n, size in enumerate((9, 7, 5, 3, 8, 6)):
        found += rows("new", "train", "real", f"cam{n}", size) + rows("new", "valid", "fake", f"gen{n}", size)
    found += rows("new", "train", "fake", "sfhqa", 4) + rows("new", "valid", "fake", "sfhqb", 2)
    return CropSet("crops", found)


def test_the_set_is_the_folder_above_splits_and_classes(crops):
    assert set(sets(crops)) == {"old", "new"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/faces140k/real_vs_fake/real-vs-fake/train/real/00001.jpg", "faces140k"),
        ("modern/fake/some_generator/a.jpg", "modern"),
        ("/d/wild/train/real/p/q/a.jpg", "wild"),
        ("/d/wild/AI/a.jpg", "wild"),
    ],
)
def test_folders_below_the_class_are_no_sets(crops, path, name):
    assert sets(CropSet("crops", [replace(crops.rows[0], path=path)])).tolist() == [name]


@pytest.mark.parametrize("path", ["train/real/a.jpg", "modern/a.jpg", "a.jpg"])
def test_a_path_without_a_set_is_refused(crops, path):
    with pytest.raises(DataError, match=f"^{path}: expected a set's folder above real/ or fake/"):
        sets(CropSet("crops", [replace(crops.rows[0], path=path)]))


def test_each_new_source_is_left_out_once_with_its_relatives(crops):
    fold = deal(crops, ["new"], 3)
    assert set(fold[sets(crops) == "old"]) == {-1}
    for source in set(crops.sources) - {"old"}:
        assert len(set(fold[crops.sources == source])) == 1
    assert set(fold[crops.sources == "sfhqa"]) == set(fold[crops.sources == "sfhqb"])
    for number in range(3):  # both classes in each, of about the same size
        held = np.bincount(crops.labels[fold == number], minlength=2)
        assert held.min() >= 9
        assert held.max() <= 20
    np.testing.assert_array_equal(fold, deal(crops, ["new"], 3))


def test_no_source_that_is_scored_as_unseen_is_trained_on(crops):
    fold, everyone = deal(crops, ["new"], 3), []
    for number in range(3):
        training, scored = fold_crops(crops, fold, number, 3)
        unseen = scored.split("unseen")
        assert not set(unseen.sources) & set(training.sources)
        assert not {r.sha256 for r in scored.rows} & {r.sha256 for r in training.split("train").rows}
        assert "test" not in {*training.splits, *scored.splits}
        assert set(training.split("valid").sources) == {"old"}
        everyone += [row.sha256 for row in scored.rows]
    expected = [r.sha256 for r in crops.rows if r.source != "old" or r.split == "valid"]
    assert sorted(everyone) == sorted(expected)  # each once


def test_thin_leaves_training_alone(crops):
    thinned = thin(crops, 5)
    assert len(thinned.split("train")) == len(crops.split("train"))
    assert len(thinned.split("valid")) == len(crops.split("valid")) // 5


@pytest.mark.parametrize(
    ("path", "clip"),
    [("a/sonic_00307.jpg", "sonic_003"), ("a/facechain_0012.jpg", "facechain_0012"), ("a/12345.jpg", "12345")],
)
def test_clip(path, clip):
    assert clip_of(path) == clip


def test_family():
    assert family("relbias") == family("relbiasd") != family("sfhqfig") == family("sfhqall")
    assert family("loopy") == "loopy"


class Given(CropSet):
    """Crops without files: each of one grey."""

    def __getitem__(self, index):
        return np.full((64, 64, 3), index, np.uint8)


def test_pairs_come_from_one_set(crops):
    given = Given("crops", crops.split("train").rows)
    assert list(pools(given, by_set=True)) == ["new", "old"]
    assert list(pools(given)) == ["mixed", "old"]
    batches = Batches(given, 64, 32, 4, (0, 0), degrade=False, by_set=True, shares={"new": 0.5, "old": 0.5})
    of_set = sets(given)
    drawn = batches.originals(0)
    assert (of_set[drawn[::2]] == of_set[drawn[1::2]]).all()
    assert set(of_set[drawn]) == {"old", "new"}


def test_twins_are_made_of_one_face_and_degraded_alike(monkeypatch, crops):
    monkeypatch.setattr("aiface.data.twins.swap_twins", lambda crop, rng: (crop, crop))
    given = Given("crops", crops.split("train").rows)
    batches = Batches(given, 48, 16, 2, (0, 0), by_set=True, twins={"swap": 1.0})
    images, labels = batches[1]
    np.testing.assert_array_equal(images[::2], images[1::2])  # the same crop, light, scale and codec
    assert labels[:, 0].tolist() == [REAL, AI] * 8
    assert len({image.tobytes() for image in images[::2]}) > 6
    drawn = batches.originals(1)
    np.testing.assert_array_equal(drawn[::2], drawn[1::2])
    assert (given.labels[drawn] == REAL).all()
    none = Batches(given, 48, 16, 2, (0, 0), by_set=True, twins={"swap": 0.0}).originals(1)
    assert (given.labels[none[1::2]] == AI).all()


def test_twins_are_drawn_from_faces_that_have_fakes(monkeypatch, crops):
    given = Given("crops", crops.split("train").rows)
    kept = int(np.flatnonzero((given.labels == REAL) & (sets(given) == "old"))[0])
    mask = np.arange(len(given)) == kept
    monkeypatch.setattr("aiface.data.batches.possible", lambda name, crops: mask)
    drawn = Batches(given, 48, 64, 2, (0, 0), by_set=True, twins={"fakes": 1.0}).originals(0)
    twins = drawn[::2] == drawn[1::2]
    assert set(drawn[::2][twins]) == {kept}
    assert (sets(given)[drawn[::2]][~twins] == "new").all()  # which have none: paired as ever
    assert twins.any()
    assert not twins.all()
    mask[kept] = False
    with pytest.raises(DataError, match="fakes: expected fakes of real faces in crops, found none"):
        Batches(given, 48, 64, 2, (0, 0), by_set=True, twins={"fakes": 1.0})


def scores(real, fake, name="new", source="gen", unseen=True):
    n = len(real) + len(fake)
    label = np.r_[np.zeros(len(real), int), np.ones(len(fake), int)]
    sources = np.where(label == AI, source, "cam")
    return Scores(
        np.full(n, name),
        sources,
        np.array([f"{source}{i}" for i in range(n)]),
        label,
        np.full(n, unseen),
        np.r_[real, fake],
    )


def noise(seed, n, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 1, n)


def test_auc_by_source_is_within_its_own_fold():
    """Another fold's network may be shifted: that must cost nothing."""
    folds = [
        scores(noise(0, 50), noise(1, 50, 2), source="a"),
        scores(noise(2, 50) + 9, noise(3, 50, 2) + 9, source="b"),
    ]
    found = source_aucs(folds)
    assert set(found) == {"a", "b"}
    assert min(found.values()) > 0.85
    assert figures(folds)["new"]["macro"] == pytest.approx(np.mean(list(found.values())))
    assert np.isnan(auc(noise(0, 3), np.array([])))


def test_clips_are_means_of_their_frames():
    one = scores(np.array([0.0, 2.0, 5.0]), np.array([7.0]))
    one = replace(one, clip=np.array(["a", "a", "b", "c"]))
    found = by_clip(one)
    assert found.clip.tolist() == ["a", "b", "c"]
    assert found.logits.tolist() == [1.0, 5.0, 7.0]
    assert found.label.tolist() == [REAL, REAL, AI]


def test_calibration_and_thresholds_hold_on_other_folds():
    folds = [scores(noise(2 * s, 900) - 4, noise(2 * s + 1, 900, 3) - 4) for s in range(3)]
    fitted, by = calibrate(folds[:2])
    assert 1 / fitted.temperature == pytest.approx(3, rel=0.15)  # two unit normals 3 apart
    assert -by == pytest.approx(-2.5, abs=0.1)
    assert fitted.real_below <= fitted.ai_from
    by_set = decided([[fold] for fold in folds])
    found = by_set["unseen"]
    assert by_set["new"] == found
    assert found["cllr"] == pytest.approx(1, abs=0.01)  # one source of each class supports no ratio
    assert found["reals called AI"] <= 0.012
    assert found["fakes called real"] <= 0.11
    assert found["ece"] < 0.03
    assert found["decided"] == pytest.approx(0.8, abs=0.12)
    hopeless = decided([[scores(noise(s, 200), noise(s + 9, 200))] for s in range(3)])
    assert hopeless["unseen"]["decided"] < 0.2
    assert hopeless["unseen"]["cllr"] == pytest.approx(1, abs=0.05)


def test_ensemble_averages_logits():
    a, b = scores(noise(0, 5), noise(1, 5)), scores(noise(2, 5), noise(3, 5))
    (mean,) = ensemble([[a], [b]])
    np.testing.assert_allclose(mean.logits, (a.logits + b.logits) / 2)


def test_table_names_what_is_missing_by_an_empty_cell():
    text = table({"plain": {"modern": {"macro": 0.5, "worst": "idiff 0.35"}}})
    assert "| plain | 0.500 |  |  | idiff 0.35 |" in text


def test_the_final_network_trains_on_all_new_sources_and_no_test_split(crops):
    found = of_all_sources(crops, ["new"])
    assert set(found.split("train").sources) == set(crops.sources)
    assert not len(found.split("test"))
    assert set(found.split("valid").sources) == {"old"}


def test_thresholds_come_from_what_folds_left_out():
    folds = [scores(noise(2 * s, 900) - 4, noise(2 * s + 1, 900, 3) - 4) for s in range(3)]
    fitted, by = calibrate(folds)
    p = fitted.probability(np.concatenate([f.logits for f in folds]) + by)
    label = np.concatenate([f.label for f in folds])
    assert np.mean(p[label == REAL] >= fitted.ai_from) <= 0.01
    assert np.mean(p[label == AI] < fitted.real_below) <= 0.1
    assert fitted.unstable_above == 1  # until views were measured
    assert fitted.probability(np.array([-2.5 + by]))[0] == pytest.approx(0.5, abs=0.05)


def test_pictures_get_thresholds_of_their_own_where_clips_are_harder():
    folds = [
        one
        for s in range(3)
        for one in (
            scores(noise(2 * s, 900) - 4, noise(2 * s + 1, 900, 4) - 4),
            scores(noise(s + 70, 900) - 4, noise(s + 80, 900, 1) - 4, name="talking"),
        )
    ]
    fitted, _ = calibrate(folds)
    pictures = fitted.of(moving=False)
    assert pictures.real_below > fitted.real_below
    found = decided([folds[:2], folds[2:4], folds[4:]])
    assert found["new"]["decided"] > 0.8 > 0.6 > found["talking"]["decided"]


def test_shifting_adds_to_the_logit():
    network = build("mobilenet_v2", 64)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    before = predict_logits(network, [images])
    shifted(network, 0.75)
    np.testing.assert_allclose(predict_logits(network, [images]), before + 0.75, rtol=1e-5)


def test_the_card_counts_what_it_was_made_from(crops):
    found = counts(crops)
    assert sum(sum(by_class.values()) for split in found.values() for by_class in split.values()) == len(crops)
    assert set(found) == set(crops.splits)
    for split, sources in found.items():
        assert set(sources) == set(crops.sources[crops.splits == split])


def test_the_card_says_what_it_was_made_from(crops):
    told = summary(crops, "small", "by heart", {"sha256": "0123456789abcdef"})
    assert told.startswith("small, trained on the sets new, old: ")
    assert "; by heart. It started from" in told
    assert "sha256 01234567)" in told


def talking(seed, real, fake, n=60, looks=8):
    """Clips of several looks: how they lie around their clip's middle says nothing of the next clip."""
    rng = np.random.default_rng(seed)
    middles = np.repeat(np.r_[rng.normal(real, 1, n), rng.normal(fake, 1, n)], looks)
    found = scores(*np.split(middles + rng.normal(0, 2, len(middles)), 2), name="talking")
    return replace(found, clip=np.repeat([f"{seed} {at}" for at in range(2 * n)], looks))


def test_clips_have_limits_of_their_own_as_wholes():
    folds = [one for s in range(3) for one in (scores(noise(s, 900) - 4, noise(s + 9, 900) + 2), talking(s, 0, 6))]
    fitted, by = calibrate(folds)
    clips = by_clip(joined(folds[1::2]))
    p = fitted.probability(clips.logits + by)
    assert np.mean(p[clips.label == REAL] >= fitted.ai_from) <= 0.01
    assert np.mean(p[clips.label == AI] < fitted.real_below) <= 0.1
    assert np.mean(p[clips.label == AI] >= fitted.ai_from) > 0.9  # of single looks a third would lie below
    assert fitted.of(moving=False).ai_from < fitted.ai_from
    found = decided([folds[:2], folds[2:4], folds[4:]])["talking"]
    assert found["decided"] > 0.85
    few = calibrate([folds[0], talking(0, 0, 6, n=20)])[0]
    assert few.ai_from > fitted.ai_from  # as single looks have it
