"""From the scores of single faces to one verdict per person, and from people to one verdict per input.

Three answers: `real`, `ai`, `inconclusive`. No face is never a score.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from aiface.analysis.look import COVERED, TOO_BLURRED, TOO_SMALL, Look
from aiface.labels import Answer
from aiface.models.calibration import Calibration, Likelihood, expit, logit

MIN_FACES = 3  # a person in a video is not judged on fewer
TRIM = 0.1  # share of the lowest and of the highest scores that the pooled score leaves out
CLIP = 1e-6  # keeps logits finite

NO_FACE = "no face found"
TOO_FEW = f"too few frames (under {MIN_FACES} usable)"
BETWEEN = "the score lies between the thresholds"
UNSTABLE = "unstable: the score moves when the face is mirrored or re-encoded"
NOT_A_PHOTOGRAPH = "not a photograph: drawn, painted or filtered to look so"
_UNJUDGED = {NO_FACE, TOO_SMALL, TOO_BLURRED, COVERED, TOO_FEW, NOT_A_PHOTOGRAPH}

Spans = tuple[tuple[float, float], ...]  # of time: start and end in seconds


@dataclass(frozen=True)
class Verdict:
    """An answer and what it rests on.

    score: pooled P(AI), or None if there was no face to score. interval: the middle 80 % of the single faces'
    scores, or None for one face: how steady they were, not how sure the answer is. faces: number judged.
    ai_spans: when in a clip the person looks generated, pairs of start and end in seconds (`ai_spans`). likelihood:
    what the score is worth as evidence; None where it doesn't count, or the detector tells none.
    """

    answer: Answer
    score: float | None
    interval: tuple[float, float] | None = None
    faces: int = 0
    reasons: tuple[str, ...] = ()
    ai_spans: Spans = ()
    likelihood: Likelihood | None = None

    def __str__(self) -> str:
        """The answer, what it rests on, and why there is no other: `real, P(AI) 0.05 from 16 faces`."""
        score = "" if self.score is None else f", P(AI) {self.score:.2f} from {self.faces} faces"
        return f"{self.answer}{score}" + (f" ({'; '.join(self.reasons)})" if self.reasons else "")


_NOBODY = Verdict(Answer.INCONCLUSIVE, None, reasons=(NO_FACE,))


def judge_person(
    looks: Sequence[Look], calibration: Calibration, moving: bool, spread: float | None = None, art: bool = False
) -> Verdict:
    """One person's verdict from scored looks at their face; `moving` for a video, where one look is not enough.

    Faces that can't be judged don't count; if no other is left, they give the score but no verdict. `spread` is how
    far the score moves when the face is mirrored or re-encoded (`Detector.spread`), None where it was not measured.
    `art`: the face is drawn or painted (`aiface.faces.photograph`), of which the score says nothing.
    """
    if not looks:
        return _NOBODY
    usable = [look for look in looks if look.flaw is None]
    scores = np.array([look.score for look in usable or looks], np.float64)
    pooled = pool(scores)
    interval = _middle(scores)
    if art and sum(look.legible for look in looks) >= (MIN_FACES if moving else 1):
        return Verdict(Answer.INCONCLUSIVE, pooled, interval, len(usable), (NOT_A_PHOTOGRAPH,))
    if not usable:
        reasons = tuple(sorted({look.flaw for look in looks if look.flaw}))
        return Verdict(Answer.INCONCLUSIVE, pooled, interval, 0, reasons)
    if moving and len(usable) < MIN_FACES:
        return Verdict(Answer.INCONCLUSIVE, pooled, interval, len(usable), (TOO_FEW,))
    calibration = calibration.of(moving)
    answer = calibration.answer(pooled, spread)
    stable = answer == calibration.answer(pooled)
    reasons = (BETWEEN if stable else UNSTABLE,) if answer == Answer.INCONCLUSIVE else ()
    likelihood = calibration.likelihood(pooled) if stable else None
    return Verdict(answer, pooled, interval, len(usable), reasons, likelihood=likelihood)


def _middle(scores: np.ndarray) -> tuple[float, float] | None:
    low, high = np.quantile(scores, (0.1, 0.9))
    return (float(low), float(high)) if len(scores) > 1 else None


def pool(scores: np.ndarray) -> float:
    """Trimmed mean of scores `(n,)` in logit space, back as P(AI).

    Nine labelled clips gave no reason for another (`python -m benchmarks.quality.pooling`): mean, median and the mean
    of the k highest had an AUC of 0.40 to 0.50, this 0.45; the best of all by eight clips judged the ninth with a log
    loss of 2.04, this with 1.69.
    """
    cut = int(TRIM * len(scores))
    return float(expit(np.sort(logit(np.clip(scores, CLIP, 1 - CLIP)))[cut : len(scores) - cut].mean()))


def ai_spans(looks: Iterable[Look], calibration: Calibration, first: float, last: float) -> Spans:
    """The spans of time in which a person looks generated: start and end in seconds, in order.

    looks: scored looks in the order of time. first, last: when the person was first and last seen, in seconds.

    Each usable look is pooled with its neighbours, three in all, as no fewer make a verdict; with fewer than three
    there are no spans. It stands for the time that is nearer to it than to another. Where its pooled score reaches the
    AI thresholds of a clip and of a single face that time looks generated, and such times that touch are one span.
    """
    usable = [look for look in looks if look.flaw is None]
    if len(usable) < MIN_FACES:
        return ()
    scores = np.array([look.score for look in usable])
    starts = np.clip(np.arange(len(usable)) - MIN_FACES // 2, 0, len(usable) - MIN_FACES)
    pooled = np.array([pool(scores[at : at + MIN_FACES]) for at in starts])
    high = np.all([calibration.of(moving).answers(pooled) == Answer.AI for moving in (True, False)], axis=0)
    borders = [first, *((a.time + b.time) / 2 for a, b in pairwise(usable)), last]
    runs = [(found, list(indices)) for found, indices in groupby(range(len(usable)), key=high.__getitem__)]
    return tuple((borders[run[0]], borders[run[-1] + 1]) for found, run in runs if found)


def judge_input(people: Sequence[Verdict]) -> Verdict:
    """The verdict on an image or a clip: its most suspicious person's, by answer and then by score.

    One AI face makes the input `ai`, and one that stays inconclusive keeps it from `real`. People who could not be
    judged (too small, too blurred, too short in view, drawn) don't, as long as someone could.
    """
    if not people:
        return _NOBODY
    judged = [person for person in people if not _UNJUDGED & set(person.reasons)]
    return max(judged or people, key=lambda person: (person.answer.suspicion(), person.score))
