import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from aiface.calibration import Calibration
from aiface.dataset import scan
from aiface.errors import DataError
from aiface.protocol import CURVES, coverage_risk, curves, evaluate, evaluate_set, set_name, test_items
from aiface.results import model_card, results_html, results_markdown, write
from aiface.shards import prepare

test_items.__test__ = False  # a function of the package, not a test
CALIBRATION = Calibration(1.0, {"0.05": 0.6, "0.01": 0.7, "0.001": 0.8}, 0.3)


CARD = {
    "name": "checker",
    "sha256": "0" * 64,
    "crop_version": "1",
    "training": {"summary": "It looks for squares."},
    "calibration": {"thresholds": dict(CALIBRATION.thresholds), "real_below": 0.3, "temperature": 1.0},
}


class CheckerDetector:
    """Scores the checkerboard that makes a tree's AI pictures: the share of energy at its frequency."""

    calibration, name, card = CALIBRATION, "checker", CARD

    def score(self, crops):
        rows, columns = np.indices(crops.shape[1:3]) // 4
        board = ((rows + columns) % 2 * 2 - 1)[None, :, :, None]
        return (1 / (1 + np.exp(4 - np.abs((crops * board).mean(axis=(1, 2, 3)))))).astype(np.float32)


@pytest.fixture
def tree(make_tree, tmp_path):
    return make_tree(tmp_path / "faces", ("test",), count=8)


@pytest.fixture
def result(tree, fake_finder):
    return evaluate(CheckerDetector(), [tree], lambda: fake_finder, resamples=20)


@pytest.mark.parametrize(
    ("path", "name"), [("data/wild", "wild"), ("data/wild/test", "wild/test"), ("sealed/valid/", "sealed/valid")]
)
def test_a_set_is_named_by_its_folder(tmp_path, path, name):
    assert set_name(tmp_path / path) == name


def test_only_a_test_split_is_measured(make_tree, tmp_path):
    root = make_tree(tmp_path / "all", count=2)
    assert {item.split for item in test_items(root)} == {"test"}
    assert len(test_items(root / "train")) == 4  # a folder that is named as such is what was asked for
    (root / "test").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="expected a test split"):
        test_items(root)


def test_figures_are_those_of_the_scores(tree, fake_finder, tmp_path):
    crops = prepare(scan(tree), tmp_path / "crops", lambda: fake_finder)
    row, scores = evaluate_set(CheckerDetector(), crops, resamples=20)
    assert row["auc"] == pytest.approx(roc_auc_score(crops.labels, scores))
    assert row["auc"] > 0.9  # it does find the board
    assert (row["n_real"], row["n_ai"], row["left_out"]) == (8, 8, 0)
    low, high = row["intervals"]["auc"]
    assert low <= row["auc"] <= high


def test_a_source_of_one_class_is_measured_against_the_other(make_tree, fake_finder, tmp_path):
    root = make_tree(tmp_path / "faces", ("test",), count=6)
    for index, path in enumerate(sorted((root / "test" / "fake").iterdir())):
        path.rename(path.with_name(f"gan_{index}.png" if index < 4 else f"flux_{index}.png"))
    crops = prepare(scan(root), tmp_path / "crops", lambda: fake_finder)
    row, scores = evaluate_set(CheckerDetector(), crops, resamples=5)
    counts = {name: (r["n_real"], r["n_ai"]) for name, r in row["sources"].items()}
    assert counts == {"gan": (6, 4), "flux": (6, 2), "faces": (6, 6)}
    mask = (crops.labels == 0) | (crops.sources == "gan")
    assert row["sources"]["gan"]["auc"] == pytest.approx(roc_auc_score(crops.labels[mask], scores[mask]))


def test_degradation_costs_what_it_destroys(tree, fake_finder, tmp_path):
    crops = prepare(scan(tree), tmp_path / "crops", lambda: fake_finder)
    table = curves(CheckerDetector(), [crops])
    assert set(table) == set(CURVES)
    assert all(set(curve) == {"clean", *(f"{s:g}" for s in CURVES[name])} for name, curve in table.items())
    assert table["blur sigma"]["3"] <= table["blur sigma"]["clean"]


def test_risk_falls_with_coverage_for_a_detector_that_knows_when_it_knows():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    scores = 1 / (1 + np.exp(-logits))
    labels = (rng.random(4000) < scores).astype(int)
    curve = coverage_risk(scores, labels, Calibration(1.0, {"0.01": 0.6}, 0.4))
    assert curve["coverage"][0] == 0.1
    assert curve["coverage"][-1] == 1.0
    assert curve["risk"][0] < 0.05 < curve["risk"][-1]
    assert curve["risk"][-1] == pytest.approx(np.mean((scores > 0.5) != labels))


def test_two_sets_of_one_name_are_refused(tree, fake_finder):
    with pytest.raises(DataError, match="different names"):
        evaluate(CheckerDetector(), [tree, tree], lambda: fake_finder)


def test_results_are_written_whole(result, tmp_path):
    paths = write(result, CARD, tmp_path / "docs")
    assert [path.name for path in paths] == ["results.json", "RESULTS.md", "MODEL_CARD.md", "results.html"]
    assert all(path.stat().st_size > 500 for path in paths)


def test_pages_say_what_was_measured(result):
    auc = f"{result['sets']['faces']['auc']:.3f}"
    assert f"| faces | 8 | 8 | {auc} [" in results_markdown(result)
    assert f"(AUC {auc})" in model_card(CARD, result)
    page = results_html(result)
    assert page.count("data:image/png") == 3
    assert "http" not in page.split("</style>")[1].replace("data:image", "")
