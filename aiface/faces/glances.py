"""People who are followed need no search in each frame: a glance at a small copy tells that all are still there.

What a glance finds is where somebody is, not where the eyes are to a pixel: crops, and so scores, rest on searches.
"""

from collections.abc import Sequence
from math import inf

import numpy as np

from aiface.faces.finder import CLOSE_UP_SIDE, MIN_CONFIDENCE, Face, Finder
from aiface.faces.tracking import iou

EVERY = 1.0  # seconds from one search to the next at most: for who is small, and comes where somebody large is
LEAST = 20  # pixels of a face in the small copy; down to 15 none of 1,600 was lost
SAME = 0.3  # IoU from which a face is the one that was there


class Glances:
    """Where the faces of a clip's last frame are in the next one.

    A finder that has no `glance`, or whose `glance` gives None, is asked to search each frame.
    """

    def __init__(self, finder: Finder):
        self._glance = getattr(finder, "glance", None)
        self._faces: Sequence[Face] = ()
        self._searched = -inf

    def searched(self, faces: Sequence[Face], time: float) -> None:
        """These are all faces of the frame at this time, in seconds."""
        self._faces, self._searched = faces, time

    def __call__(self, image: np.ndarray, time: float) -> list[Face]:
        """The last frame's faces in their order, as they lie in this RGB uint8 image; none where a search is due.

        It is due after a second, where a face is small, and where the glance finds anybody else, even in doubt, or
        misses somebody.
        """
        scale = CLOSE_UP_SIDE / max(image.shape[:2])
        large = scale < 1 and all(min(face.box[2:]) * scale >= LEAST for face in self._faces)
        if not self._glance or not self._faces or not large or time - self._searched >= EVERY - 1e-6:
            return []
        found = _in_order(self._faces, self._glance(image) or ())
        self._faces = found or self._faces
        return found


def _in_order(before: Sequence[Face], now: Sequence[Face]) -> list[Face]:
    """The faces of now in the order of before, if they are the same ones and all of them sure; else none."""
    if len(before) != len(now) or any(face.score < MIN_CONFIDENCE for face in now):
        return []
    overlap = iou(np.array([face.box for face in before]), np.array([face.box for face in now]))
    order = overlap.argmax(axis=1).tolist()
    return [now[index] for index in order] if len({*order}) == len(now) and overlap.max(axis=1).min() >= SAME else []
