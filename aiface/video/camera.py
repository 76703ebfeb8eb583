"""A camera, which may block, be pulled out and come back."""

import time
from collections.abc import Callable, Generator, Iterator
from functools import partial

import cv2
import numpy as np

from aiface.errors import VideoError
from aiface.video.frames import Picture, VideoSource

LOST = 1.0  # seconds of empty reads until the camera is opened anew; one that wakes up gives some
PAUSE = 0.02  # seconds between empty reads
RETRY = 0.25  # seconds between attempts to open it anew


class Camera(VideoSource):
    """A camera by its number; opened, read and released in the thread, since each may block (opencv/opencv#24393).

    One that was lost midway is opened again until it is back, or until who waits for a frame gives up.
    """

    def __init__(self, index: int, capture: Callable[[int], cv2.VideoCapture]):
        super().__init__(f"camera {index}", live=True)
        self._index, self._capture = index, capture
        self._first: float | None = None  # when its first frame came

    def _read(self) -> Generator[Picture | None, None, None]:
        losses = 0
        while True:
            for image in self._images():
                now = time.monotonic()
                if image is None:
                    yield None
                    continue
                self._first = now if self._first is None else self._first
                yield now - self._first, partial(cv2.cvtColor, image, cv2.COLOR_BGR2RGB)
            losses += 1
            self.warning = f"{self.name} was lost and opened anew, {losses} times"
            time.sleep(RETRY)

    def _images(self) -> Iterator[np.ndarray | None]:
        """What one opening of the camera gives: BGR images, and None for nothing, until it is lost.

        Raises `VideoError` if it can't be opened, or fails, before its first frame of all.
        """
        camera, failure = None, None
        try:
            camera = _open_quietly(self._index, self._capture)
            if camera.isOpened():
                yield from _until_lost(camera)
            else:
                failure = "it can't be opened"
        except Exception as error:  # a driver's, of whatever kind
            failure = f"its driver failed ({error})"
        finally:
            if camera is not None:
                camera.release()
        self.failure = failure
        if failure and self._first is None:
            advice = "close other programs that use it, check cable and permission, or give another number"
            raise VideoError(f"{self.name}: expected a frame, but {failure}; {advice}")
        yield None


def _until_lost(camera: cv2.VideoCapture) -> Iterator[np.ndarray | None]:
    seen = time.monotonic()
    while time.monotonic() - seen < LOST:
        ok, image = camera.read()
        if ok:
            yield image
            seen = time.monotonic()
        else:
            yield None
            time.sleep(PAUSE)


def _open_quietly(index: int, capture: Callable[[int], cv2.VideoCapture]) -> cv2.VideoCapture:
    """OpenCV prints several lines for a camera that isn't there; the error says it better."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return capture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
