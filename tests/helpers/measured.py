"""A detector that knows what makes a tree's AI pictures, and made-up scores for tests of what is told about them."""

import numpy as np

from aiface.evaluation.clips import clip_figures
from aiface.evaluation.protocol import Measured, Scored, summary
from aiface.evaluation.robustness import CURVES, Degraded
from aiface.models.calibration import Calibration

CALIBRATION = Calibration(1.0, {"0.05": 0.6, "0.01": 0.7, "0.001": 0.8}, 0.3, 0.2)
CARD = {
    "name": "checker",
    "sha256": "0" * 64,
    "crop_version": "1",
    "training": {"summary": "It looks for squares."},
    "calibration": {
        "thresholds": dict(CALIBRATION.thresholds), "real_below": 0.3, "temperature": 1.0, "unstable_above": 0.2,
    },
}  # fmt: skip


class CheckerDetector:
    """Scores the checkerboard that makes a tree's AI pictures: the share of energy at its frequency.

    Dark pictures count as unsteady, for no reason.
    """

    calibration, name, card = CALIBRATION, "checker", CARD

    def score(self, crops):
        rows, columns = np.indices(crops.shape[1:3]) // 4
        board = ((rows + columns) % 2 * 2 - 1)[None, :, :, None]
        return (1 / (1 + np.exp(4 - np.abs((crops * board).mean(axis=(1, 2, 3)))))).astype(np.float32)

    def measure(self, crops):
        return self.score(crops), np.float32(crops.mean(axis=(1, 2, 3)) < 100)


def scored(sources, gap=0.4, seed=0):
    """Made-up scores, `gap` apart in the mean: `sources` names each source's number of real and of AI faces."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1] * len(sources), [number for pair in sources.values() for number in pair])
    names = np.repeat(list(sources), [sum(pair) for pair in sources.values()])
    scores = np.clip(rng.normal(0.3 + gap * labels, 0.15), 0, 1).astype(np.float32)
    return Scored(scores, np.float32(rng.uniform(0, 0.3, len(labels))), labels, names, left_out=2)


def clip_rows(*verdicts):
    """Rows of clips from pairs of label and verdict, the score being the verdict's."""
    scores = {"real": 0.1, "ai": 0.9, "inconclusive": 0.5}
    return [
        {"file": f"{number}.mp4", "label": label, "verdict": verdict, "score": scores[verdict], "people": [{}],
         "reasons": ["too | dark"]}
        for number, (label, verdict) in enumerate(verdicts)
    ]  # fmt: skip


def clips(*verdicts, errors=None):
    """What `judge_clips` returns for such rows."""
    rows, errors = clip_rows(*verdicts), errors or {}
    return clip_figures(rows, 20) | {"left_out": len(errors), "errors": errors, "rows": rows}


def degraded(sets):
    """Each degradation takes its strength's rank off the gap between the classes."""
    scores, labels = (np.concatenate([getattr(s, key) for s in sets.values()]) for key in ("scores", "labels"))
    names = np.concatenate([np.full(len(s.labels), name) for name, s in sets.items()])
    steps = {
        kind: {"clean": scores} | {f"{at:g}": scores - 0.1 * n * labels for n, at in enumerate(curve, start=1)}
        for kind, curve in CURVES.items()
    }
    return Degraded(steps, labels, names)


def made_up(sets, clips=None, resamples=20):
    """The protocol's result for made-up sets, degraded too, and clips."""
    return summary(CheckerDetector(), Measured(sets, degraded(sets) if sets else None, clips or {}), resamples)
