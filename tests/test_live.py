import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pygame
import pytest
import scene
from clips import seconds, write_clip
from scene import BLUE, HEIGHT, RED, WIDTH, picture

from aiface import live as live_module
from aiface.errors import VideoError
from aiface.live import Window, live
from aiface.overlay import COLOURS
from aiface.verdict import AI, REAL

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def dummy_display(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


@pytest.fixture
def clip(tmp_path):
    both = picture((20, 50, 100, RED), (180, 60, 90, BLUE))
    return write_clip(tmp_path / "clip.mp4", seconds(8), lambda _: both, (WIDTH, HEIGHT))


def screen():
    return pygame.surfarray.array3d(pygame.display.get_surface()).transpose(1, 0, 2)


def test_a_clip_is_shown_judged_and_ends(clip, monkeypatch):
    shown = []
    show = Window.show
    monkeypatch.setattr(Window, "show", lambda window, image: (show(window, image), shown.append(screen()))[0])
    assert live(clip, scene.Finder(), scene.detector()) is None
    assert len(shown) == 8
    assert shown[-1].shape == (HEIGHT, WIDTH, 3)
    for column, verdict in ((20, AI), (180, REAL)):
        edge = shown[-1][80:130, column].astype(int)
        assert np.abs(np.median(edge, axis=0) - COLOURS[verdict]).max() < 40
    assert not pygame.display.get_init()


@pytest.mark.parametrize(
    ("event", "goes_on"),
    [
        (None, True),
        (pygame.event.Event(pygame.MOUSEMOTION, pos=(1, 1), rel=(0, 0), buttons=(0, 0, 0)), True),
        (pygame.event.Event(pygame.KEYDOWN, key=pygame.K_SPACE), True),
        (pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q), False),
        (pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE), False),
        (pygame.event.Event(pygame.QUIT), False),
    ],
)
def test_what_closes_the_window(event, goes_on):
    window = Window("test", 64, 48)
    if event:
        pygame.event.post(event)
    assert window.show(np.zeros((48, 64, 3), np.uint8)) is goes_on
    window.close()


def test_closing_the_window_ends_it(clip, monkeypatch):
    finder = scene.Finder()
    monkeypatch.setattr(Window, "show", lambda window, image: finder.seen < 3)
    live(clip, finder, scene.detector())
    assert finder.seen == 3
    assert not pygame.display.get_init()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_whatever_happens_the_window_is_closed(clip, error):
    def fail(image):
        raise error

    with pytest.raises(error):
        live(clip, fail, scene.detector())
    assert not pygame.display.get_init()


def test_colours_are_rgb_and_proportions_stay():
    """In a window that the user made wider, the picture stands in the middle between black bars."""
    window = Window("test", 320, 180)
    pygame.display.set_mode((640, 180), pygame.RESIZABLE)
    window._screen = pygame.display.get_surface()
    window.show(np.full((180, 320, 3), (200, 30, 60), np.uint8))
    found = screen()
    np.testing.assert_array_equal(found[90, 320], (200, 30, 60))
    bars = np.all(found == 0, axis=2).all(axis=0)
    assert bars.sum() == 320
    assert bars[:160].all()
    assert bars[-160:].all()
    window.close()


@pytest.mark.parametrize(
    ("size", "expected"), [((320, 180), (320, 180)), ((4000, 2000), (1024, 512)), ((1000, 3072), (250, 768))]
)
def test_the_window_fits_on_the_screen(size, expected):
    assert pygame.display.get_init() or pygame.display.init() is None
    assert pygame.display.get_desktop_sizes() == [(1024, 768)]  # what the dummy display has
    window = Window("test", *size)
    assert pygame.display.get_surface().get_size() == expected
    window.close()


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


def test_the_window_beside_tensorflow_on_a_real_display():
    """SDL would else load Mesa's OpenGL, whose LLVM and TensorFlow's crash together."""
    if not shutil.which("xvfb-run"):
        pytest.skip("needs xvfb-run, a display in memory")
    code = "import numpy as np\nfrom aiface.live import Window\nwindow = Window('test', 64, 48)\n"
    code += "print(window.show(np.zeros((48, 64, 3), np.uint8)), window._pygame.display.get_driver())\nwindow.close()"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SDL_")}
    done = subprocess.run(
        ["xvfb-run", "-a", sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "True x11\n"), done.stderr


def test_the_window_is_named_after_its_source(clip, monkeypatch):
    titles = []
    monkeypatch.setattr(Window, "show", lambda *_: titles.append(pygame.display.get_caption()[0]))
    live(clip, scene.Finder(), scene.detector())
    assert titles == [f"aiface: {clip} (q to quit)"]
    assert live_module.Window is Window
