import os
import signal
import threading
import time
from itertools import count

import pytest

from aiface.video import prefetch
from aiface.video.prefetch import DEPTH, Ahead


@pytest.fixture
def never():
    """An event to block on as a dead driver does, set when the test ends so that its thread can too."""
    event = threading.Event()
    yield event
    event.set()


def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def failing(items, error):
    yield from items
    raise error


@pytest.mark.parametrize(
    ("made", "expected"),
    [([], []), ([1], [1]), (range(100), list(range(100))), ([None, 0, None, 1, None], [0, 1])],
)
def test_all_items_come_in_order(made, expected):
    items = Ahead(item for item in made)
    assert list(items) == expected
    assert list(items) == []
    assert not items._thread.is_alive()


@pytest.mark.parametrize("error", [ValueError("torn"), KeyboardInterrupt()])
def test_an_error_comes_once_after_the_items_before_it(error):
    items = Ahead(failing([1, 2], error))
    assert until(lambda: not items._thread.is_alive())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(type(error)) as raised:
        next(items)
    assert raised.value is error
    assert list(items) == []


def test_few_are_in_flight():
    made = []
    items = Ahead(made.append(index) or index for index in range(60))
    most = 0
    for taken in range(60):
        if taken in (0, 20, 40):
            time.sleep(0.1)  # all the time it wants to run away
        assert next(items) == taken
        most = max(most, len(made) - taken)
    assert DEPTH <= most <= DEPTH + 1 + 1  # those ready, the one that waits for room, and the one taken


def test_newest_only():
    made = []

    def numbers():
        for index in count():
            made.append(index)
            yield index
            time.sleep(0.001)

    items = Ahead(numbers(), newest=True)
    assert until(lambda: len(made) > 20)
    before = time.monotonic()
    found = next(items)
    assert found >= 19
    assert abs(items.taken - before) < 0.5
    assert next(items) > found
    items.close()


def test_the_items_end_in_the_thread_that_made_them():
    ended_in = []

    def numbers():
        try:
            yield from count()
        finally:
            ended_in.append(threading.current_thread())

    items = Ahead(numbers())
    next(items)
    items.close()
    assert ended_in == [items._thread]
    assert not items._thread.is_alive()
    assert list(items) == []
    items.close()  # twice does no harm


def test_closing_what_only_says_nothing_yet():
    items = Ahead(time.sleep(0.005) for _ in count())
    assert not items.ready(0.05)
    items.close()
    assert not items._thread.is_alive()


def test_closing_does_not_wait_for_ever(monkeypatch, never):
    monkeypatch.setattr(prefetch, "PATIENCE", 0.1)
    items = Ahead(never.wait() for _ in range(3))
    began = time.monotonic()
    items.close()
    assert time.monotonic() - began < 2
    never.set()
    assert until(lambda: not items._thread.is_alive())
    assert list(items) == []


def test_closing_wakes_who_waits(never):
    items = Ahead(never.wait() for _ in range(3))
    threading.Timer(0.1, lambda: (never.set(), items.close())).start()
    assert list(items) in ([], [True])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between threads")
def test_an_interrupt_wakes_who_waits(never):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    items = Ahead(never.wait() for _ in range(3))
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            next(items)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(("pause", "seconds", "expected"), [(0.0, 5.0, True), (9.0, 0.05, False)])
def test_ready(never, pause, seconds, expected):
    items = Ahead(never.wait(pause) for _ in range(1))
    assert items.ready(seconds) is expected


def test_ready_for_the_end():
    items = Ahead(item for item in ())
    assert items.ready(5)
    assert items.ready(0)
