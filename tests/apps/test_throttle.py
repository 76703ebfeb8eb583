from types import SimpleNamespace

import pytest

from aiface.apps import throttle
from aiface.apps.throttle import Throttle


@pytest.fixture
def now(monkeypatch):
    """The time, in a list; nothing but the test moves it."""
    clock = [50.0]
    monkeypatch.setattr(throttle, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


@pytest.mark.parametrize(
    ("interval", "work", "left"),
    [
        (0.25, 0.0, 0.25),
        (0.25, 0.1, 0.15),  # from start to start
        (0.25, 0.125, 0.125),
        (0.25, 1.0, 1.0),  # where it takes long, half of the time remains for the rest
        (0.0, 1.0, 1.0),
        (0.0, 0.0, 0.0),
    ],
)
def test_when_it_is_due_again(now, interval, work, left):
    pace = Throttle(interval)
    assert pace.left <= 0  # the first time at once
    for _ in range(3):
        with pace:
            now[0] += work
        assert pace.left == pytest.approx(left)
        now[0] += left + 5  # however long it then waits, the next comes no sooner after it


def test_work_that_fails_counts(now):
    pace = Throttle(0.25)
    with pytest.raises(ValueError, match="no"), pace:  # noqa: PT012
        now[0] += 1.0
        raise ValueError("no")
    assert pace.left == pytest.approx(1.0)
