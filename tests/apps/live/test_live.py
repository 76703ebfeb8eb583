import sys
import threading
import time
from itertools import count
from types import SimpleNamespace

import cv2
import numpy as np
import pygame
import pytest
import scene
from clips import FakeCamera, seconds, write_clip
from scene import BLUE, HEIGHT, RED, WIDTH, picture

from aiface.analysis.session import Session
from aiface.apps.live import live as live_module
from aiface.apps.live.live import LATE, SLOWEST, TICK, Judge, Meter, live, paced
from aiface.apps.live.window import Window
from aiface.apps.throttle import Throttle
from aiface.drawing import COLOURS
from aiface.errors import VideoError
from aiface.labels import Answer
from aiface.reports.overlay import draw
from aiface.video.frames import Frame
from aiface.video.opening import open_video

BOTH = picture((20, 50, 100, RED), (180, 60, 90, BLUE))


@pytest.fixture(autouse=True)
def dummy_display(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", seconds(20), lambda _: BOTH, (WIDTH, HEIGHT))


@pytest.fixture
def shown(monkeypatch):
    """What is on the screen after each picture."""
    screens, show = [], Window.show

    def showing(window, image):
        going = show(window, image)
        screens.append(pygame.surfarray.array3d(pygame.display.get_surface()).transpose(1, 0, 2))
        return going

    monkeypatch.setattr(Window, "show", showing)
    return screens


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "aiface ahead" and thread.is_alive()]


# From source to screen


def test_a_clip_is_shown_judged_and_ends_at_its_own_pace(clip, shown):
    began = time.monotonic()
    assert live(clip, scene.Finder(), scene.detector()) is None
    assert time.monotonic() - began >= 1.9
    assert 5 <= len(shown) <= 60
    assert shown[-1].shape == (HEIGHT, WIDTH, 3)
    for column, verdict in ((20, Answer.AI), (180, Answer.REAL)):
        edge = shown[-1][80:130, column].astype(int)
        assert np.abs(np.median(edge, axis=0) - COLOURS[verdict]).max() < 40
    assert (shown[-1][2:14, :60] == 0).all(axis=2).any()  # frames a second and latency, on black
    assert not pygame.display.get_init()
    assert threads() == []


def test_closing_the_window_ends_it(clip, monkeypatch):
    pictures = count()
    monkeypatch.setattr(Window, "show", lambda window, image: next(pictures) < 3)
    live(clip, scene.Finder(), scene.detector())
    assert next(pictures) == 4
    assert not pygame.display.get_init()
    assert threads() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("where", ["find", "show"])
def test_whatever_happens_all_is_closed(clip, monkeypatch, error, where):
    def fail(*_):
        raise error

    if where == "show":
        monkeypatch.setattr(Window, "show", fail)
    with pytest.raises(error):
        live(clip, fail if where == "find" else scene.Finder(), scene.detector())
    assert not pygame.display.get_init()
    assert threads() == []


@pytest.mark.parametrize("driver", ["x11", "offscreen", "nonsense", None])
def test_without_a_display(clip, monkeypatch, driver):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("SDL_VIDEODRIVER")
    if driver:
        monkeypatch.setenv("SDL_VIDEODRIVER", driver)
    elif sys.platform != "linux":
        pytest.skip("only Linux runs without any display")
    with pytest.raises(VideoError, match=r"expected a display to open a window on, found none .*inference\.ipynb"):
        live(clip, scene.Finder(), scene.detector())
    assert not pygame.display.get_init()


def test_the_window_is_named_after_its_source(clip, monkeypatch):
    titles = []
    monkeypatch.setattr(Window, "show", lambda *_: titles.append(pygame.display.get_caption()[0]))
    live(clip, scene.Finder(), scene.detector())
    assert titles == [f"aiface: {clip} (q to quit)"]
    assert live_module.Window is Window


# Cameras


def camera(monkeypatch, *openings):
    """`live` opens these one after another for its camera, the last one again and again."""
    left = list(openings)
    monkeypatch.setattr(
        live_module, "open_video", lambda source: open_video(source, lambda _: left.pop(0) if left[1:] else left[0])
    )


