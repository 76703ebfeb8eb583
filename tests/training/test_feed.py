import os
import sys

import numpy as np
import pytest
from clips import FakeFinder

from aiface.data.batches import Batches
from aiface.data.crop_sets import prepare
from aiface.data.folders import scan
from aiface.training import batch_workers
from aiface.training.feed import Feed


@pytest.fixture(scope="module")
def batches(make_tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("feed")
    crops = prepare(scan(make_tree(folder / "tree")), folder / "crops", FakeFinder).split("train")
    return crops, Batches(crops, 64, 4, 5, (0, 0))


@pytest.mark.parametrize("number", [0, 1, 3])
def test_batches_are_the_same_whoever_makes_them(batches, number):
    crops, expected = batches
    made = [expected[index] for index in range(5)]  # the shards are mapped from here on
    with batch_workers.started(number, crops) as pool:
        feed = Feed(expected, 2, pool)
        assert len(feed) == 5
        for index in (2, 0, 4, 1, 3):
            for one, other in zip(feed[index], made[index], strict=True):
                np.testing.assert_array_equal(one, other)
        with pytest.raises(IndexError):
            feed[5]
        assert (pool is None) == (number == 0)


def test_processes_are_others_and_do_without_keras(batches):
    crops, expected = batches
    with batch_workers.started(1, crops) as pool:
        Feed(expected, 1, pool)[0]
        assert pool.submit(os.getpid).result() != os.getpid()
        assert not pool.submit(eval, "'keras' in __import__('sys').modules").result()
    assert "keras" in sys.modules


def test_none_outlives_its_use(batches):
    with batch_workers.started(1, batches[0]) as pool:
        pid = pool.submit(os.getpid).result()
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
