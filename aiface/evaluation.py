"""Figures for scores against labels. Choosing happens on `valid`; what is reported is measured on `test`."""

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from aiface.errors import DataError
from aiface.labels import AI, REAL


def metrics(scores: np.ndarray, labels: np.ndarray, threshold: float) -> dict[str, float]:
    """AUC, average precision, equal error rate and, at `threshold`, accuracy and both error rates.

    `scores` `(n,)` P(AI), `labels` `(n,)`. Raises `DataError` if a class is missing.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
    _check_classes(labels)
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


def _check_classes(labels: np.ndarray) -> None:
    if set(labels.tolist()) != {REAL, AI}:
        raise DataError(f"expected scores of both classes, found labels {sorted(set(labels.tolist()))}")


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
    """For each AI source its `auc` against all reals, for each real source its `false_positive_rate`.

    Raises `DataError` if a class is missing.
    """
    scores, labels, sources = np.asarray(scores), np.asarray(labels), np.asarray(sources)
    _check_classes(labels)
    real, table = scores[labels == REAL], {}
    for source in np.unique(sources):
        row = table.setdefault(str(source), {})
        if len(fakes := scores[(sources == source) & (labels == AI)]):
            truth = np.r_[np.zeros(len(real)), np.ones(len(fakes))]
            row |= {"n_ai": len(fakes), "auc": float(roc_auc_score(truth, np.r_[real, fakes]))}
        if len(own := scores[(sources == source) & (labels == REAL)]):
            row |= {"n_real": len(own), "false_positive_rate": float(np.mean(own >= threshold))}
    return table


def summary_table(measured: Mapping) -> str:
    """Figures of `metrics`, with `groups` and `sources` in it, as a Markdown table."""
    false_positives = measured["false_positive_rate"]
    lines = ["| test faces | real | AI | AUC | called AI though real |", "|---|---|---|---|---|"]
    lines.append(f"| all | {measured['n_real']} | {measured['n_ai']} | {measured['auc']:.3f} | {false_positives:.1%} |")
    for source, row in measured["sources"].items():
        auc = f"{row['auc']:.3f}" if "auc" in row else ""
        rate = f"{row['false_positive_rate']:.1%}" if "false_positive_rate" in row else ""
        lines.append(f"| {source} | {row.get('n_real', '')} | {row.get('n_ai', '')} | {auc} | {rate} |")
    return "\n".join(lines)
