"""What left-out folds say of a recipe: figures by set, thresholds that hold, and their table."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from aiface.evaluation.likelihood import cllr, fit_ratios
from aiface.evaluation.metrics import expected_calibration_error, true_positive_rate
from aiface.io.files import write_text
from aiface.labels import AI, REAL, Answer
from aiface.models.calibration import (
    AI_RATE,
    FALSE_POSITIVE_RATES,
    MISS_RATE,
    Calibration,
    expit,
    missed_until,
    threshold_at,
    tolerance,
)
from aiface.paths import ROOT
from benchmarks.quality.unseen import SETS, Scores, read

LEAST = 8  # pictures of a source that is named the worst, or counts in the mean over sources
LEAST_CLIPS = 30  # of a class, for limits of their own
LEAST_SLOPE = 1e-3
MOVING = ("talking",)  # sets of frames; the others hold pictures
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def auc(real: np.ndarray, fake: np.ndarray) -> float:
    """AUC of two samples of logits; NaN where one is empty."""
    if not len(real) or not len(fake):
        return float("nan")
    return float(roc_auc_score(np.r_[np.zeros(len(real)), np.ones(len(fake))], np.r_[real, fake]))


def joined(folds: Sequence[Scores]) -> Scores:
    """All folds' rows."""
    return Scores(*(np.concatenate(columns) for columns in zip(*(vars(s).values() for s in folds), strict=True)))


def by_clip(scores: Scores) -> Scores:
    """One row for each clip, with the mean logit of its frames."""
    _, first, inverse = np.unique(scores.clip, return_index=True, return_inverse=True)
    mean = np.bincount(inverse, scores.logits) / np.bincount(inverse)
    return Scores(*(column[first] for column in list(vars(scores).values())[:-1]), mean)


def source_aucs(folds: Sequence[Scores]) -> dict[str, float]:
    """AUC of each AI source with enough pictures against the reals of its own fold: one network scored both."""
    found = {}
    for scores in folds:
        real = scores.logits[scores.label == REAL]
        for source in np.unique(scores.source[scores.label == AI]):
            fake = scores.logits[(scores.source == source) & (scores.label == AI)]
            if len(fake) >= LEAST:
                found[str(source)] = auc(real, fake)
    return found


def calibrate(folds: Sequence[Scores]) -> tuple[Calibration, float]:
    """How to read logits, and what to add to them first, from left-out scores.

    Each class and each set weigh the same. "Real" is below what at most a tenth of fakes lie under (`missed_until`),
    "AI" from where on at most 1 % of reals lie, both with 95 % confidence. Clips, judged by the mean of their looks,
    have limits of their own where there are enough.
    """
    scores = joined(folds)
    kinds = np.char.add(scores.set, scores.label.astype(str))
    _, inverse, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    model = LogisticRegression(C=1e6).fit(scores.logits[:, None], scores.label, sample_weight=1 / counts[inverse])
    slope = max(float(model.coef_[0, 0]), LEAST_SLOPE)  # logits that run the wrong way tell nothing
    by = float(model.intercept_[0]) / slope
    scores = replace(scores, logits=(scores.logits + by) * slope)
    moving, limits = np.isin(scores.set, MOVING), _limits(scores)
    if moving.all() or not moving.any():
        return Calibration(1 / slope, **limits, unstable_above=1.0), by
    clips = by_clip(scores.where(moving))
    if min(np.bincount(clips.label, minlength=2)) >= LEAST_CLIPS:
        limits |= _bounds(clips)
    return Calibration(1 / slope, **limits, unstable_above=1.0, stills=_limits(scores.where(~moving))), by


def _limits(scores: Scores) -> dict:
    p, ai = expit(scores.logits).astype(np.float32), scores.label == AI
    thresholds = {str(rate): threshold_at(p[~ai], rate) for rate in FALSE_POSITIVE_RATES}
    below = min(missed_until(p[ai], scores.source[ai]), thresholds[str(AI_RATE)])
    return {"thresholds": thresholds, "real_below": below, "ratios": fit_ratios(p, scores.label, scores.source)}


