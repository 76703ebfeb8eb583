"""A face's score and how steady it is, from no more passes of the network than it has views."""

from collections.abc import Iterable

import numpy as np

from aiface.models.detector import Runtime
from aiface.models.views import VIEWS, views

SIDES = [list(VIEWS).index(name) for name in ("as it is", "mirrored")]


def seen(runtime: Runtime, batches: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Logits of faces from both sides, float32 `(n,)`, and of each view of theirs, `(v, n)`.

    The same, to the last bit, as `aiface.models.views.measured`, in three passes instead of five: two of the views are
    the two sides. Of no batch, no faces.
    """
    found = [np.array([runtime(view) for view in views(batch)], np.float32) for batch in batches]
    of_views = np.concatenate([np.zeros((len(VIEWS), 0), np.float32), *found], axis=1)
    one, other = of_views[SIDES]
    return (one + other) / 2, of_views
