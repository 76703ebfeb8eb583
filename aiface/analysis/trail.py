"""Where a face was, look by look, for drawing it into the clip afterwards."""

from array import array
from bisect import bisect_left

import numpy as np

LINGER = 0.5  # seconds that a box stays where a person was last seen

Box = tuple[float, float, float, float]


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
        return tuple(self._boxes[4 * index : 4 * index + 4])
