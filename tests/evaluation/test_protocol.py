import numpy as np
import pytest
import scene
from clips import seconds, write_clip
from measured import CALIBRATION, CheckerDetector, scored
from PIL import Image
from scene import HEIGHT, RED, WIDTH, picture
from sklearn.metrics import roc_auc_score

from aiface.data.crop_sets import CropSet, prepare
from aiface.data.folders import named, scan
from aiface.errors import DataError
from aiface.evaluation.metrics import decisions
from aiface.evaluation.protocol import (
    evaluate,
    items_to_measure,
    left_out,
    open_sets,
    pooled,
    score_set,
    set_figures,
    set_name,
)


@pytest.fixture
def tree(make_tree, tmp_path):
    return make_tree(tmp_path / "faces", ("test",), count=8)


@pytest.mark.parametrize(
    ("path", "name"), [("data/wild", "wild"), ("data/wild/test", "wild/test"), ("sealed/valid/", "sealed/valid")]
)
def test_a_set_is_named_by_its_folder(tmp_path, path, name):
    assert set_name(tmp_path / path) == name


def test_only_a_test_split_is_measured(make_tree, tmp_path):
    root = make_tree(tmp_path / "all", count=2)
    assert {item.split for item in items_to_measure(root)} == {"test"}
    assert len(items_to_measure(root / "train")) == 4  # a folder that is named as such is what was asked for
    (root / "test").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="expected a test split"):
        items_to_measure(root)


# Opening


def red_clip(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_clip(path, seconds(8), lambda _: picture((100, 40, 100, RED)), (WIDTH, HEIGHT))


def add_clips(root):
    red_clip(root / "fake" / "a.mp4")


def add_table(root):
    red_clip(root / "a.mp4")
    (root / "clips.csv").write_text("file,label\na.mp4,ai\n")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(root / "poster.png")  # no labelled picture


def add_pictures(root):
    for name in ("real", "fake"):
        (root / name).mkdir(exist_ok=True)
        Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(root / name / "a.png")


@pytest.mark.parametrize(
    ("contents", "kinds"),
    [
        ([add_pictures], ["pictures"]),
        ([add_clips], ["clips"]),
        ([add_table], ["clips"]),
        ([add_pictures, add_clips], ["pictures", "clips"]),
        ([add_table, add_pictures], ["pictures", "clips"]),
    ],
)
def test_a_root_is_what_it_holds(tmp_path, fake_finder, contents, kinds):
    root = tmp_path / "root"
    root.mkdir()
    for add in contents:
        add(root)
    sets, clips = open_sets([root], tmp_path / "crops", lambda: fake_finder)
    assert [kind for kind, found in (("pictures", sets), ("clips", clips)) if "root" in found] == kinds
    assert [len(crops) for crops in sets.values()] == [2] * len(sets)
    assert [len(found) for found in clips.values()] == [1] * len(clips)


def test_folders_of_other_names(tmp_path, fake_finder):
    root = tmp_path / "root"
    root.mkdir()
    add_pictures(root)
    add_clips(root)
    for old, new in (("real", "cameras"), ("fake", "made")):
        (root / old).rename(root / new)
    assert left_out([root]).total() == 3
    names = named(["Cameras"], ["made"])
    assert not left_out([root], names)
    sets, clips = open_sets([root], tmp_path / "crops", lambda: fake_finder, class_names=names)
    assert (len(sets["root"]), len(clips["root"])) == (2, 1)


def missing(root):
    root.rmdir()


def one_class(root):
    add_pictures(root)
    (root / "fake" / "a.png").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: None, r"root: expected pictures or clips in folders real/ and fake/ \(or ai/\), or a clips.csv"),
        (missing, "root: expected a folder with real/ and fake/ below it, found no folder"),
        (one_class, "expected pictures of both classes, found none labelled ai"),
    ],
)
def test_a_root_of_nothing_is_refused(tmp_path, fake_finder, change, message):
    root = tmp_path / "root"
    root.mkdir()
    change(root)
    with pytest.raises(DataError, match=message):
        open_sets([root], tmp_path / "crops", lambda: fake_finder)


def test_two_sets_of_one_name_are_refused(tree, fake_finder):
    with pytest.raises(DataError, match="different names"):
        evaluate(CheckerDetector(), [tree, tree], lambda: fake_finder)


# Figures


def test_figures_are_those_of_the_scores(tree, fake_finder, tmp_path):
    crops = prepare(scan(tree), tmp_path / "crops", lambda: fake_finder)
    found = score_set(CheckerDetector(), crops)
    row = set_figures(found, CALIBRATION, resamples=20)
    assert row["auc"] == pytest.approx(roc_auc_score(crops.labels, found.scores))
    assert row["auc"] > 0.9  # it does find the board
    assert (row["n_real"], row["n_ai"], row["left_out"]) == (8, 8, 0)
    low, high = row["intervals"]["auc"]
    assert low <= row["auc"] <= high


def test_spreads_belong_to_their_faces(tree, fake_finder, tmp_path):
    crops = prepare(scan(tree), tmp_path / "crops", lambda: fake_finder)
    found = score_set(CheckerDetector(), crops)
    assert found.spreads.tolist() == [float(crops[i].mean() < 100) for i in range(len(crops))]
    row = set_figures(found, CALIBRATION, resamples=2)
    assert row["decisions"] == decisions(found.scores, found.spreads, crops.labels, CALIBRATION)


def test_a_source_of_one_class_is_measured_against_the_other():
    found = scored({"gan": (0, 4), "flux": (0, 2), "faces": (6, 0)})
    row = set_figures(found, CALIBRATION, resamples=5)
    counts = {name: (r["n_real"], r["n_ai"]) for name, r in row["sources"].items()}
    assert counts == {"gan": (6, 4), "flux": (6, 2), "faces": (6, 6)}
    mask = (found.labels == 0) | (found.sources == "gan")
    assert row["sources"]["gan"]["auc"] == pytest.approx(roc_auc_score(found.labels[mask], found.scores[mask]))


def test_pooling_keeps_scores_with_labels():
    parts = [scored({"a": (3, 2)}), scored({"b": (1, 4)}, seed=1)]
    scores, labels = pooled(parts)
    assert scores.tolist() == [*parts[0].scores.tolist(), *parts[1].scores.tolist()]
    assert labels.tolist() == [0, 0, 0, 1, 1, 0, 1, 1, 1, 1]


def test_a_set_without_a_face_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected faces to measure, found none"):
        score_set(CheckerDetector(), CropSet(tmp_path, []))


def test_evaluate_measures_pictures(tree, fake_finder):
    steps = []
    found = evaluate(CheckerDetector(), [tree], lambda: fake_finder, lambda rows: steps.append(rows) or rows, True, 5)
    assert set(found) == {"detector", "resamples", "sets", "clips", "curves", "coverage_risk"}
    assert (list(found["sets"]), found["clips"], found["resamples"]) == (["faces"], {}, 5)
    assert list(found["curves"]) == ["all", "faces"]
    assert len(steps) == 3  # cropping, scoring, degrading


def test_evaluate_judges_clips(tmp_path):
    root = tmp_path / "clips"
    add_clips(root)
    found = evaluate(scene.detector(), [root], scene.Finder, resamples=5)
    assert [row["verdict"] for row in found["clips"]["clips"]["rows"]] == ["ai"]
    assert (found["sets"], found["curves"], found["coverage_risk"]) == ({}, {}, {})


def test_curves_can_be_left_out(tree, fake_finder):
    assert evaluate(CheckerDetector(), [tree], lambda: fake_finder, with_curves=False, resamples=5)["curves"] == {}
