import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score

from aiface.errors import DataError
from aiface.evaluation.metrics import (
    by_source,
    coverage_risk,
    decisions,
    equal_error_rate,
    expected_calibration_error,
    figures,
    metrics,
    summary_table,
    true_positive_rate,
)
from aiface.labels import AI, REAL
from aiface.models.calibration import Calibration

EVEN, AT_55 = (Calibration(1.0, {"0.01": at}, 0.3, 1.0) for at in (0.5, 0.55))


def faces(n=500, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat((REAL, AI), (n // 3, n - n // 3)))
    return np.clip(rng.normal(0.4 + 0.25 * labels, 0.2), 0, 1).round(2), labels  # rounded, so that some are tied


@pytest.mark.parametrize("seed", range(4))
def test_metrics_against_brute_force(seed):
    scores, labels = faces(seed=seed)
    found = metrics(scores, labels, AT_55)
    reals, fakes = scores[labels == REAL], scores[labels == AI]
    wins = (fakes[:, None] > reals) + 0.5 * (fakes[:, None] == reals)
    assert found["auc"] == pytest.approx(wins.mean())  # Mann and Whitney
    assert found["auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert found["ap"] == pytest.approx(average_precision_score(labels, scores))
    assert found["false_positive_rate"] == pytest.approx(sum(s >= 0.55 for s in reals) / len(reals))
    assert found["false_negative_rate"] == pytest.approx(sum(s < 0.55 for s in fakes) / len(fakes))
    right = sum(s < 0.55 for s in reals) + sum(s >= 0.55 for s in fakes)
    assert found["accuracy"] == pytest.approx(right / len(scores))
    assert (found["n_real"], found["n_ai"]) == (len(reals), len(fakes))
    assert all(type(value) in (int, float) for value in found.values())  # as JSON takes them


@pytest.mark.parametrize(
    ("scores", "labels", "auc"),
    [((0.1, 0.9), (REAL, AI), 1.0), ((0.9, 0.1), (REAL, AI), 0.0), ((0.5, 0.5), (REAL, AI), 0.5)],
    ids=["right way round", "wrong way round", "no idea"],
)
def test_a_high_score_means_ai(scores, labels, auc):
    assert metrics(np.array(scores), np.array(labels), EVEN)["auc"] == auc


def test_a_score_at_the_threshold_is_called_ai():
    found = metrics(np.array((0.5, 0.5)), np.array((REAL, AI)), EVEN)
    assert (found["false_positive_rate"], found["false_negative_rate"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ((0.1, 0.2, 0.8, 0.9), (0, 0, 1, 1), 0.0),
        ((0.8, 0.9, 0.1, 0.2), (0, 0, 1, 1), 1.0),
        ((0.1, 0.6, 0.4, 0.9), (0, 0, 1, 1), 0.5),
        ((0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9), (0,) * 4 + (1,) * 4, 0.25),
        ((0.5, 0.5, 0.5, 0.5), (0, 0, 1, 1), 0.5),
    ],
)
def test_equal_error_rate(scores, labels, expected):
    assert equal_error_rate(np.array(scores), np.array(labels)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_equal_error_rate_against_every_threshold(seed):
    scores, labels = faces(2000, seed)
    pairs = [(np.mean(scores[labels == REAL] >= t), np.mean(scores[labels == AI] < t)) for t in np.unique(scores)]
    nearest = min(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    assert equal_error_rate(scores, labels) == pytest.approx(np.mean(nearest), abs=0.02)


def test_by_source():
    scores = np.array((0.1, 0.3, 0.6, 0.2, 0.9, 0.2, 0.7))
    labels = np.array((REAL, REAL, REAL, REAL, AI, AI, AI))
    sources = ("photos", "photos", "photos", "mixed", "gan", "gan", "mixed")
    assert by_source(scores, labels, sources, EVEN) == {
        "gan": {"n_ai": 2, "auc": pytest.approx((4 + 1.5) / 8)},
        "mixed": {"n_ai": 1, "auc": 1.0, "n_real": 1, "false_positive_rate": 0.0},
        "photos": {"n_real": 3, "false_positive_rate": pytest.approx(1 / 3)},
    }


@pytest.mark.parametrize("labels", [(AI, AI), (REAL, REAL), (REAL, 2)])
def test_a_missing_class_is_refused(labels):
    with pytest.raises(DataError, match="expected scores of both classes"):
        metrics(np.array((0.1, 0.2)), np.array(labels), EVEN)


@pytest.mark.parametrize("labels", [(AI, AI), (REAL, REAL)])
def test_by_source_of_one_class(labels):
    with pytest.raises(DataError, match="expected scores of both classes"):
        by_source(np.array((0.1, 0.2)), np.array(labels), ("a", "b"), EVEN)


def test_summary_table():
    scores, labels = np.array((0.1, 0.6, 0.4, 0.9)), np.array((REAL, REAL, AI, AI))
    measured = metrics(scores, labels, EVEN)
    measured["sources"] = by_source(scores, labels, ("photos", "photos", "gan", "gan"), EVEN)
    assert summary_table(measured).splitlines() == [
        "| test faces | real | AI | AUC | called AI though real |",
        "|---|---|---|---|---|",
        "| all | 2 | 2 | 0.750 | 50.0% |",
        "| gan |  | 2 | 0.750 |  |",
        "| photos | 2 |  |  | 50.0% |",
    ]


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ((0.05, 0.05, 0.95, 0.95), (0, 0, 1, 1), 0.05),
        ((0.95, 0.95, 0.05, 0.05), (0, 0, 1, 1), 0.95),
        ((0.5, 0.5, 0.5, 0.5), (0, 0, 1, 1), 0.0),
        ((0.5, 0.5, 0.5, 1.0), (0, 0, 0, 1), 0.375),  # three at 0.5 of which none is AI, one right
    ],
)
def test_expected_calibration_error(scores, labels, expected):
    assert expected_calibration_error(np.array(scores), np.array(labels)) == pytest.approx(expected)


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 0.4), (0.25, 0.6), (0.5, 0.8)])
def test_true_positive_rate_at_a_false_positive_rate(rate, expected):
    scores = np.array([0.1, 0.2, 0.5, 0.8, 0.15, 0.3, 0.6, 0.9, 0.95])
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    assert true_positive_rate(scores, labels, rate) == expected


def test_protocol_figures_agree_with_scikit_learn():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 500)
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    calibration = Calibration(1.0, {"0.05": 0.6, "0.01": 0.7, "0.001": 0.8}, 0.3, 1.0)
    found = figures(scores, labels, calibration)
    assert found["auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert found["ap"] == pytest.approx(average_precision_score(labels, scores))
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, scores >= 0.5))
    assert found["fpr_at_1"] == pytest.approx(np.mean(scores[labels == 0] >= 0.7))
    assert found["tpr_at_fpr_01"] <= found["tpr_at_fpr_1"]


