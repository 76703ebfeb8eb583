import numpy as np
import pytest
from measured import CheckerDetector
from sklearn.metrics import roc_auc_score

from aiface.data.crop_sets import prepare
from aiface.data.degrade import blur
from aiface.data.folders import scan
from aiface.evaluation.robustness import CURVES, Degraded, degraded

TWO = {"blur sigma": CURVES["blur sigma"], "noise sigma": CURVES["noise sigma"]}


@pytest.fixture(scope="module")
def sets(make_tree, tmp_path_factory):
    from clips import FakeFinder

    folder = tmp_path_factory.mktemp("sets")
    roots = {name: make_tree(folder / name, ("test",), count, seed) for seed, (name, count) in enumerate(
        (("large", 6), ("small", 4)))}  # fmt: skip
    return {name: prepare(scan(root), folder / f"{name}-crops", FakeFinder) for name, root in roots.items()}


@pytest.fixture(scope="module")
def found(sets):
    return degraded(CheckerDetector(), sets, curves=TWO)


def test_every_strength_is_measured_on_the_same_faces(found, sets):
    assert {kind: list(curve) for kind, curve in found.scores.items()} == {
        "blur sigma": ["clean", "0.5", "1", "2", "3"], "noise sigma": ["clean", "2", "5", "10", "20"],
    }  # fmt: skip
    assert found.sets.tolist() == ["large"] * 12 + ["small"] * 8
    assert all(len(scores) == 20 for curve in found.scores.values() for scores in curve.values())


def test_scores_are_those_of_degraded_faces(found, sets):
    """Each class is drawn in a random order, so scores are compared sorted."""
    crops = sets["small"]
    blurred = np.stack([blur(crops[index], 2) for index in np.flatnonzero(crops.labels == 1)])
    mask = (found.sets == "small") & (found.labels == 1)
    expected = CheckerDetector().score(blurred)
    assert sorted(found.scores["blur sigma"]["2"][mask]) == pytest.approx(sorted(expected))


def test_degradation_costs_what_it_destroys(found):
    clean, blurred = (found.scores["blur sigma"][strength] for strength in ("clean", "3"))
    assert blurred[found.labels == 1].mean() < clean[found.labels == 1].mean()


def test_curves_are_of_all_and_of_each_set(found):
    curves = found.curves()
    assert list(curves) == ["all", "large", "small"]
    mask = found.sets == "small"
    for kind, strength in (("blur sigma", "clean"), ("noise sigma", "20")):
        scores = found.scores[kind][strength]
        assert curves["all"][kind][strength] == pytest.approx(roc_auc_score(found.labels, scores))
        assert curves["small"][kind][strength] == pytest.approx(roc_auc_score(found.labels[mask], scores[mask]))


def test_sets_are_sliced_not_pooled():
    """Two sets, each told apart without fault, whose scores don't go together."""
    scores = {"blur sigma": {"clean": np.float32([0.1, 0.2, 0.8, 0.9])}}
    curves = Degraded(scores, np.array([0, 1, 0, 1]), np.array(["a", "a", "b", "b"])).curves()
    assert {name: table["blur sigma"]["clean"] for name, table in curves.items()} == {"all": 0.75, "a": 1.0, "b": 1.0}


@pytest.mark.parametrize(("per_class", "faces"), [(3, 12), (5, 18), (None, 20)])
def test_so_many_faces_of_each_class_and_set(sets, per_class, faces):
    found = degraded(CheckerDetector(), sets, curves={}, per_class=per_class)
    assert len(found.labels) == faces
    assert found.labels.sum() == faces / 2


def test_the_same_seed_draws_and_degrades_alike(sets, found):
    again = degraded(CheckerDetector(), sets, curves=TWO)
    for strength, scores in found.scores["noise sigma"].items():
        assert np.array_equal(again.scores["noise sigma"][strength], scores)
