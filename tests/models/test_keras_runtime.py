import numpy as np
import pytest
import scene
from bundles import crops

from aiface.models.keras_runtime import BATCH_SIZES, KerasRuntime


@pytest.mark.parametrize("n", [1, 3, 5, 16, 17, 70])
def test_the_network_sees_few_batch_sizes(n):
    sizes = []

    class Network:
        def predict_on_batch(self, batch):
            sizes.append(len(batch))
            return scene.by_colour(batch)

    images = crops(n)
    found = KerasRuntime(Network())(images)
    assert set(sizes) <= set(BATCH_SIZES)
    assert n <= sum(sizes) < n + 16
    np.testing.assert_array_equal(found, scene.by_colour(images)[:, 0])
