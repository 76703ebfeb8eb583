"""Follow people through frames and judge them: the one loop under files, cameras and notebooks."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from aiface.analysis.best_looks import MOMENTS, Moments
from aiface.analysis.person import Person, sight
from aiface.analysis.spans import ai_spans
from aiface.analysis.steady_verdict import Steady
from aiface.analysis.trail import Trail
from aiface.analysis.verdict import Sighting, Verdict, judge_person
from aiface.faces.crop import crop_face
from aiface.faces.finder import FaceFinder
from aiface.faces.tracking import ShotDetector, Tracker
from aiface.labels import Answer
from aiface.models.detector import Detector
from aiface.video.opening import Frame

GALLERIES = 32  # people of whom crops are kept: a film has thousands
PEOPLE = 10_000  # who are remembered at all: before a camera that never stops there are more

Sightings = list[tuple[Person, Sighting]]


class Stopwatch:
    """Adds up wall-clock seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a `with` block as part of `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start

    def timed(self, stage: str, items: Iterable) -> Iterator:
        """Pass `items` on, timing how long each takes to come."""
        items = iter(items)
        while True:
            with self(stage):
                item = next(items, None)
            if item is None:
                return
            yield item

    def table(self, frames: int) -> dict[str, float]:
        """Milliseconds for each of so many frames, by stage."""
        return {stage: 1000 * seconds / frames for stage, seconds in self.seconds.items()} if frames else {}


class Session:
    """Everything seen so far in one clip or camera, frame by frame, in memory that is bounded but for `every` look.

    Faces are found, told apart and compared in each frame, but scored only when somebody asks, each look once: a
    person's `moments` when they have left or are judged, and what is shown while watching.

    people: by track id. frames: how many there were. duration: seconds that the clip is said to last, or None.
    forgotten: how many who left are no longer among `people`. moments: of each person that are scored at most; None
    scores every look. trails: whether to remember where faces were at every look.
    """

    def __init__(
        self,
        finder: FaceFinder,
        detector: Detector,
        moving: bool = True,
        moments: int | None = MOMENTS,
        trails: bool = False,
    ):
        self.people: dict[int, Person] = {}
        self.frames = self.forgotten = 0
        self.duration: float | None = None
        self.stopwatch = Stopwatch()
        self.moving = moving
        self._moments, self._trails = moments, trails
        self._finder, self._detector = finder, detector
        self._tracker, self._shots = Tracker(), ShotDetector()
        self._steady = Steady(detector.calibration)
        self._followed: dict[int, Person] = {}
        self._with_crops: dict[int, Person] = {}

    def update(self, frame: Frame) -> Sightings:
        """Find and tell apart the faces in a frame; each comes back with the person it belongs to, not scored yet."""
        with self.stopwatch("find"):
            faces = self._finder(frame.image)
        with self.stopwatch("crop"):
            sightings = [sight(face, crop_face(frame.image, face), frame.time) for face in faces]
        if self._moments is None:
            self.score(sightings)
        if self._shots.is_cut(frame.image):
            self._tracker.end_all()
        ids = self._tracker.update(np.array([face.box for face in faces]), frame.time)
        seen = [(self._see(id, sighting), sighting) for id, sighting in zip(ids, sightings, strict=True)]
        self.frames += 1
        self._save_crops(seen)
        self._part()
        return seen

    def _see(self, id: int, sighting: Sighting) -> Person:
        person = self.people.get(id) or self._newcomer(id)
        person.see(sighting)
        self.people[id] = self._followed[id] = person  # last: an interrupt leaves nobody here who was never seen
        return person

    def _newcomer(self, id: int) -> Person:
        """Someone new; crops of one who left make room for theirs: of one not judged AI, and seen least."""
        every, trail = [] if self._moments is None else None, Trail() if self._trails else None
        person = Person(id, Moments(self._moments or MOMENTS), every, trail)
        if len(self._with_crops) >= GALLERIES and (left := _least(self._with_crops)):
            self._with_crops.pop(left.id).drop_crops()
        if len(self._with_crops) < GALLERIES:
            self._with_crops[id] = person
        return person

    def _save_crops(self, seen: Sightings) -> None:
        """In a crowd, score the moments of those beyond the 32 at once, and keep no crops of them."""
        others = [(person, sighting) for person, sighting in seen if person.id not in self._with_crops]
        self.score([sighting for person, sighting in others if sighting in person.moments])
        for person, _ in others:
            person.drop_crops()

    def _part(self) -> None:
        """Conclude on those who left, and forget the least of them where they are too many."""
        ids = {track.id for track in self._tracker.tracks}
        left = [person for id, person in self._followed.items() if id not in ids]
        self.score([moment for person in left for moment in person.sightings])
        for person in left:
            person.verdict = self._final(person)
            person.drop_crops(but=person.gallery)
            self._steady.forget(person.id)
            del self._followed[person.id]
        while len(self.people) > PEOPLE and (least := _least(self.people)):
            self._with_crops.pop(least.id, None)
            del self.people[least.id]
            self.forgotten += 1

    def score(self, sightings: Sequence[Sighting]) -> None:
        """Score those looks that have no score yet, together."""
        with self.stopwatch("score"):
            if new := [sighting for sighting in sightings if sighting.score is None]:
                scores = self._detector.score(np.stack([sighting.crop for sighting in new]))
                for sighting, score in zip(new, scores, strict=True):
                    sighting.score = float(score)

    def judge(self, person: Person) -> Verdict:
        """The person's verdict on what was seen so far, without a look at how stable its scores are."""
        sightings = person.sightings
        self.score(sightings)
        return judge_person(sightings, self._detector.calibration, self.moving)

    def shown(self, seen: Sightings) -> list[Verdict | None]:
        """What to show of the people seen in a frame while watching, see `Steady`: their faces are scored, together."""
        self.score([sighting for _, sighting in seen])
        return [self._steady(person.id, replace(sighting, crop=None)) for person, sighting in seen]

    def conclude(self) -> list[Verdict]:
        """The final verdict on each of `people`: as `judge` has it, if the score is stable too."""
        self.score([moment for person in self._followed.values() for moment in person.sightings])
        return [person.verdict or self._final(person) for person in self.people.values()]

    def _final(self, person: Person) -> Verdict:
        calibration, verdict = self._detector.calibration, self.judge(person)
        spans = ai_spans(person.moments, calibration, person.first_time, person.last_time) if self.moving else ()
        if verdict.verdict == Answer.INCONCLUSIVE and not spans:
            return verdict
        spread = self._spread(person)
        verdict = judge_person(person.sightings, calibration, self.moving, spread)
        stable = spread is None or calibration.stable(spread)
        return replace(verdict, ai_spans=spans if stable else ())

    def _spread(self, person: Person) -> float | None:
        """The median over the usable faces of the person's gallery, None if there are none."""
        usable = [moment for moment in person.gallery if moment.flaw is None]
        if not usable:
            return None
        crops, scores = np.stack([m.crop for m in usable]), np.array([m.score for m in usable], np.float32)
        with self.stopwatch("score"):
            return float(np.median(self._detector.spread(crops, scores)))


def _least(people: dict[int, Person]) -> Person | None:
    """Of those who left the one who matters least: not judged AI, and seen least."""
    left = [person for person in people.values() if person.verdict]
    return min(left, key=lambda person: (person.verdict.verdict == Answer.AI, person.looks), default=None)
