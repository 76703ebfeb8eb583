import numpy as np
import pytest
import scene

from aiface.evaluation.scoring import seen
from aiface.models.views import VIEWS, measured


@pytest.mark.parametrize("sizes", [(1,), (3, 2), (2, 2, 1)])
@pytest.mark.parametrize("logits", [scene.by_colour, scene.by_side], ids=["colour", "side"])
def test_three_passes_tell_what_five_do(sizes, logits):
    rng, asked = np.random.default_rng(0), []

    def runtime(crops):
        asked.append(len(crops))
        return logits(crops)[:, 0]

    batches = [rng.integers(0, 256, (size, 256, 256, 3), np.uint8) for size in sizes]
    for found, expected in zip(seen(runtime, batches), measured(runtime, batches), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32
    assert sum(asked) == (len(VIEWS) + 5) * sum(sizes)


def test_of_nobody_there_is_nothing():
    faces, of_views = seen(scene.by_colour, [])
    assert (faces.shape, of_views.shape) == ((0,), (len(VIEWS), 0))
