"""`python -m benchmarks.quality.pooling CLIPS...`: which pooling of a person's scores tells clips apart best.

Each set of clips (see `aiface.evaluation.clips`) is scored once, at the looks that a verdict rests on; then a clip's
score is that of its most suspicious person, pooled in each of several ways in logit space. Leave-one-clip-out says what
choosing among them is worth: the way with the least log loss on all other clips judges the one left out.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit, logit
from scipy.stats import trim_mean
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from aiface.analysis.pipeline import analyze_video
from aiface.analysis.result import Settings
from aiface.analysis.verdict import CLIP, MIN_FACES, TRIM
from aiface.errors import AifaceError
from aiface.evaluation.clips import Clip, list_clips
from aiface.evaluation.report import markdown_table
from aiface.faces.finder import FaceFinder, load_finder
from aiface.labels import AI, REAL, Answer, right_answers
from aiface.models.calibration import Calibration
from aiface.models.detector import Detector, load_detector
from aiface.paths import DETECTOR

TOP = (1, 3, 5, 8)
TRIMMED = "trimmed mean"
POOLINGS: dict[str, Callable[[np.ndarray], float]] = {
    TRIMMED: lambda logits: trim_mean(logits, TRIM),
    "mean": np.mean,
    "median": np.median,
} | {f"top {k}": lambda logits, k=k: np.sort(logits)[-k:].mean() for k in TOP}  # the most AI-like


@dataclass(frozen=True)
class Scored:
    """One clip: what it is, and the scores of the usable looks of each person with enough of them, `(n,)` each."""

    file: str
    label: int
    people: tuple[np.ndarray, ...]

    def pooled(self, pooling: str) -> float:
        """The clip's P(AI): its most suspicious person's."""
        logits = (logit(np.clip(scores, CLIP, 1 - CLIP)) for scores in self.people)
        return float(expit(max(POOLINGS[pooling](found) for found in logits)))


def score_clips(clips: Sequence[Clip], finder: FaceFinder, detector: Detector, settings: Settings) -> list[Scored]:
    """Those of the clips in which somebody can be judged. Raises `VideoError` for one that can't be read."""
    found = []
    for clip in clips:
        people = analyze_video(clip.path, finder, detector, settings).people
        usable = [np.array([s.score for s in person.each_look if s.flaw is None], np.float64) for person in people]
        found.append(Scored(clip.file, clip.label, tuple(scores for scores in usable if len(scores) >= MIN_FACES)))
    return [scored for scored in found if scored.people]


def log_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean over clips, in nats."""
    return float(-np.log(np.clip(np.where(labels == AI, scores, 1 - scores), CLIP, 1)).mean())


def leave_one_out(clips: Sequence[Scored]) -> list[str]:
    """For each clip the pooling that has the least log loss on all others; of equals the first of `POOLINGS`."""
    labels = np.array([clip.label for clip in clips])
    scores = {name: np.array([clip.pooled(name) for clip in clips]) for name in POOLINGS}
    others = ~np.eye(len(clips), dtype=bool)
    return [min(POOLINGS, key=lambda name: log_loss(scores[name][rest], labels[rest])) for rest in others]


def table(clips: Sequence[Scored], calibration: Calibration) -> str:
    """Each pooling's figures on all clips, how often it was chosen, and those of choosing, in Markdown."""
    labels, chosen = np.array([clip.label for clip in clips]), leave_one_out(clips)
    counts = Counter(chosen)
    rows = [
        [name, *_figures(np.array([clip.pooled(name) for clip in clips]), labels, calibration), counts[name]]
        for name in POOLINGS
    ]
    left_out = np.array([clip.pooled(name) for clip, name in zip(clips, chosen, strict=True)])
    rows.append(["chosen on the others", *_figures(left_out, labels, calibration), ""])
    return markdown_table(["pooling", "AUC", "log loss", "right", "inconclusive", "wrong", "chosen"], rows)


def _figures(scores: np.ndarray, labels: np.ndarray, calibration: Calibration) -> list:
    answers = calibration.answers(scores)
    unsure, right = answers == Answer.INCONCLUSIVE, answers == right_answers(labels)
    auc = f"{roc_auc_score(labels, scores):.2f}" if {REAL, AI} == set(labels.tolist()) else "one class"
    return [auc, f"{log_loss(scores, labels):.2f}", int(right.sum()), int(unsure.sum()), int((~right & ~unsure).sum())]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for all the clips together; 1 if they can't be judged."""
    parser = argparse.ArgumentParser(description="Compare ways to pool a person's scores.")
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIPS", help="a set of labelled clips")
    parser.add_argument("--detector", default=DETECTOR, metavar="BUNDLE", help="a detector's folder")
    parser.add_argument("--every-look", action="store_true", help="pool all looks, not only each person's best looks")
    options = parser.parse_args(arguments)
    settings = Settings(best_looks=None) if options.every_look else Settings()
    try:
        detector, finder = load_detector(options.detector), load_finder()
        clips = [clip for root in options.clips for clip in list_clips(root)]
        found = score_clips(tqdm(clips, disable=None), finder, detector, settings)
    except AifaceError as error:
        print(f"aiface: {error}", file=sys.stderr)
        return 1
    print(table(found, detector.calibration) if found else "nobody could be judged")
    return 0


if __name__ == "__main__":
    sys.exit(main())
