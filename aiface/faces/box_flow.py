"""Boxes that go with the picture between two looks at it."""

from collections.abc import Sequence

import cv2
import numpy as np

WIDTH = 320  # pixels of the pictures compared: about 1 ms for each box
GRID = 5  # points along a box's sides

Box = tuple[float, float, float, float]


def small_grey(image: np.ndarray) -> np.ndarray:
    """What `follow` compares of an RGB uint8 image `(height, width, 3)`: grey uint8, 320 pixels wide."""
    height = max(1, round(image.shape[0] * WIDTH / image.shape[1]))
    return cv2.cvtColor(cv2.resize(image, (WIDTH, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def follow(boxes: Sequence[Box], before: np.ndarray, now: np.ndarray, scale: float) -> list[Box]:
    """Where the boxes of one picture are in another of the same clip, moved by the median optical flow within each.

    Boxes are x, y, width, height in pixels of the full frame, `before` and `now` the two as `small_grey`, `scale` how
    much wider than they the frame is. Lucas-Kanade with pyramids (Bouguet 2001), from the picture where faces were
    found straight to the latest, so that no error adds up. Where nothing can be followed a box stays where it is.
    """
    if not len(boxes) or before.shape != now.shape:  # the frame changed its size
        return list(boxes)
    shares = (np.arange(GRID) + 0.5) / GRID
    grid = np.stack(np.meshgrid(shares, shares), axis=-1).reshape(-1, 2)
    points = np.concatenate([np.array(box[:2]) + grid * box[2:] for box in boxes]) / scale
    start = points.astype(np.float32)[:, None]
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, now, start, np.empty_like(start))
    flow = np.where(found == 1, (moved[:, 0] - points) * scale, np.nan).reshape(len(boxes), -1, 2)
    return [_shifted(box, steps[~np.isnan(steps[:, 0])]) for box, steps in zip(boxes, flow, strict=True)]


def _shifted(box: Box, steps: np.ndarray) -> Box:
    if len(steps) < GRID * GRID // 2:
        return box
    x, y = np.median(steps, axis=0).tolist()
    return (box[0] + x, box[1] + y, *box[2:])
