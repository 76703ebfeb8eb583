"""Who is who over time: face boxes of successive frames to identities, and where a shot ends."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

NEAR = 0.6  # of the mean box width: a face that moves fast may leave its last box within 0.2 s, but not by more
SIZE_RATIO = 1.6  # a face doesn't grow or shrink by more between two looks
CUT_DISTANCE = 0.25  # measured: same shot at most 0.17 (a picture-in-picture changes), half a frame cut 0.32
PLACE = 1.5  # sides of a face: there one person changes by at most 0.22 within 6 s, of two portraits 99 % by over 0.31


def iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Intersection over union of `(n, 4)` and `(m, 4)` boxes x, y, width, height, as `(n, m)` float64.

    >>> iou(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 2, 2], [5, 5, 1, 1]])).round(2).tolist()
    [[0.33, 0.0]]
    """
    a, b = _boxes(boxes_a)[:, None], _boxes(boxes_b)[None]
    top_left = np.maximum(a[..., :2], b[..., :2])
    bottom_right = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    overlap = np.clip(bottom_right - top_left, 0, None).prod(axis=-1)
    union = a[..., 2:].prod(axis=-1) + b[..., 2:].prod(axis=-1) - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


@dataclass
class Track:
    """One person for as long as the tracker follows them. Boxes in pixels, times in seconds.

    seen: last_time, without the pauses before it.
    """

    id: int
    box: np.ndarray
    first_time: float
    last_time: float
    hits: int = 1
    seen: float = 0.0


class Tracker:
    """Gives each face box the identity of the person it belongs to.

    A box goes to a track whose last box it overlaps by at least `min_iou`, else to one that is near and of a
    similar size, such that the sum over all pairs is greatest (Kuhn's Hungarian method, as in SORT, Bewley et
    al. 2016). A track unseen for more than `max_gap` seconds ends; its number is never given again. A pause without
    any frame is no time in which somebody was not there: of the time between two frames, half of `max_gap` counts.

    >>> tracker = Tracker()
    >>> tracker.update(np.array([[0, 0, 50, 50], [200, 0, 50, 50]]), time=0.0)
    [0, 1]
    >>> tracker.update(np.array([[198, 2, 50, 50], [400, 0, 50, 50]]), time=0.2)
    [1, 2]
    """

    def __init__(self, min_iou: float = 0.3, max_gap: float = 1.0):
        self.min_iou = min_iou
        self.max_gap = max_gap
        self.tracks: list[Track] = []
        self._next_id = 0
        self._time: float | None = None
        self._paused = 0.0

    def update(self, boxes: np.ndarray, time: float) -> list[int]:
        """Identities of the faces in one frame: a track id for each of the `(n, 4)` boxes, in their order.

        `time` in seconds must not go back. Raises `ValueError` for boxes of another shape.
        """
        boxes = _boxes(boxes)
        step = 0.0 if self._time is None else time - self._time
        self._time, self._paused = time, self._paused + max(0.0, step - self.max_gap / 2)
        self.end_where(lambda track: time - self._paused - track.seen > self.max_gap)
        owners = self._match(boxes)
        return [self._observe(owners.get(index), box, time) for index, box in enumerate(boxes)]

    def end_all(self) -> None:
        """End every track, as a shot change does: whoever comes next is somebody new."""
        self.tracks = []

    def end_where(self, gone: Callable[[Track], bool]) -> None:
        """End some tracks."""
        self.tracks = [track for track in self.tracks if not gone(track)]

    def is_pause(self, time: float) -> bool:
        """Whether the next frame, of this time, comes so late that somebody else may stand where a face was."""
        return self._time is not None and time - self._time > self.max_gap

    def _match(self, boxes: np.ndarray) -> dict[int, Track]:
        """The track of each box's index that has one."""
        last = np.array([track.box for track in self.tracks]).reshape(-1, 4)
        affinity = _affinity(last, boxes, self.min_iou)
        return {int(box): self.tracks[track] for track, box in _pairs(affinity)}

    def _observe(self, track: Track | None, box: np.ndarray, time: float) -> int:
        if track is None:
            track = Track(self._next_id, box, time, time)
            self._next_id += 1
            self.tracks.append(track)
        else:
            track.box, track.last_time, track.hits = box, time, track.hits + 1
        track.seen = time - self._paused
        return track.id


