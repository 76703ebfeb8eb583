import numpy as np
import pytest

from aiface.audit.duplicates import near_pairs


def test_near_pairs_are_those_of_comparing_all():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 400, np.uint64)
    flips = np.uint64(1) << rng.integers(0, 64, (200, 9)).astype(np.uint64)
    hashes[200:] = hashes[:200] ^ np.bitwise_xor.reduce(flips * (np.arange(9) < rng.integers(0, 10, (200, 1))), axis=1)
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None])
    expected = np.argwhere(np.triu(apart <= 8, 1))
    pairs, bits = near_pairs(hashes, 8)
    assert len(pairs) > 150
    np.testing.assert_array_equal(pairs, expected)
    np.testing.assert_array_equal(bits, apart[pairs[:, 0], pairs[:, 1]])


@pytest.mark.parametrize("count", [0, 1])
def test_near_pairs_of_hardly_any(count):
    pairs, bits = near_pairs(np.zeros(count, np.uint64), 8)
    assert pairs.shape == (0, 2)
    assert bits.shape == (0,)
