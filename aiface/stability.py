"""How far a face's score moves when nothing that tells real from AI has changed."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from aiface.degrade import jpeg

VIEWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mirrored": lambda image: image[:, ::-1],
    "re-encoded": lambda image: jpeg(image, 75),
}


def views(crops: np.ndarray) -> Iterator[np.ndarray]:
    """Uint8 RGB crops `(n, 256, 256, 3)` in each view of `VIEWS` in turn, as arrays of the same shape."""
    for view in VIEWS.values():
        yield np.array([view(crop) for crop in crops], np.uint8).reshape(crops.shape)


def spread(score: np.ndarray, of_views: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """The largest absolute difference in P(AI) between a face and its views, float32 `(n,)`.

    score: P(AI) of n faces. of_views: P(AI) of the same faces in each view, `(v, n)`.

    >>> spread(np.array([0.5, 0.9]), np.array([[0.25, 0.9], [0.625, 0.9]])).tolist()
    [0.25, 0.0]
    """
    return np.abs(np.asarray(of_views, np.float32) - np.asarray(score, np.float32)).max(axis=0)