class ShotDetector:
    """Notices that a clip cuts to another shot, where identities must end.

    Compares colour histograms of successive frames: unlike a difference of pixels they stand still while a
    head moves fast, and yet jump at a cut between two people in front of like grounds.
    """

    def __init__(self, threshold: float = CUT_DISTANCE):
        self.threshold = threshold
        self._previous: np.ndarray | None = None

    def is_cut(self, image: np.ndarray) -> bool:
        """Whether an RGB uint8 image `(height, width, 3)` begins another shot than the image before it."""
        histogram = _histogram(image)
        previous, self._previous = self._previous, histogram
        return previous is not None and _distance(previous, histogram) > self.threshold


def place_changed(before: np.ndarray, now: np.ndarray, box: np.ndarray) -> bool:
    """Whether two RGB images differ around the box of a face as two shots do."""
    return _distance(_histogram(_around(before, box)), _histogram(_around(now, box))) > CUT_DISTANCE


def _around(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The square of `PLACE` sides around a box, as far as it lies within the image."""
    x, y, width, height = box
    reach = PLACE * max(width, height) / 2
    edges = (y + height / 2 - reach, y + height / 2 + reach, x + width / 2 - reach, x + width / 2 + reach)
    top, bottom, left, right = (max(0, round(edge)) for edge in edges)
    part = image[top:bottom, left:right]
    return part if part.size else image


def _boxes(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.size == 0:
        return np.empty((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"expected boxes of shape (n, 4), found {boxes.shape}")
    return boxes


def _affinity(last: np.ndarray, boxes: np.ndarray, min_iou: float) -> np.ndarray:
    """`(tracks, boxes)`: 1 + IoU where they overlap, up to 1 where near, 0 where no match is allowed."""
    overlap = iou(last, boxes)
    width = (last[:, None, 2] + boxes[None, :, 2]) / 2
    centres = (last[:, None, :2] + last[:, None, 2:] / 2) - (boxes[None, :, :2] + boxes[None, :, 2:] / 2)
    nearness = 1 - np.hypot(centres[..., 0], centres[..., 1]) / np.maximum(NEAR * width, 1e-9)
    size_a, size_b = (np.sqrt(np.maximum(b[:, 2:].prod(axis=1), 1e-9)) for b in (last, boxes))
    alike = np.abs(np.log(size_a[:, None] / size_b[None])) <= np.log(SIZE_RATIO)
    return np.where(overlap >= min_iou, 1 + overlap, np.where(alike, np.clip(nearness, 0, 1), 0))


def _pairs(affinity: np.ndarray) -> np.ndarray:
    """Which tracks and boxes go together, `(n, 2)`: those of the greatest sum of `affinity` `(tracks, boxes)`."""
    allowed = affinity > 0
    if allowed.sum(axis=0).max(initial=0) <= 1 and allowed.sum(axis=1).max(initial=0) <= 1:
        return np.argwhere(allowed)  # nobody contends for anybody, as in most frames
    from scipy.optimize import linear_sum_assignment  # here: a third of a second to import, which most clips don't need

    pairs = np.stack(linear_sum_assignment(affinity, maximize=True), axis=1)
    return pairs[allowed[tuple(pairs.T)]]


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """The share of the pixels that would have to change their colour to make one histogram of the other."""
    return float(np.abs(one - other).sum() / 2)


def _histogram(image: np.ndarray) -> np.ndarray:
    """Joint RGB histogram, 6 bins a channel, of a small copy: `(216,)` float32 that sums to 1."""
    small = cv2.resize(image, (64, 36), interpolation=cv2.INTER_AREA)
    counts = cv2.calcHist([small], [0, 1, 2], None, [6, 6, 6], [0, 256] * 3)
    return counts.ravel() / counts.sum()