@pytest.fixture
def never():
    """An event to block on as a dead camera does, set when the test ends so that its thread can too."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("end", ["blocks", "gives nothing", "fails"])
def test_a_camera_that_dies_says_so_on_the_picture_and_then_ends(monkeypatch, never, end):
    monkeypatch.setattr("aiface.video.frames.STALL", 1.0)
    ends = {"blocks": lambda: (never.wait(), None), "gives nothing": lambda: (False, None), "fails": lambda: 1 / 0}
    camera(monkeypatch, FakeCamera(count=20, end=ends[end]), FakeCamera(opens=False))
    told = []
    monkeypatch.setattr(live_module, "draw", lambda *args: told.append((time.monotonic(), args[2])) or draw(*args))
    with pytest.raises(VideoError, match="camera 0: expected a frame, but it stalled"):
        live(0, scene.Finder(), scene.detector())
    messages = [at for at, text in told if text == "camera 0 gives no picture: waiting for it"]
    assert messages
    assert time.monotonic() - messages[0] < 5


def test_closing_while_a_camera_blocks(monkeypatch, never):
    camera(monkeypatch, FakeCamera(count=3, end=lambda: (never.wait(), None)))
    asked = []
    monkeypatch.setattr(Window, "show", lambda *_: asked.append(time.monotonic()) or len(asked) < 12)
    live(0, scene.Finder(), scene.detector())  # the window answers though no frame comes
    assert time.monotonic() - asked[-1] < 2


# Pace


class Clock:
    """Time that passes only by sleeping and working."""

    now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, span):
        assert 0 < span <= TICK + 1e-9  # the window has to answer
        self.now += span


class Source:
    """Pictures without images."""

    def __init__(self, times, live=False):
        self.live, self.captured = live, 42.0
        self._times = iter(times)

    def pictures(self):
        return ((at, lambda: None) for at in self._times)

    def ready(self, _):
        return True


def played(times, work=0.0, decoding=0.0, is_live=False):
    """The times of the pictures shown, and when they were, if showing or decoding one takes so many seconds."""
    clock, shown = Clock(), []

    def decoded():
        for at in times:
            clock.now += decoding
            yield at

    for due in paced(Source(decoded(), is_live), clock, clock.sleep):
        if due is not None:
            shown.append((due[1][0], clock.now - 100))
            clock.now += work
    return [at for at, _ in shown], [when for _, when in shown]


@pytest.mark.parametrize("work", [0.0, 0.03, 0.09])
@pytest.mark.parametrize("times", [seconds(30), [0, 0.1, 0.15, 5.0, 5.2, 60.0], [7.0, 7.5, 8.0]])
def test_a_file_keeps_its_own_pace(times, work):
    at, when = played(times, work)
    assert at == times
    assert when == pytest.approx([max(time - times[0], 0) for time in times], abs=LATE)


@pytest.mark.parametrize("work", [0.15, 0.25, 1.0])
def test_late_frames_are_left_out(work):
    at, when = played(seconds(300, 1 / 30), work)
    assert len(at) == pytest.approx(10 / work, rel=0.3)
    assert np.subtract(when, at).max() <= LATE + 0.01


def test_where_decoding_is_too_slow_some_are_shown():
    at, when = played(seconds(300, 1 / 30), decoding=0.05)
    assert len(at) == pytest.approx(300 * 0.05 / SLOWEST, rel=0.2)
    assert np.diff(when).max() <= SLOWEST + 0.06


def test_a_live_source_is_shown_as_it_comes():
    at, when = played(seconds(30), work=1.0, is_live=True)
    assert at == seconds(30)
    assert when == pytest.approx(range(30))


def test_while_nothing_comes_there_are_ticks():
    source = Source([0])
    answers = iter([False, False, True, True])
    source.ready = lambda _: next(answers)
    assert [due is None for due in paced(source)] == [True, True, False]


# Judging beside the picture


def slow_detector(pause):
    real = scene.detector()
    looks = []

    def sides(crops, both=True):
        looks.append(time.monotonic())
        time.sleep(pause)
        return real.sides(crops, both)

    found = SimpleNamespace(sides=sides, score_of=real.score_of, calibration=real.calibration, looks=looks)
    found.of = lambda moving: found
    return found


def test_the_picture_stays_fluent_while_scoring_is_slow():
    detector = slow_detector(0.3)
    judge = Judge(Session(scene.Finder(), detector))
    took, marks, began = [], [], time.monotonic()
    while len(detector.looks) < 5 and time.monotonic() < began + 20:
        asked = time.monotonic()
        marks.append(judge(Frame(BOTH, asked)))
        took.append(time.monotonic() - asked)
        time.sleep(0.02)
    judge.close()
    assert np.median(took) < 0.1  # a look takes 0.3 s
    assert len(detector.looks) == 5
    assert np.diff(detector.looks).min() >= 0.59  # half of the time at most
    texts = [text for found in marks for _, text, _ in found]
    assert texts[0] == "looking..."
    assert {text.split()[0] for text in texts} == {"looking...", "AI", "real"}
    assert threads() == []


def test_a_quick_detector_is_not_asked_too_often(monkeypatch):
    for pace in ("LOOKS", "CALM"):
        monkeypatch.setattr(live_module, pace, 4)
    detector, faces = slow_detector(0.0), scene.Finder()(BOTH)
    judge = Judge(Session(lambda image: faces, detector))
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        judge(Frame(BOTH, time.monotonic()))
        time.sleep(0.005)
    judge.close()
    assert 2 <= len(detector.looks) <= 7


@pytest.mark.parametrize(
    ("image", "calm"),
    [
        (BOTH, [False, False, True]),  # three looks make a verdict
        (picture((60, 50, 40, RED)), [False] * 3),  # too small for any
        (picture(), [False] * 3),  # nobody
    ],
)
def test_who_has_a_verdict_is_looked_at_less_often(monkeypatch, image, calm):
    paces, end = [], time.monotonic() + 20
    monkeypatch.setattr(live_module, "Throttle", lambda interval: paces.append(Throttle(interval)) or paces[0])
    judge, found = Judge(Session(scene.Finder(), slow_detector(0.0))), []
    while len(found) < 3 and time.monotonic() < end:
        before = judge._session.frames
        judge(Frame(image, time.monotonic()))
        while judge._session.frames == before and time.monotonic() < end:
            time.sleep(0.01)
        while not judge._looks.ready(0) and time.monotonic() < end:
            time.sleep(0.01)
        found.append(paces[0].interval == 1 / live_module.CALM)
    judge.close()
    assert found == calm


def test_boxes_go_along_between_looks():
    texture = cv2.resize(np.random.default_rng(0).integers(-20, 20, (18, 32), np.int16), (WIDTH, HEIGHT))
    image = np.clip(0.8 * BOTH + 20 + texture[..., None], 0, 255).astype(np.uint8)
    detector = slow_detector(1.0)
    judge = Judge(Session(scene.Finder(), detector))
    end = time.monotonic() + 5
    while not judge(Frame(image, 0.0)) and time.monotonic() < end:
        time.sleep(0.02)
    (before, *_), *_ = judge(Frame(image, 0.1))
    (after, *_), *_ = judge(Frame(np.roll(image, 12, axis=1), 0.2))
    judge.close()
    assert len(detector.looks) <= 2
    assert after[0] - before[0] == pytest.approx(12, abs=3)


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (640, 360), (240, 320)])
def test_the_frame_may_change_its_size(size):
    judge = Judge(Session(scene.Finder(), scene.detector()))
    end = time.monotonic() + 5
    while not judge(Frame(BOTH, 0.0)) and time.monotonic() < end:
        time.sleep(0.02)
    other = picture((40, 40, 100, RED), width=size[0], height=size[1])
    assert judge(Frame(other, 1.0))
    end = time.monotonic() + 5
    while len(judge(Frame(other, 1.0))) != 1 and time.monotonic() < end:
        time.sleep(0.02)
    assert len(judge(Frame(other, 1.0))) == 1
    judge.close()


def test_a_meter(monkeypatch):
    now = [10.0]
    monkeypatch.setattr(live_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    meter = Meter()
    assert meter.text == ""
    for _ in range(50):
        now[0] += 0.04
        meter.count(now[0] - 0.03)
    assert meter.text in ("25 fps, 30 ms", "26 fps, 30 ms")
    now[0] += 5
    meter.count(now[0] - 2)
    assert meter.text == "1 fps, 2000 ms"
