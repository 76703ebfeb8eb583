"""Figures for scores against labels. Choosing happens on `valid`; what is reported is measured on `test`."""

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from aiface.errors import DataError
from aiface.labels import AI, REAL, Answer, right_answers
from aiface.models.calibration import Calibration


def metrics(scores: np.ndarray, labels: np.ndarray, calibration: Calibration) -> dict[str, float]:
    """AUC, average precision, equal error rate and, of the answer AI against all others, accuracy and both error
    rates.

    `scores` `(n,)` P(AI), `labels` `(n,)`. Raises `DataError` if a class is missing.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
    _check_classes(labels)
    called_ai = calibration.answers(scores) == Answer.AI
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
    scores: np.ndarray, labels: np.ndarray, sources: Sequence[str] | np.ndarray, calibration: Calibration
) -> dict[str, dict[str, float]]:
    """For each AI source its `auc` against all reals, for each real source its `false_positive_rate`.

    Raises `DataError` if a class is missing.
    """
    scores, labels, sources = np.asarray(scores), np.asarray(labels), np.asarray(sources)
    _check_classes(labels)
    real = scores[labels == REAL]
    table: dict[str, dict[str, float]] = {}
    for source in np.unique(sources):
        row = table.setdefault(str(source), {})
        if len(fakes := scores[(sources == source) & (labels == AI)]):
            truth = np.r_[np.zeros(len(real)), np.ones(len(fakes))]
            row |= {"n_ai": len(fakes), "auc": float(roc_auc_score(truth, np.r_[real, fakes]))}
        if len(own := scores[(sources == source) & (labels == REAL)]):
            row |= {"n_real": len(own), "false_positive_rate": float(np.mean(calibration.answers(own) == Answer.AI))}
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


# Names of sets in words
NEVER_SEEN = {
    "modern": "pictures: other generators, other cameras",
    "talking": "clips: other talking heads, other cameras",
}


def unseen_table(unseen: Mapping[str, Mapping]) -> str:
    """What to expect of what the detector never saw, as a Markdown table.

    unseen: a card's `metrics.unseen`, by set, with shares of left-out faces, or of clips where these are judged as
    wholes, as `make unseen` measures them.
    """
    head = "| never seen in training | AUC | AI faces: called AI | called real | real faces: called real | called AI |"
    keys = ("fakes called AI", "fakes called real", "reals called real", "reals called AI")
    rows = [
        f"| {NEVER_SEEN.get(name, name)} | {row.get('clips', row['auc']):.2f} | "
        + " | ".join(f"{row[key]:.1%}" for key in keys)
        + " |"
        for name, row in unseen.items()
        if {"auc", *keys} <= set(row)  # not the sets that training saw, nor all together
    ]
    return "\n".join([head, "|---" * 6 + "|", *rows]) if rows else ""


def figures(scores: np.ndarray, labels: np.ndarray, calibration: Calibration) -> dict[str, float]:
    """The figures of the evaluation protocol: `auc`, `ap`, `eer`, `accuracy` (at P(AI) 0.5), `ece`, `tpr_at_fpr_1`,
    `tpr_at_fpr_01` (at 1 % and 0.1 % false positives among these faces), `fpr_at_1` (at the detector's stored 1 %
    threshold), `n_real`, `n_ai`.

    `scores` `(n,)` P(AI), `labels` `(n,)`. Raises `DataError` if a class is missing.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
    _check_classes(labels)
    return {
        "auc": float(roc_auc_score(labels, scores)),
        "ap": float(average_precision_score(labels, scores)),
        "eer": equal_error_rate(scores, labels),
        "accuracy": float(np.mean((scores >= 0.5) == (labels == AI))),
        "ece": expected_calibration_error(scores, labels),
        "tpr_at_fpr_1": true_positive_rate(scores, labels, 0.01),
        "tpr_at_fpr_01": true_positive_rate(scores, labels, 0.001),
        "fpr_at_1": float(np.mean(calibration.answers(scores[labels == REAL]) == Answer.AI)),
        "n_real": int(np.sum(labels == REAL)),
        "n_ai": int(np.sum(labels == AI)),
    }


def true_positive_rate(scores: np.ndarray, labels: np.ndarray, false_positive_rate: float) -> float:
    """The share of AI faces above the lowest threshold that at most `false_positive_rate` of these real faces reach."""
    reals = np.sort(scores[labels == REAL])[::-1]
    return float(np.mean(scores[labels == AI] > reals[min(int(false_positive_rate * len(reals)), len(reals) - 1)]))


def expected_calibration_error(scores: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Mean gap between P(AI) and the share of AI faces, over bins of equal width weighted by their faces.

    Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning".
    """
    index = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = np.bincount(index, scores - (labels == AI), minlength=bins)
    return float(np.abs(gaps).sum() / len(scores))


def coverage_risk(scores: np.ndarray, labels: np.ndarray, calibration: Calibration) -> dict[str, list[float]]:
    """Error among the faces that are decided, for each share of faces that is (El-Yaniv and Wiener 2010).

    The faces farthest from the middle of the inconclusive band, in logits, are decided first.
    """
    logits = np.log(np.clip(scores, 1e-7, None) / np.clip(1 - scores, 1e-7, None))
    band = np.array((calibration.real_below, calibration.ai_from))
    middle = float(np.mean(np.log(band / (1 - band))))
    order = np.argsort(-np.abs(logits - middle), kind="stable")
    wrong = ((logits > middle) != (labels == AI))[order]
    risk = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    steps = np.unique(np.linspace(0.1, 1.0, 19))
    index = np.maximum(1, np.round(steps * len(risk)).astype(int)) - 1
    return {"coverage": steps.round(3).tolist(), "risk": risk[index].tolist()}


def decisions(
    scores: np.ndarray, spreads: np.ndarray, labels: np.ndarray, calibration: Calibration
) -> dict[str, dict[str, float | None]]:
    """The share of faces `decided` and the `error` among them: by the `thresholds` alone, and `with_stability` too.

    `scores` `(n,)` P(AI), `spreads` `(n,)` how far each moves under mild changes (`Detector.spread`), `labels` `(n,)`.
    The error is None where nothing is decided.
    """
    kinds = {"thresholds": calibration.answers(scores), "with_stability": calibration.answers(scores, spreads)}
    return {kind: _decided(answers, labels) for kind, answers in kinds.items()}


def _decided(answers: np.ndarray, labels: np.ndarray) -> dict[str, float | None]:
    decided, wrong = answers != Answer.INCONCLUSIVE, answers != right_answers(labels)
    return {"decided": float(np.mean(decided)), "error": float(np.mean(wrong[decided])) if decided.any() else None}
