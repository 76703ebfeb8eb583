"""From the scores of single faces to one verdict per person, and from people to one verdict per input.

Three answers: `real`, `ai`, `inconclusive`. No face is never a score.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aiface.faces.crop import Quad
from aiface.labels import Answer
from aiface.models.calibration import Calibration
from aiface.models.logits import expit, logit

MIN_SIDE = 64  # pixels of the source under the crop: training never saw less
MIN_SHARPNESS = 1.5  # of `aiface.faces.crop.sharpness`: half the faces fall below it at the heaviest blur of training
MIN_FACES = 3  # a person in a video is not judged on fewer
TRIM = 0.1  # share of the lowest and of the highest scores that the pooled score leaves out
CLIP = 1e-6  # keeps logits finite

NO_FACE = "no face found"
TOO_SMALL = f"face too small (under {MIN_SIDE} pixels across the crop)"
TOO_BLURRED = "face too blurred"
TOO_FEW = f"too few frames (under {MIN_FACES} usable)"
BETWEEN = "the score lies between the thresholds"
UNSTABLE = "unstable: the score moves when the face is mirrored or re-encoded"
_UNJUDGED = {NO_FACE, TOO_SMALL, TOO_BLURRED, TOO_FEW}


@dataclass(slots=True)
class Sighting:
    """One look at one person's face.

    time: seconds from the start. box: x, y, width, height in pixels of the frame. score: P(AI), None until somebody
    asks for it. side: pixels of the source along the crop's side. sharpness: of the crop, see
    `aiface.faces.crop.sharpness`. frontality: see `aiface.analysis.best_looks.frontality`. crop: RGB uint8 `(256, 256,
    3)`, None where it is kept no longer. quad: where in the frame that was taken from.
    """

    time: float
    box: tuple[float, float, float, float]
    score: float | None
    side: float
    sharpness: float
    frontality: float = 1.0
    crop: np.ndarray | None = field(default=None, compare=False, repr=False)
    quad: Quad | None = field(default=None, compare=False, repr=False)

    @property
    def flaw(self) -> str | None:
        """Why this face can't be judged, or None if it can."""
        if self.side < MIN_SIDE:
            return TOO_SMALL
        return TOO_BLURRED if self.sharpness < MIN_SHARPNESS else None


@dataclass(frozen=True)
class Verdict:
    """An answer and what it rests on.

    score: pooled P(AI), or None if there was no face to score. interval: the middle 80 % of the single faces'
    scores, or None for one face: how steady they were, not how sure the answer is. faces: number judged.
    ai_spans: when in a clip the person looks generated, pairs of start and end in seconds (`aiface.analysis.spans`).
    """

    verdict: Answer
    score: float | None
    interval: tuple[float, float] | None = None
    faces: int = 0
    reasons: tuple[str, ...] = ()
    ai_spans: tuple[tuple[float, float], ...] = ()


_NOBODY = Verdict(Answer.INCONCLUSIVE, None, reasons=(NO_FACE,))


def judge_person(
    sightings: Sequence[Sighting], calibration: Calibration, moving: bool, spread: float | None = None
) -> Verdict:
    """One person's verdict from scored looks at their face; `moving` for a video, where one look is not enough.

    Faces that can't be judged don't count; if no other is left, they give the score but no verdict. `spread` is how
    far the score moves when the face is mirrored or re-encoded (`Detector.spread`), None where it was not measured.
    """
    if not sightings:
        return _NOBODY
    usable = [s for s in sightings if s.flaw is None]
    scores = np.array([s.score for s in usable or sightings], np.float64)
    pooled = pool(scores)
    interval = tuple(map(float, np.quantile(scores, (0.1, 0.9)))) if len(scores) > 1 else None
    if not usable:
        reasons = tuple(sorted({s.flaw for s in sightings}))
        return Verdict(Answer.INCONCLUSIVE, pooled, interval, 0, reasons)
    if moving and len(usable) < MIN_FACES:
        return Verdict(Answer.INCONCLUSIVE, pooled, interval, len(usable), (TOO_FEW,))
    answer = calibration.answer(pooled, spread)
    reason = BETWEEN if answer == calibration.answer(pooled) else UNSTABLE
    return Verdict(answer, pooled, interval, len(usable), (reason,) if answer == Answer.INCONCLUSIVE else ())


def pool(scores: np.ndarray) -> float:
    """Trimmed mean of scores `(n,)` in logit space, back as P(AI).

    Nine labelled clips gave no reason for another (`python -m benchmarks.quality.pooling`): mean, median and the mean
    of the k highest had an AUC of 0.40 to 0.50, this 0.45; the best of all by eight clips judged the ninth with a log
    loss of 2.04, this with 1.69.
    """
    cut = int(TRIM * len(scores))
    return float(expit(np.sort(logit(np.clip(scores, CLIP, 1 - CLIP)))[cut : len(scores) - cut].mean()))


def judge_input(people: Sequence[Verdict]) -> Verdict:
    """The verdict on an image or a clip: its most suspicious person's, by verdict and then by score.

    One AI face makes the input `ai`, and one that stays inconclusive keeps it from `real`. People who could not be
    judged (too small, too blurred, too short in view) don't, as long as someone could.
    """
    if not people:
        return _NOBODY
    judged = [person for person in people if not _UNJUDGED & set(person.reasons)]
    return max(judged or people, key=lambda person: (person.verdict.suspicion(), person.score))
