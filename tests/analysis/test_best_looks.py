import numpy as np
import pytest

from aiface.analysis.best_looks import FRONTAL, SHARP, STRETCH, BestLooks, quality
from aiface.analysis.look import MIN_SIDE, Look


def look(index, side=200.0, sharpness=9.0, front=1.0, rate=5):
    return Look(index / rate, (0, 0, 9, 9), None, side, sharpness, front)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (look(0, side=200), look(0, side=190)),
        (look(0, sharpness=SHARP), look(0, sharpness=SHARP - 0.1)),
        (look(0, front=FRONTAL), look(0, front=FRONTAL - 0.1)),
        (look(0, side=100, sharpness=SHARP), look(0, side=200, sharpness=SHARP / 2.1)),
    ],
)
def test_quality(better, worse):
    assert 0 < quality(worse) < quality(better) <= 1


@pytest.mark.parametrize("other", [look(0, side=500), look(0, side=256, sharpness=50), look(0, side=256, front=0.6)])
def test_good_enough_is_good_enough(other):
    assert quality(other) == quality(look(0, side=256)) == 1


def test_the_best_of_each_stretch_is_kept():
    """One look in sixteen is large, and so many there are in each of the last stretches."""
    best = BestLooks(4)
    for index in range(64):
        best.add(look(index, side=256 if index % 16 == 11 else 100, rate=4))
    assert [look.time * 4 for look in best] == [11, 27, 43, 59]


@pytest.mark.parametrize("size", [6, 16])
@pytest.mark.parametrize("rate", [2, 5, 30])
@pytest.mark.parametrize("count", [1, 3, 6, 16, 17, 40, 333, 5000])
def test_there_are_few_spread_over_all_the_time(size, rate, count):
    best = BestLooks(size)
    for index in range(count):
        best.add(look(index, rate=rate))
        assert len(list(best)) <= size
    times = [look.time for look in best]
    assert times == sorted(times)
    apart = min(count, int(count / rate / STRETCH))
    assert len(times) >= min(apart, size // 2 + 1)
    assert times[0] == 0
    longest = max(np.diff([*times, (count - 1) / rate]), default=0)
    assert longest <= max(2 / rate, 2 * STRETCH, 4 * count / rate / size)


def test_a_long_pause_does_not_crowd_out_what_came_before():
    best = BestLooks(6)
    for index in [*range(6), 3000]:
        best.add(look(index))
    assert 4 <= len(list(best)) <= 6
    assert [look.time for look in best][-1] == 600


SMALL, BLURRED = {"side": MIN_SIDE - 1.0}, {"sharpness": 0.1}


@pytest.mark.parametrize(
    ("looks", "kept"),
    [
        ([SMALL] * 3, [0, 1, 2]),
        ([SMALL, {}, BLURRED], [1]),
        ([BLURRED, SMALL, {}, {}, SMALL], [2, 3]),
        ([SMALL] * 100 + [{}], [100]),
        ([{}] * 3 + [SMALL] * 100 + [{}], [0, 1, 2, 103]),
        ([SMALL] * 100 + [{}] * 6, [100, 101, 102, 103, 104, 105]),  # the stretches start short again
    ],
)
def test_looks_that_cannot_be_judged_give_way(looks, kept):
    best = BestLooks(6)
    for index, options in enumerate(looks):
        best.add(look(index, **options))
    assert [round(look.time * 5) for look in best] == kept
