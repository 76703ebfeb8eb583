"""What is remembered of one person: little, however long they are seen."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from heapq import nlargest

import numpy as np

from aiface.analysis.best_looks import Moments, frontality, quality
from aiface.analysis.trail import Trail
from aiface.analysis.verdict import Sighting, Verdict
from aiface.faces.crop import face_quad, sharpness
from aiface.faces.finder import Face

GALLERY = 8  # crops of a person that are shown, and tried for how stable their scores are


@dataclass
class Person:
    """Someone followed through a clip, or one face of an image.

    moments: the looks that are worth scoring. every: all looks, without crops, where each is scored; else None.
    looks: how often the face was found; first_time, last_time: when, in seconds. trail: where it was at every look, or
    None where nobody asked. verdict: the final one, once they have left.
    """

    id: int
    moments: Moments = field(default_factory=Moments)
    every: list[Sighting] | None = None
    trail: Trail | None = None
    looks: int = 0
    first_time: float = 0.0
    last_time: float = 0.0
    verdict: Verdict | None = None

    @property
    def sightings(self) -> list[Sighting]:
        """The looks that the verdict rests on, in the order of time."""
        return list(self.moments) if self.every is None else self.every

    @property
    def gallery(self) -> list[Sighting]:
        """The best 8 moments of which crops are kept, in the order of time."""
        best = nlargest(GALLERY, (moment for moment in self.moments if moment.crop is not None), key=quality)
        return sorted(best, key=lambda moment: moment.time)

    def see(self, sighting: Sighting) -> None:
        """Add a look at this person, not earlier than the last; scored already if there is to be `every` one."""
        self.first_time = self.first_time if self.looks else sighting.time
        self.last_time = sighting.time
        self.looks += 1
        self.moments.add(sighting)
        if self.every is not None:
            self.every.append(replace(sighting, crop=None))
        if self.trail is not None:
            self.trail.add(sighting.time, sighting.box)

    def drop_crops(self, but: Sequence[Sighting] = ()) -> None:
        """Keep the scores alone, and the crops of those in `but`."""
        kept = {id(moment) for moment in but}
        for moment in self.moments:
            if id(moment) not in kept:
                moment.crop = None


def sight(face: Face, crop: np.ndarray, at: float) -> Sighting:
    """What is remembered of a face seen `at` seconds, not scored yet."""
    quad, front = face_quad(face.landmarks), frontality(face.landmarks)
    return Sighting(at, face.box, None, quad.side, sharpness(crop), front, crop, quad)
