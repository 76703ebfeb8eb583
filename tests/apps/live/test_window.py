import os
import shutil
import subprocess
import sys

import numpy as np
import pygame
import pytest

from aiface.apps.live.window import Window
from aiface.paths import ROOT


@pytest.fixture(autouse=True)
def dummy_display(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


def screen():
    return pygame.surfarray.array3d(pygame.display.get_surface()).transpose(1, 0, 2)


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


def test_the_window_beside_tensorflow_on_a_real_display():
    """SDL would else load Mesa's OpenGL, whose LLVM and TensorFlow's crash together."""
    if not shutil.which("xvfb-run"):
        pytest.skip("needs xvfb-run, a display in memory")
    code = "import numpy as np\nfrom aiface.apps.live.window import Window\nwindow = Window('test', 64, 48)\n"
    code += "print(window.show(np.zeros((48, 64, 3), np.uint8)), window._pygame.display.get_driver())\nwindow.close()"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SDL_")}
    done = subprocess.run(
        ["xvfb-run", "-a", sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "True x11\n"), done.stderr
