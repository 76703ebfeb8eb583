from collections import deque
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit, logit

from aiface.analysis.look import MIN_SIDE, Look
from aiface.analysis.steady_verdict import HOLD, MOST, SteadyVerdicts, _recent
from aiface.analysis.verdict import MIN_FACES, judge_person
from aiface.labels import Answer
from aiface.models.calibration import Calibration

CALIBRATION = Calibration(1.0, {"0.05": 0.7, "0.01": 0.8, "0.001": 0.9}, 0.3, 0.2)
RATE = 5  # looks a second


def look(index, score, usable=True, rate=RATE):
    return Look(index / rate, (0, 0, 9, 9), score, 200 if usable else MIN_SIDE - 1, 9)


def watch(scores, steady=None, usable=None, rate=RATE):
    """The verdict shown after each look, as a list of words or None."""
    steady, shown = steady or SteadyVerdicts(CALIBRATION), []
    for index, score in enumerate(scores):
        verdict = steady(0, look(index, score, usable is None or usable[index], rate))
        shown.append(verdict and verdict.answer)
    return shown


def changes(shown):
    judged = [verdict for verdict in shown if verdict]
    return sum(a != b for a, b in pairwise(judged))


def swinging(middle, swing, period, seconds=60):
    """Scores that go up and down by `swing` logits about `middle`."""
    times = np.arange(seconds * RATE) / RATE
    return expit(logit(middle) + swing * np.sin(2 * np.pi * times / period))


def noisy(middle, spread, seconds=60):
    return expit(logit(middle) + np.random.default_rng(0).normal(0, spread, seconds * RATE))


def test_looks_are_wanted_each_until_there_is_a_verdict_and_then_each_second_one():
    steady, wanted = SteadyVerdicts(CALIBRATION), []
    for index in range(10):
        if steady.wants(0, index / RATE):
            wanted.append(index)
            steady(0, look(index, 0.9))
    assert wanted == [0, 1, 2, 4, 6, 8]
    assert steady.last(0).answer == Answer.AI
    assert steady.last(1) is None


@pytest.mark.parametrize("threshold", [CALIBRATION.real_below, CALIBRATION.ai_from])
@pytest.mark.parametrize(
    "series",
    [
        lambda at: swinging(at, 0.9, period=0.4),
        lambda at: swinging(at, 0.9, period=2),
        lambda at: swinging(at, 0.9, period=5.5),
        lambda at: swinging(at, 4, period=0.5),
        lambda at: noisy(at, 1.0),
        lambda at: [at - 0.01, at + 0.01] * 150,
    ],
    ids=["0.4 s", "2 s", "5.5 s", "wide and fast", "noise", "every look"],
)
def test_a_score_about_a_threshold_changes_the_verdict_at_most_once(series, threshold):
    scores = series(threshold)
    assert changes(watch(scores)) <= 1


def test_without_hysteresis_these_would_flicker():
    for threshold in (CALIBRATION.real_below, CALIBRATION.ai_from):
        scores = swinging(threshold, 0.9, period=5.5)
        looks = [look(index, score) for index, score in enumerate(scores)]
        kept = deque()
        plain = [judge_person(_recent(kept, seen), CALIBRATION, True).answer for seen in looks]
        assert changes(plain) > 10


@pytest.mark.parametrize(
    ("before", "after", "last", "within"),
    [
        (0.05, 0.95, Answer.AI, 2.0),
        (0.95, 0.05, Answer.REAL, 2.0),
        (0.001, 0.99, Answer.AI, 2.0),
        (0.99, 0.001, Answer.REAL, 2.0),
        (0.05, 0.55, Answer.INCONCLUSIVE, 2.0),
        (0.95, 0.55, Answer.INCONCLUSIVE, 2.0),
        (0.05, 0.82, Answer.AI, 2.0 + HOLD),  # little above the threshold
        (0.95, 0.78, Answer.INCONCLUSIVE, 2.0 + HOLD),
        (0.95, 0.28, Answer.REAL, 2.0 + HOLD),
    ],
)
def test_a_real_change_is_shown(before, after, last, within):
    """However long it was otherwise, and back and forth it does not go."""
    shown = watch([before] * 20 * RATE + [after] * 10 * RATE)
    since = shown[20 * RATE :]
    assert since[0] == shown[20 * RATE - 1] != last
    assert since.index(last) / RATE <= within + 0.01
    assert set(since[since.index(last) :]) == {last}
    assert changes(shown) <= 2


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.99, Answer.AI), (0.81, Answer.AI), (0.5, Answer.INCONCLUSIVE), (0.29, Answer.REAL), (0.01, Answer.REAL)],
)
def test_nothing_is_shown_before_there_is_enough(score, verdict):
    assert watch([score] * 300) == [None] * (MIN_FACES - 1) + [verdict] * (301 - MIN_FACES)


@pytest.mark.parametrize(
    ("usable", "expected"),
    [
        ([0] * 10, [None] * 10),
        ([0] * 4 + [1] * 4, [None] * 6 + [Answer.AI] * 2),
        ([1] * 10 + [0] * 10, [None] * 2 + [Answer.AI] * 18),  # a face that turns away keeps its verdict for a while
        ([1] * 10 + [0] * 40, [None] * 2 + [Answer.AI] * 30 + [None] * 18),
    ],
    ids=["never", "then", "for a while", "for long"],
)
def test_only_usable_looks_count(usable, expected):
    found = watch([0.99] * len(usable), usable=usable)
    assert found[:8] == expected[:8]
    if len(usable) < 50:
        assert found == expected
    else:  # the pool holds 2 s of looks, and the verdict 3 s more
        assert found.count(None) == pytest.approx(expected.count(None), abs=8)
        assert found[-1] is None


def test_slow_looks_are_enough():
    """One look in a second, as on a slow machine."""
    assert watch([0.99] * 8, rate=1) == [None] * 2 + [Answer.AI] * 6


def test_people_are_held_apart():
    steady = SteadyVerdicts(CALIBRATION)
    for index in range(5):
        red, blue = steady(1, look(index, 0.99)), steady(2, look(index, 0.01))
    assert (red.answer, blue.answer) == (Answer.AI, Answer.REAL)
    steady.forget(2)
    assert steady(2, look(5, 0.01)) is None
    assert steady(1, look(5, 0.99)).answer == Answer.AI
    steady.forget(3)  # whoever that is


@pytest.mark.parametrize(
    ("count", "rate", "expected"),
    [(1, 5, 1), (4, 5, 4), (100, 5, 11), (100, 1, 6), (100, 20, 41), (5, 1, 5), (500, 100, MOST)],
)
def test_recent(count, rate, expected):
    looks = [look(index, 0.5, rate=rate) for index in range(count)]
    kept = deque(maxlen=MOST)
    for seen in looks:
        _recent(kept, seen)
    assert list(kept) == looks[-expected:]
