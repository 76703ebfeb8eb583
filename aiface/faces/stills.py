"""Every face of a still: searched at several scales in overlapping tiles, and turned where none is found upright.

A frame of a clip is searched once, since the next one comes at once; a still is all there is of it.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from math import ceil, log
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from aiface.faces.finder import CLOSE_UP_SIDE, SEARCH_SIDE, Face, Finder
from aiface.faces.tracking import iou

LEAST_FACE = 64  # pixels of height: every face from here on is to be found, in pictures of any size
FINEST = 0.5  # of the picture's sides: there the least is 32 px high, of which YuNet is sure (0.91)
TINY = 0.75 * LEAST_FACE * FINEST  # what is smaller still at the finest scale was not asked for
STEP = 4  # at most, from one scale to the next: a face that a tile cuts, one scale finer, is 48 px or more
TILE, OVERLAP = 1280, 192  # pixels of a scale; faces up to the overlap lie whole in one tile
SAME = 0.3  # IoU from which two boxes are one face
WITHIN = 0.6  # share of a box that lies within a surer one from where on they are, too
SURE = 0.8  # of confidence, where no face is larger: there are many more places to be wrong in


@runtime_checkable
class ScaledFinder(Protocol):
    """A finder that can be told at which scale to look."""

    def look(self, image: np.ndarray, side: int) -> list[Face]:
        """Faces in an RGB uint8 image that is first shrunk to `side` pixels at most, and nothing else tried."""


def find_in_still(finder: Finder, image: np.ndarray) -> tuple[list[Face], int]:
    """Faces in an RGB uint8 image `(height, width, 3)`, largest first, and by how many degrees it was turned.

    Every face that is 64 pixels high, and many smaller ones. Where there is none the image is turned clockwise by 90,
    270 and 180 degrees, as scans lie and as photos do that lost their EXIF; the turn at which the finder is surest
    counts. The faces' coordinates are always those of `image` as it came.
    """
    scaled = isinstance(finder, ScaledFinder) and max(image.shape[:2]) * FINEST > SEARCH_SIDE
    scale = FINEST if scaled else 1.0
    searched = _shrunk(image, scale)
    faces, turned = _search(finder, searched, scaled), 0
    if not faces:
        found = {
            turns: _search(finder, np.ascontiguousarray(np.rot90(searched, -turns)), scaled) for turns in (1, 3, 2)
        }
        turns = max(found, key=lambda turns: max((face.score for face in found[turns]), default=0.0))
        faces = [_turned_back(face, turns, searched.shape) for face in found[turns]]
        turned = 90 * turns if faces else 0
    return sorted((face.moved(1 / scale, 0, 0) for face in faces), key=lambda face: face.area, reverse=True), turned


def _search(finder: Finder, image: np.ndarray, finer: bool) -> list[Face]:
    """As the finder has it, and what is too large for its scale, and too small where `finer` ones are asked for."""
    faces = finder(image)
    if isinstance(finder, ScaledFinder) and (longest := max(image.shape[:2])) > SEARCH_SIDE:
        faces += finder.look(image, CLOSE_UP_SIDE)
        for side in _finer(longest) if finer else ():
            faces += _sure_faces(finder, image, side / longest)
        faces = _merged(faces)
    return faces


def _finer(longest: int) -> list[int]:
    """The longest sides to which an image is scaled, finer than the finder's own, up to its own.

    >>> _finer(640), _finer(2000), _finer(6000)
    ([], [2000], [1960, 6000])
    """
    times = longest / SEARCH_SIDE
    count = ceil(log(max(times, 1), STEP))
    return [round(SEARCH_SIDE * times ** (level / count)) for level in range(1, count + 1)]


def _sure_faces(finder: ScaledFinder, image: np.ndarray, scale: float) -> Iterator[Face]:
    """Faces in an image at this scale, in its own coordinates; without those that are cut, doubtful or tiny."""
    shrunk = _shrunk(image, scale)
    height, width = shrunk.shape[:2]
    for top, left in product(_starts(height), _starts(width)):
        tile = shrunk[top : top + TILE, left : left + TILE]
        for face in finder.look(tile, TILE):
            face = face.moved(1.0, left, top)
            if face.score >= SURE and face.box[3] >= TINY and _whole(face, tile.shape, (left, top), (width, height)):
                yield face.moved(1 / scale, 0, 0)


def _shrunk(image: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return image
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _starts(length: int) -> list[int]:
    """Where tiles start along a side, so that neighbours overlap and all are of one size.

    >>> _starts(1000), _starts(3000)
    ([0], [0, 860, 1720])
    """
    count = max(1, ceil((length - OVERLAP) / (TILE - OVERLAP)))
    return np.linspace(0, max(0, length - TILE), count).round().astype(int).tolist()


def _whole(face: Face, tile: tuple[int, ...], offset: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether no edge of its tile cuts a face, other than an edge of the picture, which is `size` (width, height)."""
    for start, length, at, side, whole in zip(face.box[:2], face.box[2:], offset, tile[1::-1], size, strict=True):
        if (at > 0 and start < at) or (at + side < whole and start + length > at + side):
            return False
    return True


def _merged(faces: Iterable[Face]) -> list[Face]:
    """The faces without those found twice: of several that are the same the surest stays."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: face.score, reverse=True):
        if not any(_same(face, other) for other in kept):
            kept.append(face)
    return kept


def _same(face: Face, surer: Face) -> bool:
    """Whether a face is one with a surer one: as large, or a part of it, such as an eye that looks like a face."""
    (overlap,) = iou(np.array([face.box]), np.array([surer.box]))[0]
    shared = overlap * (face.area + surer.area) / (1 + overlap)
    return bool(overlap >= SAME or shared >= WITHIN * face.area)


def _turned_back(face: Face, turns: int, shape: tuple[int, ...]) -> Face:
    """A face of an image turned clockwise by so many quarters, in the image as it was, `(height, width)` in `shape`."""
    height, width = shape[:2]
    x, y, box_width, box_height = face.box
    corners = _points_back(np.array(((x, y), (x + box_width, y + box_height))), turns, height, width)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    landmarks = _points_back(face.landmarks, turns, height, width).astype(np.float32)
    return Face((left, top, right - left, bottom - top), landmarks, face.score)


def _points_back(points: np.ndarray, turns: int, height: int, width: int) -> np.ndarray:
    x, y = points[:, 0], points[:, 1]
    return np.column_stack({1: (y, height - x), 2: (width - x, height - y), 3: (width - y, x)}[turns])
