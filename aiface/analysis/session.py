"""Follow people through frames and judge them: the one loop under files, cameras and notebooks."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf

import numpy as np

from aiface.analysis.best_looks import BEST_LOOKS, BestLooks, quality
from aiface.analysis.look import Look, glimpse, look_at
from aiface.analysis.person import Person, Trail
from aiface.analysis.steady_verdict import SteadyVerdicts
from aiface.analysis.stopwatch import Stopwatch
from aiface.analysis.verdict import Verdict, ai_spans, judge_person
from aiface.faces.crop import crop_face
from aiface.faces.finder import Face, Finder, shrunk
from aiface.faces.glances import Glances
from aiface.faces.tracking import ShotDetector, Tracker, place_changed
from aiface.labels import Answer
from aiface.models.detector import Detector
from aiface.video.opening import Frame

GALLERIES = 32  # people of whom crops are kept: a film has thousands
PEOPLE = 10_000  # who are remembered at all: before a camera that never stops there are more

Looks = list[tuple[Person, Look]]


class Session:
    """Everything seen so far in one clip or camera, frame by frame, in bounded memory unless each look is scored.

    Faces are found, told apart and compared in each frame, but scored only when somebody asks, each look once: a
    person's `best_looks` when they have left or are judged, and what is shown while watching. With `glances`, looks at
    which nobody will look again are taken in passing: they have no crop, and can't be `shown`.

    people: by track id. frames: how many there were. duration: seconds that the clip is said to last, or None.
    forgotten: how many who left are no longer among `people`. best_looks: of each person that are scored at most; None
    scores every look. trails: whether to remember where faces were at every look.
    """

    def __init__(
        self,
        finder: Finder,
        detector: Detector,
        moving: bool = True,
        best_looks: int | None = BEST_LOOKS,
        trails: bool = False,
        glances: bool = False,
    ):
        self.people: dict[int, Person] = {}
        self.frames = self.forgotten = 0
        self.duration: float | None = None
        self.stopwatch = Stopwatch()
        self.moving = moving
        self._best_looks, self._trails = best_looks, trails
        self._finder, self._detector = finder, detector.of(moving)
        self._tracker, self._shots = Tracker(), ShotDetector()
        self._glances = Glances(finder) if glances and best_looks else None
        self._seen: Looks = []
        self._before: np.ndarray | None = None
        self._steady = SteadyVerdicts(detector.calibration)
        self._followed: dict[int, Person] = {}
        self._with_crops: dict[int, Person] = {}

    def update(self, frame: Frame) -> Looks:
        """Find and tell apart the faces in a frame; each comes back with the person it belongs to, not scored yet."""
        with self.stopwatch("find"):
            small, scale = shrunk(frame.image)  # once for all that look at the whole picture
        self._end_tracks(frame, small)
        looks = self._glimpsed(small, scale, frame.time)
        faces = [] if looks else self._searched(small, scale, frame.time)
        boxes = [look.box for look in looks] or [face.box for face in faces]
        ids = self._tracker.update(np.array(boxes), frame.time)
        with self.stopwatch("crop"):
            looks = looks or [self._look(id, face, frame) for id, face in zip(ids, faces, strict=True)]
        if self._best_looks is None:
            self.score(looks)
        self._seen = [(self._see(id, look), look) for id, look in zip(ids, looks, strict=True)]
        self.frames += 1
        self._save_crops(self._seen)
        self._part()
        return self._seen

    def _searched(self, small: np.ndarray, scale: float, time: float) -> list[Face]:
        with self.stopwatch("find"):
            faces = self._finder(small)
            if self._glances:
                self._glances.searched(faces, time)
        return [face.moved(1 / scale, 0, 0) for face in faces]

    def _look(self, id: int, face: Face, frame: Frame) -> Look:
        """A look at a face, with a crop unless that is none the better one, however sharp it be."""
        person = self.people.get(id) if self._glances else None
        if person and (rival := person.best_looks.rival(frame.time)):
            seen = glimpse(face, rival, frame.time)
            if quality(replace(seen, sharpness=inf)) <= quality(rival):
                return seen
        return look_at(face, crop_face(frame.image, face), frame.time)

    def _glimpsed(self, small: np.ndarray, scale: float, time: float) -> list[Look]:
        """Looks at those who are followed, if no other face is there and none of theirs is better than what is kept."""
        if not self._glances or len(self._seen) != len(self._tracker.tracks):
            return []
        rivals = [rival for person, _ in self._seen if (rival := person.best_looks.rival(time))]
        if len(rivals) != len(self._seen):
            return []
        with self.stopwatch("find"):
            faces = [face.moved(1 / scale, 0, 0) for face in self._glances(small, time)]
        looks = [glimpse(face, rival, time) for face, rival in zip(faces, rivals, strict=False)]
        return [] if any(quality(look) > quality(rival) for look, rival in zip(looks, rivals, strict=False)) else looks

    def _end_tracks(self, frame: Frame, small: np.ndarray) -> None:
        """Of all at a cut; after a pause of those where the place looks otherwise, since somebody may have come."""
        before, self._before = self._before, frame.image
        if self._shots.is_cut(small):
            self._tracker.end_all()
        elif before is not None and self._tracker.is_pause(frame.time):
            self._tracker.end_where(lambda track: place_changed(before, frame.image, track.box))

    def _see(self, id: int, look: Look) -> Person:
        person = self.people.get(id) or self._newcomer(id)
        (person.glimpse if look.crop is None else person.see)(look)
        self.people[id] = self._followed[id] = person  # last: an interrupt leaves nobody here who was never seen
        return person

    def _newcomer(self, id: int) -> Person:
        """Someone new; crops of one who left make room for theirs: of one not judged AI, and seen least."""
        all_looks: list[Look] | None = [] if self._best_looks is None else None
        trail = Trail() if self._trails else None
        person = Person(id, BestLooks(self._best_looks or BEST_LOOKS), all_looks, trail)
        if len(self._with_crops) >= GALLERIES and (left := _least(self._with_crops)):
            self._with_crops.pop(left.id).drop_crops()
        if len(self._with_crops) < GALLERIES:
            self._with_crops[id] = person
        return person

    def _save_crops(self, seen: Looks) -> None:
        """In a crowd, score the best looks of those beyond the 32 at once, and keep no crops of them."""
        others = [(person, look) for person, look in seen if person.id not in self._with_crops]
        self.score([look for person, look in others if look in person.best_looks])
        for person, _ in others:
            person.drop_crops()

    def _part(self) -> None:
        """Conclude on those who left, and forget the least of them where they are too many."""
        ids = {track.id for track in self._tracker.tracks}
        left = [person for id, person in self._followed.items() if id not in ids]
        self.score([look for person in left for look in person.each_look])
        for person in left:
            person.verdict = self._final(person)
            person.drop_crops(but=person.gallery)
            self._steady.forget(person.id)
            del self._followed[person.id]
        while len(self.people) > PEOPLE and (least := _least(self.people)):
            self._with_crops.pop(least.id, None)
            del self.people[least.id]
            self.forgotten += 1

    def score(self, looks: Sequence[Look]) -> None:
        """Score those looks that have no score yet, together."""
        with self.stopwatch("score"):
            if new := [look for look in looks if look.score is None]:
                crops = np.stack([look.crop for look in new if look.crop is not None])
                sides = self._detector.sides(crops, both=not self.moving)
                for look, each, score in zip(new, sides.T, self._detector.score_of(sides), strict=True):
                    look.sides, look.score = each, float(score)

    def judge(self, person: Person) -> Verdict:
        """The person's verdict on what was seen so far, without a look at how stable its scores are."""
        looks = person.each_look
        self.score(looks)
        return judge_person(looks, self._detector.calibration, self.moving)

    def shown(self, seen: Looks) -> list[Verdict | None]:
        """What to show of the people seen in a frame, by `SteadyVerdicts`: faces that it wants are scored, together."""
        self.score([look for person, look in seen if self._steady.wants(person.id, look.time)])
        return [
            self._steady.last(person.id) if look.score is None else self._steady(person.id, replace(look, crop=None))
            for person, look in seen
        ]

    def conclude(self) -> list[Verdict]:
        """The final verdict on each of `people`: as `judge` has it, if the score is stable too."""
        self.score([look for person in self._followed.values() for look in person.each_look])
        return [person.verdict or self._final(person) for person in self.people.values()]

    def _final(self, person: Person) -> Verdict:
        calibration, verdict = self._detector.calibration, self.judge(person)
        if self._is_art(person):
            return judge_person(person.each_look, calibration, self.moving, art=True)
        spans = ai_spans(person.best_looks, calibration, person.first_time, person.last_time) if self.moving else ()
        if verdict.answer == Answer.INCONCLUSIVE and not spans:
            return verdict
        spread = self._spread(person)
        verdict = judge_person(person.each_look, calibration, self.moving, spread)
        stable = spread is None or calibration.stable(spread)
        return replace(verdict, ai_spans=spans if stable else ())

    def _is_art(self, person: Person) -> bool:
        """Whether more than half of the legible faces of the person's gallery are."""
        crops = [look.crop for look in person.gallery if look.crop is not None and look.legible]
        with self.stopwatch("score"):
            return 2 * self._detector.is_art(crops).sum() > len(crops)

    def _spread(self, person: Person) -> float | None:
        """The median over the usable faces of the person's gallery, None if there are none."""
        usable = [look for look in person.gallery if look.flaw is None]
        if not usable:
            return None
        crops = np.stack([look.crop for look in usable if look.crop is not None])
        sides = np.stack([look.sides for look in usable if look.sides is not None], axis=1)
        with self.stopwatch("score"):
            return self._detector.spread(crops, sides)


def _least(people: dict[int, Person]) -> Person | None:
    """Of those who left the one who matters least: not judged AI, and seen least."""
    left = [person for person in people.values() if person.verdict]
    return min(left, key=lambda person: (_called_ai(person), person.looks), default=None)


def _called_ai(person: Person) -> bool:
    return person.verdict is not None and person.verdict.answer == Answer.AI
