"""Follow people through frames and judge them: the one loop under files, cameras and notebooks."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import nlargest

import numpy as np

from aiface.crop import crop_face, face_quad, sharpness
from aiface.detector import Detector
from aiface.faces import Face, FaceFinder
from aiface.steady import Steady
from aiface.tracking import ShotDetector, Tracker
from aiface.verdict import AI, Sighting, Verdict, judge_person
from aiface.video import Frame

GALLERY = 8  # crops kept of each person
GALLERIES = 32  # people of whom crops are kept: a film has thousands


@dataclass
class Person:
    """Someone followed through a clip, or one face of an image.

    gallery: up to 8 pairs of a `Sighting` and its crop, uint8 `(256, 256, 3)`: the largest usable faces. Empty for
    some where many people come by.
    """

    id: int
    sightings: list[Sighting] = field(default_factory=list)
    gallery: list[tuple[Sighting, np.ndarray]] = field(default_factory=list)

    def see(self, sighting: Sighting, crop: np.ndarray) -> None:
        """Add a look at this person."""
        self.sightings.append(sighting)
        seen = [*self.gallery, (sighting, crop)]
        self.gallery = nlargest(GALLERY, seen, key=lambda pair: (pair[0].flaw is None, pair[0].side))


class Stopwatch:
    """Adds up wall-clock seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a `with` block as part of `stage`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start
            self.calls[stage] += 1

    def timed(self, stage: str, items: Iterable) -> Iterator:
        """Pass `items` on, timing how long each takes to come."""
        items = iter(items)
        while True:
            with self(stage):
                item = next(items, None)
            if item is None:
                return
            yield item

    def table(self) -> dict[str, float]:
        """Mean milliseconds a call, by stage."""
        return {stage: 1000 * seconds / self.calls[stage] for stage, seconds in self.seconds.items()}


class Session:
    """Everything seen so far in one clip or camera, frame by frame.

    people: by track id. duration: seconds that the clip is said to last, or None.
    """

    def __init__(self, finder: FaceFinder, detector: Detector, moving: bool = True):
        self.people: dict[int, Person] = {}
        self.duration: float | None = None
        self.stopwatch = Stopwatch()
        self.moving = moving
        self._finder, self._detector = finder, detector
        self._tracker, self._shots = Tracker(), ShotDetector()
        self._steady = Steady(detector.calibration)

    def update(self, frame: Frame) -> list[tuple[Person, Sighting]]:
        """Find, tell apart and score the faces in a frame; each comes back with the person it belongs to."""
        with self.stopwatch("find"):
            faces = self._finder(frame.image)
        with self.stopwatch("crop"):
            crops = [crop_face(frame.image, face) for face in faces]
        with self.stopwatch("score"):
            scores = self._detector.score(np.stack(crops)) if crops else ()
        if self._shots.is_cut(frame.image):
            self._tracker.end_all()
        ids = self._tracker.update(np.array([face.box for face in faces]), frame.time)
        return [self._see(*seen, frame.time) for seen in zip(ids, faces, crops, scores, strict=True)]

    def _see(self, id: int, face: Face, crop: np.ndarray, score: float, at: float) -> tuple[Person, Sighting]:
        sighting = sight(face, crop, score, at)
        person = self.people.get(id) or self._newcomer(id)
        person.see(sighting, crop)
        self.people[id] = person  # last: an interrupt leaves nobody here who was never seen
        return person, sighting

    def _newcomer(self, id: int) -> Person:
        """Someone new; crops of another make room for theirs: of one not judged AI, and seen least."""
        kept = [person for person in self.people.values() if person.gallery]
        if len(kept) >= GALLERIES:
            min(kept, key=lambda other: (self.judge(other).verdict == AI, len(other.sightings))).gallery.clear()
        return Person(id)

    def judge(self, person: Person) -> Verdict:
        """The person's verdict on what was seen so far: quick enough for each frame."""
        return judge_person(person.sightings, self._detector.calibration, self.moving)

    def shown(self, person: Person) -> Verdict | None:
        """What to show of a person while watching: see `Steady`. Call it once for each look."""
        return self._steady(person.id, person.sightings)

    def conclude(self) -> list[Verdict]:
        """The final verdict on each of `people`: as `judge` has it, if the score is stable too."""
        return [
            judge_person(person.sightings, self._detector.calibration, self.moving, self._spread(person))
            for person in self.people.values()
        ]

    def _spread(self, person: Person) -> float | None:
        """The median over the usable faces of the person's gallery, None if there are none."""
        usable = [(crop, sighting.score) for sighting, crop in person.gallery if sighting.flaw is None]
        if not usable:
            return None
        crops, scores = map(np.array, zip(*usable, strict=True))
        return float(np.median(self._detector.spread(crops, scores)))


def sight(face: Face, crop: np.ndarray, score: float, at: float) -> Sighting:
    """What is remembered of a face seen `at` seconds."""
    return Sighting(at, face.box, float(score), face_quad(face.landmarks).side, sharpness(crop))
