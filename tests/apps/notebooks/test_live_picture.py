import io
from types import SimpleNamespace

import numpy as np
import pytest
import scene
from PIL import Image
from scene import HEIGHT, RED, WIDTH, picture

from aiface.analysis.session import Session
from aiface.apps import throttle
from aiface.apps.notebooks import live_picture
from aiface.apps.notebooks.live_picture import INTERVAL, LivePicture
from aiface.video.opening import Frame


@pytest.fixture
def updates(monkeypatch):
    """The pictures shown, instead of in a notebook."""
    found = []
    handle = SimpleNamespace(update=lambda image: found.append(Image.open(io.BytesIO(image.data))))
    monkeypatch.setattr(live_picture, "display", lambda display_id: handle)
    return found


@pytest.mark.parametrize(
    ("looks", "step", "work", "pictures", "scores"),
    [
        (1, 0.0, 0.0, 1, 1),
        (20, INTERVAL / 5, 0.0, 4, 4),
        (20, INTERVAL * 1.01, 0.0, 20, 3 + 8),  # who has a verdict is scored on each second look
        (5, 3.0, 0.0, 5, 3 + 1),
        (20, 0.25, 1.0, 5, 5),  # where scoring is slow, half of the time remains for the rest
        (20, 0.25, 0.1, 20, 3 + 8),
    ],
)
def test_pictures_come_no_faster_than_they_can_be_seen(updates, monkeypatch, looks, step, work, pictures, scores):
    now = [50.0]
    for module in (live_picture, throttle):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    detector, scored = scene.detector(), []
    sides = detector.sides

    def slow(crops, both=True):
        now[0] += work
        scored.append(len(crops))
        return sides(crops, both)

    monkeypatch.setattr(detector, "sides", slow)
    session = Session(scene.Finder(), detector)
    session.duration = 4.0
    with LivePicture(width=160) as live:
        for index in range(looks):
            frame = Frame(picture((100, 40, 100, RED)), 0.2 * index)
            live(frame, session.update(frame), session)
            now[0] += step
        assert live._bar.n == pytest.approx(0.2 * (looks - 1))  # every look counts
        assert live._bar.total == 4.0
    assert len(updates) == pytest.approx(pictures, abs=1)
    assert set(scored) == {1}
    assert len(scored) == pytest.approx(scores, abs=1)  # what isn't shown is not scored
    assert {image.size for image in updates} == {(160, 160 * HEIGHT // WIDTH)}
    assert np.asarray(updates[0])[2:6, 2:20].min() < 60  # pictures a second, on black
