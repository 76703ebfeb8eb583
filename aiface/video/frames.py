"""What every video source is: RGB frames with true times, read in a thread of their own; and samples of them.

Time comes from timestamps alone: the frame rate and the frame count that a file claims both lie.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from math import floor

import numpy as np

from aiface.errors import VideoError
from aiface.video.prefetch import DEPTH, Ahead

STALL = 4.0  # seconds without a frame after which a live source counts as dead: that is to be told within 5
LET_GO = 1.0  # seconds without a frame after which closing hardly waits for a live source, which may block for ever
IMAGE_STEP = 1 / 25  # seconds between the images of a folder, and between frames without any timestamps

Picture = tuple[float, Callable[[], np.ndarray]]  # seconds, and how to get the image


@dataclass(frozen=True)
class Frame:
    """image: RGB uint8 `(height, width, 3)`, upright. time: seconds from the clip's first frame."""

    image: np.ndarray
    time: float


class VideoSource:
    """Frames in presentation order, once: a context manager made by `open_video`, which documents it.

    A kind of source is its `_read`, a generator of pictures that `Ahead` runs in a thread, up to `depth` of them ahead;
    what it opens it releases.
    """

    depth = DEPTH

    def __init__(self, name: str, live: bool = False, duration: float | None = None):
        self.name = name
        self.live = live
        self.duration = duration
        self.width = self.height = 0
        self.warning: str | None = None
        self.failure: str | None = None  # why a live source gives nothing now, where that is known
        self.skipped: list[tuple[str, str]] = []

    def start(self) -> None:
        """Read the first frame, so that a source which has none fails when it is opened."""
        self._ahead = Ahead(self._read(), self.live, self.depth)
        try:
            first = next(self._arriving(), None)
            if first is None:
                reason = self.warning or "it ends before the first"
                advice = "get another copy of it"
                if "://" in self.name:  # not every server lets a file be read from its middle, where its index may be
                    advice = "save it as a file and judge that"
                raise VideoError(f"{self.name}: expected frames, found none ({reason}); {advice}")
            self.height, self.width = first[1]().shape[:2]
        except BaseException:
            self.close()
            raise
        self._pictures = chain([first], self._arriving())

    def pictures(self) -> Iterator[Picture]:
        """Pairs of a time and a function that gives the image.

        A frame whose function isn't called costs its decoding only: turning it to RGB takes four times as long.
        """
        return self._pictures

    def ready(self, seconds: float) -> bool:
        """Whether the next of `pictures` (or their end, or an error) comes within `seconds`."""
        return self._ahead.ready(seconds) or (self.live and self.silence >= STALL)

    @property
    def silence(self) -> float:
        """Seconds since a frame came in."""
        return time.monotonic() - self._ahead.arrived

    @property
    def captured(self) -> float:
        """When the last of `pictures` came in, in seconds of `time.monotonic`."""
        return self._ahead.taken

    def __iter__(self) -> Iterator[Frame]:
        return (Frame(load(), at) for at, load in self.pictures())

    def close(self) -> None:
        """Let go of the file, the connection or the camera."""
        self._ahead.close(max(0.1, LET_GO - self.silence) if self.live else None)

    def __enter__(self) -> "VideoSource":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _arriving(self) -> Iterator[Picture]:
        while self._ahead.ready(max(0.0, STALL - self.silence) if self.live else None):
            if (picture := next(self._ahead, None)) is None:
                return
            yield picture
        advice = "close other programs that use it, check cable and permission, or give another number"
        reason = f", {self.failure}" if self.failure else ""
        raise VideoError(f"{self.name}: expected a frame, but it stalled: nothing for {STALL:g} s{reason}; {advice}")

    def _read(self) -> Generator[Picture | None, None, None]:
        """Pictures in order, and None where none came for a while."""
        raise NotImplementedError


def ready_made(image: np.ndarray) -> Callable[[], np.ndarray]:
    """How to get the image of a `Picture` that is there already."""
    return lambda: image


def seconds_of(ticks: int | None, time_base: Fraction | None) -> float:
    """How long a number of ticks is, in seconds; 0 where either is unknown.

    PyAV 19 has rationals of its own: these two fields are what they share with `Fraction`.
    """
    return 0.0 if ticks is None or time_base is None else ticks * time_base.numerator / time_base.denominator


def sample(frames: Iterable[Frame], rate: float) -> Iterator[Frame]:
    """At most `rate` frames a second: the first, then the first at or after each multiple of 1 / `rate` s.

    The clip's last frame is added if it comes more than half an interval after the one before it, so that no
    end is lost. The frames that an `open_video` source needn't give are not converted to RGB. Raises
    `ValueError` for a rate that is not positive.

    >>> [frame.time for frame in sample((Frame(None, t / 10) for t in range(9)), rate=2.5)]
    [0.0, 0.4, 0.8]
    """
    if not rate > 0:
        raise ValueError(f"expected a positive number of frames a second, found {rate}")
    due = start = left_out = None
    taken = 0.0
    for at, load in _pictures_of(frames):
        start = at if start is None else start
        if due is None or at >= due - 1e-6:
            yield Frame(load(), at)
            due = start + (floor((at - start) * rate + 1e-6) + 1) / rate
            taken, left_out = at, None
        else:
            left_out = at, load
    if left_out and left_out[0] - taken > 0.5 / rate:
        yield Frame(left_out[1](), left_out[0])


def _pictures_of(frames: Iterable[Frame]) -> Iterator[Picture]:
    if isinstance(frames, VideoSource):
        return frames.pictures()
    return ((frame.time, ready_made(frame.image)) for frame in frames)
