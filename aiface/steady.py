"""A verdict to show while watching: of the last moments, and without flicker. A final verdict has no part in this."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from scipy.special import expit, logit

from aiface.calibration import Calibration
from aiface.verdict import AI, CLIP, INCONCLUSIVE, MIN_FACES, REAL, Sighting, Verdict, decide, judge_person

RECENT = 2.0  # seconds of looks that are pooled, so that a face that changes is noticed
LOOKS = 2 * MIN_FACES  # at least so many, however slowly they come
MARGIN = 1.0  # in logits: a pooled score this far beyond a threshold changes the verdict at once
HOLD = 3.0  # seconds: one that stays beyond it by less does so after this time
_ORDER = (REAL, INCONCLUSIVE, AI)


class Steady:
    """The verdicts shown on people, with hysteresis (a Schmitt trigger with two thresholds, and a time limit).

    A verdict changes when the score pooled over the last 2 s lies beyond the threshold by 1 logit, or when it has
    stayed beyond it for 3 s. While faces can't be judged the last verdict stays, for as long.
    """

    def __init__(self, calibration: Calibration):
        self._calibration = calibration
        self._shown: dict[int, tuple[Verdict | None, float]] = {}  # and when a look last agreed with it

    def __call__(self, id: int, sightings: Sequence[Sighting]) -> Verdict | None:
        """What to show of a person after the last of all looks at them; None until three were good enough."""
        now = sightings[-1].time
        shown, agreed = self._shown.get(id, (None, now))
        found = judge_person(recent(sightings), self._calibration, moving=True)
        if found.faces < MIN_FACES:
            found = None
        answer = shown if shown and now - agreed < HOLD else found
        if found and answer is shown:
            answer = replace(found, verdict=self._within_reach(shown.verdict, found.score))
        verdicts = [verdict and verdict.verdict for verdict in (answer, found)]
        self._shown[id] = answer, now if verdicts[0] == verdicts[1] else agreed
        return answer

    def _within_reach(self, shown: str, score: float) -> str:
        """The verdict nearest to the one shown that a score within the margin of this one gives."""
        at = logit(min(max(score, CLIP), 1 - CLIP))
        low, high = (_ORDER.index(decide(expit(at + by), self._calibration)) for by in (-MARGIN, MARGIN))
        return _ORDER[min(max(_ORDER.index(shown), low), high)]


def recent(sightings: Sequence[Sighting]) -> Sequence[Sighting]:
    """The looks of the last 2 s, but at least 6 where there are."""
    first = bisect_left(sightings, sightings[-1].time - RECENT, key=lambda sighting: sighting.time)
    return sightings[max(0, min(first, len(sightings) - LOOKS)) :]
