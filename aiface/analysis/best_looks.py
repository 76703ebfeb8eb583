"""Which looks at a person are worth scoring: a few, spread over the time that they are seen, the best of each part.

Frames that follow each other score nearly alike, so a dozen say what hundreds of looks would.
"""

from collections.abc import Iterator

from aiface.analysis.look import MIN_SHARPNESS, Look
from aiface.faces.crop import CROP_SIZE

BEST_LOOKS = 16  # of a person at most
SHARP = 2 * MIN_SHARPNESS  # from where on a face is sharp enough...
FRONTAL = 0.5  # ...and frontal enough: the nose lies between the eyes
STRETCH = 1 / 64  # seconds, to begin with: so short that each look has its own


def quality(look: Look) -> float:
    """How good a look at a face is, 0 to 1, to compare it with other looks at the same face.

    Training saw portraits: large, sharp and frontal; a score means most there. But good enough is good enough: the very
    best looks are all of one pose, and scores go with the pose. On nine clips, looks by unbounded quality pooled to
    0.63 logits (RMS) from all looks; these, and looks drawn at random, to 0.30. A product has no weights to tune.
    """
    size, sharp = look.side / CROP_SIZE, look.sharpness / SHARP
    return min(size, 1) * min(sharp, 1) * min(look.frontality / FRONTAL, 1)


class BestLooks:
    """The best look at a person in each of at most `size` stretches of time, all of one length.

    Takes looks by `add`, in the order of time; iterates over those it keeps. When more than `size` stretches hold one,
    they become twice as long: the better look of each two stays, the earlier of equals, so at least half of `size`
    remain. Looks that can't be judged (`Look.flaw`) are kept only until there is one that can, since verdicts rest on
    that kind alone.

    >>> best = BestLooks(size=4)
    >>> for time, sharpness in ((0.0, 1.6), (0.25, 2.5), (0.5, 9), (0.75, 9), (1.0, 2)):
    ...     best.add(Look(time, (0, 0, 9, 9), None, side=200, sharpness=sharpness))
    >>> [look.time for look in best]
    [0.25, 0.5, 1.0]
    """

    def __init__(self, size: int = BEST_LOOKS):
        self._size = size
        self._usable = False
        self._stretch = STRETCH
        self._best: dict[int, Look] = {}

    def __iter__(self) -> Iterator[Look]:
        return iter(self._best.values())

    def add(self, look: Look) -> None:
        """Keep a look if it is the best of its stretch."""
        usable = look.flaw is None
        if usable and not self._usable:
            self._usable, self._stretch, self._best = True, STRETCH, {}
        if usable == self._usable:
            self._put(look)
        while len(self._best) > self._size:
            self._stretch *= 2
            kept, self._best = self._best, {}
            for other in kept.values():
                self._put(other)

    def rival(self, time: float) -> Look | None:
        """The look that one of this time would have to be better than; None if there is none that can be judged."""
        return self._best.get(int(time // self._stretch)) if self._usable else None

    def _put(self, look: Look) -> None:
        stretch = int(look.time // self._stretch)
        self._best[stretch] = max(self._best.get(stretch, look), look, key=quality)
