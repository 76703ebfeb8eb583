"""Figures for scores against labels. Choosing happens on `valid`; what is reported is measured on `test`."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from aiface.errors import DataError
from aiface.labels import AI, REAL


def metrics(scores: np.ndarray, labels: np.ndarray, threshold: float) -> dict[str, float]:
    """AUC, average precision, equal error rate and, at `threshold`, accuracy and both error rates.

    `scores` `(n,)` P(AI), `labels` `(n,)`. Raises `DataError` if a class is missing.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
    if set(labels.tolist()) != {REAL, AI}:
        raise DataError(f"expected scores of both classes, found labels {sorted(set(labels.tolist()))}")
    called_ai = scores >= threshold
    return {
        "auc": float(roc_auc_score(labels, scores)),
        "ap": float(average_precision_score(labels, scores)),
        "eer": equal_error_rate(scores, labels),
        "accuracy": float(np.mean(called_ai == (labels == AI))),
        "false_positive_rate": float(np.mean(called_ai[labels == REAL])),
        "false_negative_rate": float(np.mean(~called_ai[labels == AI])),
        "n_real": int(np.sum(labels == REAL)),
        "n_ai": int(np.sum(labels == AI)),
    }


def equal_error_rate(scores: np.ndarray, labels: np.ndarray) -> float:
    """The error rate at the threshold where false positives and misses are equally frequent.

    Between two points of the ROC curve it is interpolated, as in the biometric literature.
    """
    false_positive, true_positive, _ = roc_curve(labels, scores, drop_intermediate=False)
    gap = (1 - true_positive) - false_positive  # falls from 1 to -1 along the curve
    return float(np.interp(0.0, gap[::-1], false_positive[::-1]))


def by_source(
    scores: np.ndarray, labels: np.ndarray, sources: Sequence[str], threshold: float
) -> dict[str, dict[str, float]]:
    """For each AI source its `auc` against all reals, for each real source its `false_positive_rate`."""
    scores, labels, sources = np.asarray(scores), np.asarray(labels), np.asarray(sources)
    real, table = scores[labels == REAL], {}
    for source in np.unique(sources):
        row = table.setdefault(str(source), {})
        if len(fakes := scores[(sources == source) & (labels == AI)]):
            truth = np.r_[np.zeros(len(real)), np.ones(len(fakes))]
            row |= {"n_ai": len(fakes), "auc": float(roc_auc_score(truth, np.r_[real, fakes]))}
        if len(own := scores[(sources == source) & (labels == REAL)]):
            row |= {"n_real": len(own), "false_positive_rate": float(np.mean(own >= threshold))}
    return table
