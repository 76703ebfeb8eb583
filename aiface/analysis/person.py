"""What is remembered of one person: little, however long they are seen."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from heapq import nlargest

import numpy as np

from aiface.analysis.best_looks import BestLooks, quality
from aiface.analysis.look import Box, Look
from aiface.analysis.verdict import Verdict

GALLERY = 8  # crops of a person that are shown, and tried for how stable their scores are
LINGER = 0.5  # seconds that a box stays where a person was last seen


class Trail:
    """A person's boxes over time, in 24 bytes a look: boxes are x, y, width, height in pixels, times in seconds."""

    def __init__(self) -> None:
        self._times, self._boxes = array("d"), array("f")

    def add(self, time: float, box: Box) -> None:
        """The face was at `box` at a time not before the last."""
        self._times.append(time)
        self._boxes.extend(box)

    def at(self, time: float) -> Box | None:
        """Where the face is at `time`, between two looks in proportion; None when it is not in view."""
        after = bisect_left(self._times, time)
        seen = after < len(self._times)
        if seen and self._times[after] - time < 1e-6:
            return self._box(after)
        if after == 0:
            return None
        before = self._times[after - 1]
        if not seen:
            return self._box(after - 1) if time - before <= LINGER else None
        part = (time - before) / (self._times[after] - before)
        return tuple(np.add(np.multiply(self._box(after - 1), 1 - part), np.multiply(self._box(after), part)).tolist())

    def _box(self, index: int) -> Box:
        x, y, width, height = self._boxes[4 * index : 4 * index + 4]
        return x, y, width, height


@dataclass
class Person:
    """Someone followed through a clip, or one face of an image.

    best_looks: those that are worth scoring. all_looks: every one, without crops, where each is scored; else None.
    looks: how often the face was found; first_time, last_time: when, in seconds. trail: where it was at every look, or
    None where nobody asked. verdict: the final one, once they have left.
    """

    id: int
    best_looks: BestLooks = field(default_factory=BestLooks)
    all_looks: list[Look] | None = None
    trail: Trail | None = None
    looks: int = 0
    first_time: float = 0.0
    last_time: float = 0.0
    verdict: Verdict | None = None

    @property
    def each_look(self) -> list[Look]:
        """The looks that the verdict rests on, in the order of time."""
        return list(self.best_looks) if self.all_looks is None else self.all_looks

    @property
    def gallery(self) -> list[Look]:
        """The best 8 looks of which crops are kept, in the order of time."""
        best = nlargest(GALLERY, (look for look in self.best_looks if look.crop is not None), key=quality)
        return sorted(best, key=lambda look: look.time)

    def see(self, look: Look) -> None:
        """Add a look at this person, not earlier than the last; scored already if `all_looks` are kept."""
        self.glimpse(look)
        self.best_looks.add(look)
        if self.all_looks is not None:
            self.all_looks.append(replace(look, crop=None))

    def glimpse(self, look: Look) -> None:
        """Remember that they were seen, but not how: a look without a crop, not earlier than the last."""
        self.first_time = self.first_time if self.looks else look.time
        self.last_time = look.time
        self.looks += 1
        if self.trail is not None:
            self.trail.add(look.time, look.box)

    def drop_crops(self, but: Sequence[Look] = ()) -> None:
        """Keep the scores alone, and the crops of those in `but`."""
        kept = {id(look) for look in but}
        for look in self.best_looks:
            if id(look) not in kept:
                look.crop = None
