import numpy as np
import pytest

from aiface.evaluation import metrics, resampling
from aiface.evaluation.resampling import bootstrap, figures
from aiface.models.calibration import Calibration

CALIBRATION = Calibration(1.0, {"0.05": 0.6, "0.01": 0.7, "0.001": 0.8}, 0.3, 1.0)


def scored(n, decimals, seed=3):
    """Scores of n faces, so coarse that many are equal, or not, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    return np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1).round(decimals), labels


def one_by_one(scores, labels, resamples, seed=0):
    """The same draws, each measured by itself."""
    rng, classes = np.random.default_rng(seed), [np.flatnonzero(labels == label) for label in (0, 1)]
    for _ in range(resamples):
        drawn = np.concatenate([rng.choice(index, len(index)) for index in classes])
        yield metrics.figures(scores[drawn], labels[drawn], CALIBRATION)


@pytest.mark.parametrize(("n", "decimals"), [(7, 1), (60, 1), (60, 9), (400, 2)])
@pytest.mark.parametrize("at_once", [1, 900, 2_000_000])
def test_each_resample_is_measured_as_by_itself(monkeypatch, n, decimals, at_once):
    monkeypatch.setattr(resampling, "AT_ONCE", at_once)
    scores, labels = scored(n, decimals)
    alone = list(one_by_one(scores, labels, 50))
    together = [figures(drawn, CALIBRATION) for drawn in resampling._resampled(scores, labels, 50, 0)]
    for key in together[0]:
        found = np.concatenate([part[key] for part in together])
        assert found == pytest.approx([row[key] for row in alone], abs=1e-12), key


def test_intervals_are_quantiles_of_what_is_drawn():
    scores, labels = scored(100, 2)
    found = bootstrap(lambda drawn: figures(drawn, CALIBRATION), scores, labels, 200, seed=5)
    alone = list(one_by_one(scores, labels, 200, seed=5))
    for key, interval in found.items():
        assert interval == pytest.approx(np.quantile([row[key] for row in alone], (0.025, 0.975)), abs=1e-12), key


def test_bootstrap_intervals_hold_the_truth_about_as_often_as_they_say():
    """Scores of two normal distributions a unit apart have AUC 0.760; 50 intervals of 95 % should hold it 44+ times."""
    rng, held = np.random.default_rng(0), 0
    for seed in range(50):
        labels = np.repeat((0, 1), 80)
        low, high = bootstrap(lambda drawn: {"auc": drawn.auc()}, rng.normal(labels, 1.0), labels, 100, seed)["auc"]
        held += low <= 0.760 <= high
    assert 42 <= held <= 50