def _bounds(clips: Scores) -> dict:
    """Thresholds of clips as tolerance bounds: too few to show by counting that one in a hundred is wrong."""
    real, fake = (clips.logits[clips.label == label] for label in (REAL, AI))
    thresholds = {str(rate): float(np.float32(expit(tolerance(real, rate)))) for rate in FALSE_POSITIVE_RATES}
    below = float(expit(-tolerance(-fake, MISS_RATE)))
    return {"thresholds": thresholds, "real_below": min(below, thresholds[str(AI_RATE)])}


def decided(folds: Sequence[Sequence[Scores]]) -> dict[str, dict[str, float]]:
    """What thresholds fitted on the other folds give on each, counted over the folds: by set, and `unseen` of all.

    Clips are judged as wholes, by the mean of their looks.

    `folds`: of each fold, the scores of one or more sets.
    """
    rows: dict[str, list[np.ndarray]] = {}
    for number, sets in enumerate(folds):
        fitted, by = calibrate([s for n, f in enumerate(folds) if n != number for s in f])
        for faces in sets:
            moving = str(faces.set[0]) in MOVING
            scores, reading = by_clip(faces) if moving else faces, fitted.of(moving)
            p = fitted.probability(scores.logits + by)
            answers = reading.answers(p)
            ratios = [np.log10(reading.likelihood(score).ratio) for score in p.tolist()]
            told = np.c_[scores.label, answers == Answer.REAL, answers == Answer.AI, p, ratios]
            for name in ("unseen", str(scores.set[0])):
                rows.setdefault(name, []).append(told)
    return {name: _shares(*np.concatenate(told).T) for name, told in rows.items()}


def _shares(label: np.ndarray, real: np.ndarray, ai: np.ndarray, p: np.ndarray, ratios: np.ndarray) -> dict[str, float]:
    return {
        "fakes called real": float(real[label == AI].mean()),
        "fakes called AI": float(ai[label == AI].mean()),
        "reals called real": float(real[label == REAL].mean()),
        "reals called AI": float(ai[label == REAL].mean()),
        "decided": float((real + ai).mean()),
        "ece": expected_calibration_error(p, label),
        "cllr": cllr(ratios, label),
    }


def figures(folds: Sequence[Scores]) -> dict[str, dict[str, float | str]]:
    """By set: AUC over left-out sources (`macro`), of all together (`auc`, mean of folds), by clip, TPR at 1 % FPR."""
    found: dict[str, dict[str, float | str]] = {}
    for name in np.unique(np.concatenate([scores.set for scores in folds])).tolist():
        parts = [scores.where(scores.set == name) for scores in folds]
        unseen = bool(parts[0].unseen.any())
        if not unseen:  # a k-th of the validation split each
            found[name] = {"auc": float(np.mean([_auc(part) for part in parts]))}
            continue
        sources = source_aucs(parts)
        worst = min(sources, key=sources.get, default="")
        found[name] = {
            "macro": float(np.mean(list(sources.values()))),
            "auc": float(np.mean([_auc(part) for part in parts])),
            "tpr": float(np.mean([true_positive_rate(part.logits, part.label, 0.01) for part in parts])),
            "worst": f"{worst} {sources.get(worst, float('nan')):.2f}",
        }
        clips = [by_clip(part) for part in parts]
        if sum(map(len, (c.label for c in clips))) < sum(len(p.label) for p in parts):
            found[name] |= {"clips": float(np.mean([_auc(part) for part in clips]))}
            found[name] |= {"learnt": learnt_step(parts)}
    together = [[s.where((s.set == n) & s.unseen) for n in np.unique(s.set[s.unseen])] for s in folds]
    if all(together):
        for name, shares in decided(together).items():
            found[name] = found.get(name, {}) | shares
    return found


def _auc(scores: Scores) -> float:
    return auc(scores.logits[scores.label == REAL], scores.logits[scores.label == AI])