def test_risk_falls_with_coverage_for_a_detector_that_knows_when_it_knows():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    scores = 1 / (1 + np.exp(-logits))
    labels = (rng.random(4000) < scores).astype(int)
    curve = coverage_risk(scores, labels, Calibration(1.0, {"0.01": 0.6}, 0.4, 1.0))
    assert curve["coverage"][0] == 0.1
    assert curve["coverage"][-1] == 1.0
    assert curve["risk"][0] < 0.05 < curve["risk"][-1]
    assert curve["risk"][-1] == pytest.approx(np.mean((scores > 0.5) != labels))


@pytest.mark.parametrize(
    ("scores", "spreads", "labels", "thresholds", "with_stability"),
    [
        ((0.1, 0.9), (0, 0), (0, 1), (1.0, 0.0), (1.0, 0.0)),
        ((0.1, 0.9), (0, 0), (1, 0), (1.0, 1.0), (1.0, 1.0)),
        ((0.1, 0.9, 0.5, 0.3), (0, 0, 0, 0), (0, 0, 1, 1), (0.5, 0.5), (0.5, 0.5)),  # 0.3 is not below 0.3
        ((0.1, 0.7, 0.5, 0.5), (0.2, 0.21, 0, 0), (0, 0, 1, 1), (0.5, 0.5), (0.25, 0.0)),  # nor 0.2 above 0.2
        ((0.1, 0.9), (0.5, 0.5), (0, 1), (1.0, 0.0), (0.0, None)),
        ((0.5, 0.4), (0, 0), (0, 1), (0.0, None), (0.0, None)),
    ],
)
def test_decisions(scores, spreads, labels, thresholds, with_stability):
    calibration = Calibration(1.0, {"0.05": 0.6, "0.01": 0.7, "0.001": 0.8}, 0.3, 0.2)
    found = decisions(np.array(scores), np.array(spreads), np.array(labels), calibration)
    assert {kind: (row["decided"], row["error"]) for kind, row in found.items()} == {
        "thresholds": thresholds, "with_stability": with_stability,
    }  # fmt: skip
