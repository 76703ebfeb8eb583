"""A still is scored from both sides; and how far that score moves when nothing that tells real from AI has changed."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from aiface.data.degrade import jpeg


def encoded_again(image: np.ndarray) -> np.ndarray:
    """An RGB uint8 image as it comes back from a JPEG."""
    return jpeg(image, 75)


VIEWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "re-encoded": encoded_again,
}


_SIDES = [list(VIEWS).index(name) for name in ("as it is", "mirrored")]


def both_sides(logits: Callable[[np.ndarray], np.ndarray], crops: np.ndarray) -> np.ndarray:
    """What a face's score is made of: the mean of its logit and its mirror image's, float32 `(n,)`.

    Measured on validation faces, it is worth as much as a long training: docs/EXPERIMENTS.md.

    >>> both_sides(lambda crops: crops[:, 0, 0, 0] - 2.0, np.array([[[[3]], [[5]]]]))
    array([2.])
    """
    return mean_of(each_side(logits, crops))


def each_side(logits: Callable[[np.ndarray], np.ndarray], crops: np.ndarray) -> np.ndarray:
    """Logits of faces and of their mirror images, `(2, n)`."""
    return logits(np.concatenate((crops, mirrored(crops)))).reshape(2, -1)


def mirrored(crops: np.ndarray) -> np.ndarray:
    """Crops `(n, h, w, c)` seen from the other side."""
    return np.ascontiguousarray(crops[:, :, ::-1])


def mean_of(sides: np.ndarray) -> np.ndarray:
    """Logits of faces, `(n,)`, of those of their sides, `(k, n)`."""
    return np.mean(sides, axis=0)


def measured(
    logits: Callable[[np.ndarray], np.ndarray], batches: Iterable[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of faces from `both_sides`, `(n,)`, and of each view of theirs, `(v, n)`: what a calibration is made from.

    logits: gives float32 `(b,)` of uint8 crops `(b, 256, 256, 3)`, a batch.
    """
    found = [np.array([logits(view) for view in views(batch)], np.float32) for batch in batches]
    of_views = np.concatenate([np.zeros((len(VIEWS), 0), np.float32), *found], axis=1)
    return mean_of(of_views[_SIDES]), of_views  # two of the views are the two sides: no further pass


def views(crops: np.ndarray) -> Iterator[np.ndarray]:
    """Uint8 RGB crops `(n, 256, 256, 3)` in each view of `VIEWS` in turn, as arrays of the same shape."""
    for view in VIEWS.values():
        yield np.array([view(crop) for crop in crops], np.uint8).reshape(crops.shape)


def spread(score: np.ndarray, of_views: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """The largest absolute difference in P(AI) between a face from `both_sides` and its views, float32 `(n,)`.

    score: P(AI) of n faces. of_views: P(AI) of the same faces in each view by itself, `(v, n)`.

    >>> spread(np.array([0.5, 0.9]), np.array([[0.25, 0.9], [0.625, 0.9]])).tolist()
    [0.25, 0.0]
    """
    return np.abs(np.asarray(of_views, np.float32) - np.asarray(score, np.float32)).max(axis=0)


def settled(spreads: np.ndarray, whole: Callable[[int], float], bar: float) -> float:
    """On which side of `bar` the median of spreads lies, as a number there, from as few views as can tell.

    spreads: of views that are known, `(n,)`: the others can but add to them, up to 1. whole: of one of the n faces the
    spread of all its views, which takes a pass of the network.

    >>> settled(np.array([0.1, 0.1, 0.9]), lambda face: 0.2, bar=0.3)
    0.2
    """
    low, high = np.array(spreads), np.ones_like(spreads)
    for face in np.argsort(spreads):
        if np.median(high) <= bar or np.median(low) > bar:
            break
        low[face] = high[face] = whole(int(face))
    return float(np.median(low if np.median(low) > bar else high))