def clip_features(scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Of each clip the mean, quantiles and spread of its looks' logits, `(c, 7)`, and its label `(c,)`."""
    clips, first = np.unique(scores.clip, return_index=True)
    looks = [scores.logits[scores.clip == clip] for clip in clips]
    rows = [[one.mean(), *np.quantile(one, QUANTILES), one.std()] for one in looks]
    return np.array(rows), scores.label[first]


def learnt_step(folds: Sequence[Scores]) -> float:
    """AUC by clip of a logistic regression on `clip_features`, fitted on the other folds: mean over the folds."""
    data = [clip_features(part) for part in folds]
    found = []
    for number, (x, y) in enumerate(data):
        others = [d for n, d in enumerate(data) if n != number]
        train, labels = np.concatenate([d[0] for d in others]), np.concatenate([d[1] for d in others])
        mean, scale = train.mean(0), train.std(0) + 1e-6
        model = LogisticRegression(C=0.1, class_weight="balanced").fit((train - mean) / scale, labels)
        p = model.decision_function((x - mean) / scale)
        found.append(auc(p[y == REAL], p[y == AI]))
    return float(np.mean(found))


def ensemble(trials: Sequence[Sequence[Scores]]) -> list[Scores]:
    """The mean logit of several trials' folds, which must have scored the same crops."""
    return [
        Scores(*list(vars(f[0]).values())[:-1], np.mean([s.logits for s in f], axis=0))
        for f in zip(*trials, strict=True)
    ]


COLUMNS = (
    ("modern", "macro"), ("modern", "auc"), ("modern", "tpr"), ("modern", "worst"),
    ("talking", "macro"), ("talking", "auc"), ("talking", "clips"), ("talking", "learnt"),
    ("talking", "tpr"), ("talking", "worst"),
    ("talking", "fakes called real"), ("talking", "fakes called AI"), ("talking", "reals called AI"),
    ("talking", "decided"),
    ("unseen", "fakes called real"), ("unseen", "fakes called AI"), ("unseen", "reals called AI"),
    ("unseen", "decided"), ("unseen", "ece"), ("unseen", "cllr"),
    ("deepfake", "auc"), ("faces140k", "auc"), ("wild", "auc"),
)  # fmt: skip


def table(rows: Mapping[str, Mapping]) -> str:
    """Markdown of several trials' figures."""
    lines = ["| trial | " + " | ".join(" ".join(c) for c in COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, found in rows.items():
        cells = [found.get(a, {}).get(b, "") for a, b in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(c if isinstance(c, str) else f"{c:.3f}" for c in cells) + " |")
    return "\n".join(lines)


PAGE = """# On generators and cameras that no training saw

Written by `make unseen`. All sources of {sets} are dealt out over folds, relatives together; each fold's network
never saw its own, starting from the detector of 0.1.0 (`shipped-0`), which saw none of them. AUC is taken within a
fold: `macro` is the mean over left-out AI sources, each against the left-out reals of its set, `auc` of all together,
`tpr` at 1 % false positives, `clips` by the mean of a clip's looks, `learnt` by logistic regression on them.
Thresholds and calibration of a fold are fitted on the others. deepfake, faces140k and wild are seen sets, on faces
held out of training.

{table}

One seed each: differences under about 0.02 say nothing. `docs/EXPERIMENTS.md` tells what each trial is.
"""


def main() -> None:
    """Write the page of the trials whose folds were all scored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of trials, such as runs/unseen/*")
    parser.add_argument("--folds", default=3, type=int)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "measured")
    options = parser.parse_args()
    found = {run.name: sorted(run.glob("fold-*/scores.csv")) for run in options.runs}
    rows = {
        name: figures([read(path) for path in paths]) for name, paths in found.items() if len(paths) == options.folds
    }
    write_text(options.out / "UNSEEN.md", PAGE.format(sets=" and ".join(SETS), table=table(rows)))


if __name__ == "__main__":
    main()
