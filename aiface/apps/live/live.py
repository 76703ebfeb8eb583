"""A camera's picture in a window, with the verdict on each person in it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from aiface.analysis.session import Session
from aiface.apps.live.window import Window
from aiface.apps.throttle import Throttle
from aiface.faces.box_flow import follow, small_grey
from aiface.faces.finder import Finder
from aiface.models.detector import Detector
from aiface.reports.overlay import Mark, draw, shown_marks
from aiface.video.frames import Frame, Picture, VideoSource
from aiface.video.opening import open_video
from aiface.video.prefetch import Ahead

LOOKS = 10  # a second at most while nobody is there, or somebody without a verdict
CALM = 5  # and else: more tell nothing new
TICK = 0.1  # seconds: how often the window answers while no frame comes
LATE = 0.05  # seconds: a file's frame that is later is left out...
SLOWEST = 0.2  # ...unless none was shown for this time
SILENCE = 0.5  # seconds without a frame until the picture says so


def live(source: str | Path | int, finder: Finder, detector: Detector) -> None:
    """Judge a camera (or play a clip at its own pace) in a window until that is closed, or `q` pressed, or it ends.

    Raises `VideoError` if the camera can't be opened or gives nothing for 4 s, and if there is no display.
    """
    with ExitStack() as stack:
        video = stack.enter_context(open_video(source))
        judge = stack.enter_context(closing(Judge(Session(finder, detector))))
        title = f"aiface: {video.name} (q to quit)"
        _play(video, judge, stack.enter_context(closing(Window(title, video.width, video.height))))


def _play(video: VideoSource, judge: "Judge", window: Window) -> None:
    meter, image = Meter(), np.zeros((video.height, video.width, 3), np.uint8)
    shown = image
    for due in paced(video):
        if due is not None:
            moment, (at, load) = due
            image = load()
            shown = draw(image, judge(Frame(image, at)), meter.text)
        elif video.live and video.silence > SILENCE:
            shown = draw(image, [], f"{video.name} gives no picture: waiting for it")
        if not window.show(shown):
            return
        if due is not None:
            meter.count(moment)


def paced(
    video: VideoSource, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[float, Picture] | None]:
    """Pictures when they are due, with the `clock`'s time of that; None about each 0.1 s while none is.

    A live source's are due as they come. A file's come at their own pace, and those that are late are left out.
    """
    pictures, start, shown = video.pictures(), None, -np.inf
    while True:
        if not video.ready(TICK):
            yield None
            continue
        if (picture := next(pictures, None)) is None:
            return
        if video.live:
            yield video.captured, picture
            continue
        start = clock() - picture[0] if start is None else start
        due = start + picture[0]
        while (early := due - clock()) > 0:
            sleep(min(early, TICK))
            if early > TICK:
                yield None
        if clock() - due <= LATE or clock() - shown >= SLOWEST:
            yield due, picture
            shown = clock()


class Judge:
    """Finds and scores faces in a thread of its own, at most half of the time, in the newest frame it was given.

    Called with a frame it answers at once what to draw: what was last found, moved along with the picture.
    """

    def __init__(self, session: Session):
        self._session = session
        self._given: Frame | None = None
        self._news = threading.Event()
        self._found: tuple[np.ndarray, list[Mark]] | None = None
        self._looks = Ahead(self._look(), newest=True)

    def __call__(self, frame: Frame) -> list[Mark]:
        """What to draw into a frame. Raises what finding or scoring raised."""
        self._given = frame
        self._news.set()
        if self._looks.ready(0):
            self._found = next(self._looks)
        if self._found is None:
            return []
        before, marks = self._found
        now = small_grey(frame.image)
        boxes = follow([box for box, *_ in marks], before, now, frame.image.shape[1] / now.shape[1])
        return [(box, text, answer) for box, (_, text, answer) in zip(boxes, marks, strict=True)]

    def close(self) -> None:
        """Stop judging, after the look that is being taken."""
        self._looks.close()

    def _look(self) -> Generator[tuple[np.ndarray, list[Mark]] | None, None, None]:
        pace = Throttle(1 / LOOKS)
        while True:
            if (left := pace.left) > 0:
                time.sleep(min(left, TICK))
            elif self._news.wait(TICK) and (frame := self._given) is not None:
                self._news.clear()
                with pace:
                    seen = self._session.update(frame)
                    shown = self._session.shown(seen)
                    pace.interval = 1 / (CALM if seen and all(shown) else LOOKS)
                    yield small_grey(frame.image), shown_marks(seen, shown)
                continue
            yield None  # nothing yet


class Meter:
    """How fast and how fresh the picture is."""

    def __init__(self) -> None:
        self.text = ""
        self._shown: deque[float] = deque()

    def count(self, moment: float) -> None:
        """A frame was shown just now that came, or was due, at this moment of `time.monotonic`."""
        now = time.monotonic()
        self._shown.append(now)
        while self._shown[0] <= now - 1:
            self._shown.popleft()
        self.text = f"{len(self._shown)} fps, {1000 * (now - moment):.0f} ms"
