"""A verdict to show while watching: of the last looks, and without flicker. A final verdict has no part in this."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from aiface.analysis.look import Look
from aiface.analysis.verdict import CLIP, MIN_FACES, Verdict, judge_person
from aiface.labels import Answer
from aiface.models.calibration import Calibration, expit, logit

RECENT = 2.0  # seconds of looks that are pooled, so that a face that changes is noticed
LOOKS = 2 * MIN_FACES  # at least so many, however slowly they come
MOST = 64  # and at most
MARGIN = 1.0  # in logits: a pooled score this far beyond a threshold changes the verdict at once
HOLD = 3.0  # seconds: one that stays beyond it by less does so after this time
EVERY = 0.3  # seconds from one scored look to the next of who has a verdict: of five a second each second one


@dataclass
class _Watched:
    """What is shown of a person, when a look last agreed with it, and the last looks."""

    agreed: float
    shown: Verdict | None = None
    looks: deque[Look] = field(default_factory=lambda: deque(maxlen=MOST))


class SteadyVerdicts:
    """The verdicts shown on people, with hysteresis (a Schmitt trigger with two thresholds, and a time limit).

    A verdict changes when the score pooled over the last 2 s lies beyond the threshold by 1 logit, or when it has
    stayed beyond it for 3 s. While faces can't be judged the last verdict stays, for as long.
    """

    def __init__(self, calibration: Calibration):
        self._calibration = calibration
        self._watched: dict[int, _Watched] = {}

    def __call__(self, id: int, look: Look) -> Verdict | None:
        """What to show of a person after another scored look at them; None until three were good enough."""
        now = look.time
        person = self._watched.setdefault(id, _Watched(agreed=now))
        found: Verdict | None = judge_person(_recent(person.looks, look), self._calibration, moving=True)
        if found and found.faces < MIN_FACES:
            found = None
        shown = person.shown if person.shown and now - person.agreed < HOLD else found
        if found and found.score is not None and shown and shown is person.shown:
            shown = replace(found, answer=self._within_reach(shown.answer, found.score))
        person.shown = shown
        if (shown and shown.answer) == (found and found.answer):
            person.agreed = now
        return shown

    def wants(self, id: int, time: float) -> bool:
        """Whether a look at this time is worth its score: there is no verdict yet, or the last look was a while ago."""
        return self.last(id) is None or time - self._watched[id].looks[-1].time >= EVERY - 1e-6

    def last(self, id: int) -> Verdict | None:
        """What is shown of a person, without another look."""
        return self._watched[id].shown if id in self._watched else None

    def forget(self, id: int) -> None:
        """Let go of a person who won't come again."""
        self._watched.pop(id, None)

    def _within_reach(self, shown: Answer, score: float) -> Answer:
        """The answer nearest to the one shown that a score within the margin of this one gives."""
        at = logit(min(max(score, CLIP), 1 - CLIP))
        low, high = self._calibration.answers(expit(at + np.array((-MARGIN, MARGIN))))
        return min(max(shown, low, key=Answer.suspicion), high, key=Answer.suspicion)


def _recent(looks: deque[Look], look: Look) -> Sequence[Look]:
    """Add one to the looks of the last 2 s, but at least 6 where there are."""
    looks.append(look)
    while len(looks) > LOOKS and looks[0].time < look.time - RECENT:
        looks.popleft()
    return looks
