import os
import sys

import numpy as np
import pytest
from clips import FakeFinder

from aiface import workers
from aiface.batches import Batches
from aiface.dataset import scan
from aiface.feed import Feed
from aiface.shards import prepare


class Numbers:
    """A sequence of batches that say which one they are, and who made them."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        if index == 3:
            raise ValueError("the fourth")
        return np.full(2, index), os.getpid()


@pytest.mark.parametrize("number", [0, 1, 3])
def test_batches_are_the_same_whoever_makes_them(number):
    with workers.started(number) as pool:
        feed = Feed(Numbers(), 2, pool)
        assert len(feed) == 5
        made = [feed[index] for index in (2, 0, 4)]
        with pytest.raises(ValueError, match="the fourth"):
            feed[3]
        assert feed[1][0].tolist() == [1, 1]
    assert [images.tolist() for images, _ in made] == [[2, 2], [0, 0], [4, 4]]
    assert {pid == os.getpid() for _, pid in made} == {not number}


def test_processes_make_batches_without_keras(make_tree, tmp_path):
    crops = prepare(scan(make_tree(tmp_path / "tree")), tmp_path / "crops", FakeFinder)
    batches = Batches(crops.split("train"), 64, 4, 2, (0, 0))
    here = batches[1]  # the shards are mapped from here on
    with workers.started(1) as pool:
        for one, other in zip(here, Feed(batches, 1, pool)[1], strict=True):
            np.testing.assert_array_equal(one, other)
        assert not pool.submit(eval, "'keras' in __import__('sys').modules").result()
    assert "keras" in sys.modules


def test_none_outlives_its_use():
    with workers.started(1) as pool:
        _, pid = Feed(Numbers(), 1, pool)[0]
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
