"""Frames in: clips, URLs, cameras and folders of images to RGB frames with true times.

Time comes from timestamps alone: the frame rate and the frame count that a file claims both lie.
"""

import re
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from math import floor
from pathlib import Path

import av
import cv2
import numpy as np

from aiface.errors import DataError, VideoError
from aiface.files import is_image, read_image

CAMERA_TIMEOUT = 5.0  # seconds: a dead camera's read() never returns (opencv/opencv#24393)
NETWORK_TIMEOUT = 15.0  # seconds to open a URL, and for each read from it
IMAGE_STEP = 1 / 25  # seconds between the images of a folder, and between frames without any timestamps
JUMP = 1.0  # seconds: timestamps that go back by more start anew, as in joined clips; less is jitter

Picture = tuple[float, Callable[[], np.ndarray]]  # seconds, and how to get the image


@dataclass(frozen=True)
class Frame:
    """image: RGB uint8 `(height, width, 3)`, upright. time: seconds from the clip's first frame."""

    image: np.ndarray
    time: float


class VideoSource:
    """Frames in presentation order, once: a context manager made by `open_video`, which documents it."""

    def __init__(self, name: str, live: bool = False, duration: float | None = None):
        self.name = name
        self.live = live
        self.duration = duration
        self.width = self.height = 0
        self.warning: str | None = None
        self.skipped: list[tuple[str, str]] = []
        self._reader = self._read()
        self._pictures: Iterator[Picture] = self._reader

    def start(self) -> None:
        """Read the first frame, so that a source which has none fails when it is opened."""
        first = next(self._reader, None)
        if first is None:
            reason = self.warning or "it ends before the first"
            raise VideoError(f"{self.name}: expected frames, found none ({reason}); get another copy of it")
        self.height, self.width = first[1]().shape[:2]
        self._pictures = chain([first], self._reader)

    def pictures(self) -> Iterator[Picture]:
        """Pairs of a time and a function that gives the image.

        A frame whose function isn't called costs its decoding only: turning it to RGB takes four times as long.
        """
        return self._pictures

    def __iter__(self) -> Iterator[Frame]:
        return (Frame(load(), at) for at, load in self.pictures())

    def close(self) -> None:
        """Let go of the file, the connection or the camera."""

    def __enter__(self) -> "VideoSource":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _read(self) -> Generator[Picture, None, None]:
        raise NotImplementedError


def open_video(source: str | Path | int, capture: Callable[[int], object] = cv2.VideoCapture) -> VideoSource:
    """Open a video file, a URL (http, https, rtsp), a camera number or a folder of images.

    The result is a context manager to iterate once, for each `Frame` in presentation order, upright and with
    square pixels. A folder's images come sorted by name, 1/25 s apart; a camera gives its newest frame. It has

    - `name`, and `live`: whether there is no end to wait for;
    - `width` and `height` of the first frame in pixels; later frames may differ;
    - `duration` in seconds or None: an estimate, for progress bars only;
    - `warning`, None or what was amiss: a clip that breaks off ends there, and damaged frames are left out up
      to the next keyframe, since what refers to them is smeared;
    - `skipped`: pairs of the name of an image in the folder that can't be read, and the reason.

    `capture` makes a camera from its number, as `cv2.VideoCapture` does. Raises `VideoError` when there is
    nothing to read, and when a camera gives no frame for 5 seconds.
    """
    opened = _choose(source, capture)
    try:
        opened.start()
    except BaseException:
        opened.close()
        raise
    return opened


def _choose(source: str | Path | int, capture: Callable[[int], object]) -> VideoSource:
    if isinstance(source, int) or (isinstance(source, str) and source.isdecimal()):
        return _Camera(int(source), capture)
    if isinstance(source, str) and re.match(r"(https?|rtsps?)://", source, re.IGNORECASE):
        return _Clip(source, re.sub(r"//[^/@]*@", "//", source))  # a camera's URL may hold its password
    path = Path(source)
    if path.is_dir():
        return _Folder(path)
    if not path.exists():
        raise VideoError(f"{path}: expected a video or a folder of images, found neither; check the path")
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError(f"{path}: expected a video, found an empty file; get another copy of it")
    return _Clip(str(path.resolve()), str(path))  # absolute: FFmpeg takes "a:b.mp4" for a protocol


class _Clip(VideoSource):
    """A file or URL, decoded by FFmpeg."""

    def __init__(self, url: str, name: str):
        super().__init__(name)
        remote = "://" in url
        options = {"rtsp_transport": "tcp"} if url.lower().startswith("rtsp") else {}
        try:
            self._container = av.open(url, options=options, timeout=NETWORK_TIMEOUT if remote else None)
        except (av.FFmpegError, OSError) as error:
            advice = "check address and network" if remote else "see whether it plays, or convert it"
            reason = f"found what FFmpeg can't open ({error.strerror})"
            raise VideoError(f"{name}: expected a video, {reason}; {advice}") from None
        self._stream = self._video_stream()
        self._stream.thread_type = "AUTO"
        self._claimed = seconds_of(self._stream.duration, self._stream.time_base)
        self.duration = self._claimed or seconds_of(self._container.duration, Fraction(1, av.time_base))
        self.live = remote and not self.duration
        self._damaged = 0

    def close(self) -> None:
        self._reader.close()  # first: to go on decoding after the container is closed would crash Python
        self._container.close()

    def _video_stream(self) -> av.VideoStream:
        """The first stream of moving pictures: no album cover, nor a text file as FFmpeg would render it."""
        cover = av.stream.Disposition.attached_pic
        for stream in self._container.streams.video:
            if not stream.disposition & cover and stream.codec_context.name != "ansi":
                return stream
        found = ", ".join(sorted({stream.type for stream in self._container.streams})) or "nothing"
        self._container.close()
        raise VideoError(f"{self.name}: expected a video stream, found none ({found}); give a video")

    def _read(self) -> Generator[Picture, None, None]:
        clock = _Clock(self._stream.time_base)
        shape = float(self._stream.sample_aspect_ratio or 1)
        count, end, reason = 0, 0.0, None
        try:
            for frame in self._decode():
                at = clock.time(frame.pts)
                count, end = count + 1, at + clock.seconds(frame.duration)
                yield at, lambda frame=frame: _upright(frame, shape)
        except (av.FFmpegError, OSError) as error:
            reason = error.strerror
        self._warn(count, end, reason)

    def _decode(self) -> Iterator[av.VideoFrame]:
        whole = True
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self._damaged, whole = self._damaged + 1, False
                continue
            for frame in frames:
                whole = whole or frame.key_frame
                if whole and not frame.is_corrupt:
                    yield frame
                else:
                    self._damaged += 1

    def _warn(self, count: int, end: float, reason: str | None) -> None:
        reasons = [reason] if reason else []
        if self._damaged:
            reasons.append(f"{self._damaged} damaged frames were left out")
        if (self._claimed or 0) - end > max(0.5, 0.05 * end):
            reasons.append("its end is missing")
        if reasons:
            duration = f" of about {self.duration:.1f}" if self.duration else ""
            self.warning = f"read {count} frames, {end:.1f}{duration} s: {', '.join(reasons)}"


class _Clock:
    """Seconds from the first frame, never going back, of timestamps that may miss, repeat or jump back."""

    def __init__(self, time_base: Fraction):
        self._time_base = time_base
        self._origin: tuple[int, float] | None = None
        self._steps: deque[float] = deque(maxlen=101)
        self._last: float | None = None

    def seconds(self, ticks: int | None) -> float:
        """What a number of ticks lasts."""
        return seconds_of(ticks or 0, self._time_base)

    def time(self, pts: int | None) -> float:
        """The time of the next frame, whose timestamp is `pts`."""
        expected = 0.0 if self._last is None else self._last + self._step()
        at = expected if pts is None else self._since_origin(pts, expected)
        if self._last is not None:
            at = max(at, self._last)
            self._steps.append(at - self._last)
        self._last = at
        return at

    def _step(self) -> float:
        return statistics.median_low(self._steps) if self._steps else IMAGE_STEP

    def _since_origin(self, pts: int, expected: float) -> float:
        self._origin = self._origin or (pts, expected)
        at = self._origin[1] + self.seconds(pts - self._origin[0])
        if self._last is not None and at < self._last - JUMP:
            self._origin, at = (pts, expected), expected
        return at


def seconds_of(ticks: int | None, time_base: Fraction) -> float | None:
    """How long a number of ticks is, in seconds; None for None.

    PyAV 19 has rationals of its own: these two fields are what they share with `Fraction`.
    """
    return None if ticks is None else ticks * time_base.numerator / time_base.denominator


def _upright(frame: av.VideoFrame, shape: float) -> np.ndarray:
    """RGB image of square pixels, turned as the file asks: phones write lying frames and a rotation."""
    width = round(frame.width * shape) if 0.25 < shape < 4 else frame.width
    image = frame.to_ndarray(format="rgb24", width=width)
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


class _Folder(VideoSource):
    """The images of a folder as a clip."""

    def __init__(self, path: Path):
        self._paths = sorted(file for file in path.iterdir() if file.is_file() and is_image(file))
        if not self._paths:
            raise VideoError(f"{path}: expected images in this folder, found none; give the one they lie in")
        super().__init__(str(path), duration=len(self._paths) * IMAGE_STEP)

    def _read(self) -> Generator[Picture, None, None]:
        for index, path in enumerate(self._paths):
            try:
                image = read_image(path)
            except DataError as error:
                self.skipped.append((path.name, str(error)))
                self.warning = f"{len(self.skipped)} of {len(self._paths)} images could not be read"
                continue
            yield index * IMAGE_STEP, lambda image=image: image


class _Camera(VideoSource):
    """A camera, opened and read in a thread of its own, since either may block for ever."""

    def __init__(self, index: int, capture: Callable[[int], object]):
        super().__init__(f"camera {index}", live=True)
        self._newest: tuple[float, np.ndarray] | None = None
        self._failure: str | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._grab, args=(index, capture), daemon=True)
        self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout=1.0)

    def _read(self) -> Generator[Picture, None, None]:
        first = None
        while (newest := self._take()) is not None:
            at, image = newest
            first = at if first is None else first
            yield at - first, lambda image=image: cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def _take(self) -> tuple[float, np.ndarray] | None:
        """The newest frame not taken yet; None once closed."""
        with self._changed:
            news = self._changed.wait_for(self._has_news, CAMERA_TIMEOUT)
            if self._closing:
                return None
            if self._newest is None:
                found = self._failure if news else f"it stalled: nothing for {CAMERA_TIMEOUT:g} s"
                advice = "close other programs that use it, check cable and permission, or give another number"
                raise VideoError(f"{self.name}: expected a frame, but {found}; {advice}")
            newest, self._newest = self._newest, None
            return newest

    def _has_news(self) -> bool:
        return self._newest is not None or self._failure is not None or self._closing

    def _grab(self, index: int, capture: Callable[[int], object]) -> None:
        camera = None
        try:
            camera = _open_quietly(index, capture)
            if not camera.isOpened():
                self._tell(failure="it can't be opened")
                return
            while not self._closing:
                ok, image = camera.read()
                if ok:
                    self._tell(newest=(time.monotonic(), image))
                else:
                    time.sleep(0.02)  # a camera that wakes up gives some empty reads
        except Exception as error:  # else it would die with this thread, unseen
            self._tell(failure=f"its driver failed ({error})")
        finally:
            if camera is not None:
                camera.release()

    def _tell(self, newest: tuple[float, np.ndarray] | None = None, failure: str | None = None) -> None:
        with self._changed:
            self._newest, self._failure = newest or self._newest, failure
            self._changed.notify_all()


def _open_quietly(index: int, capture: Callable[[int], object]) -> object:
    """OpenCV prints several lines for a camera that isn't there; the error says it better."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return capture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)


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
    due = start = taken = left_out = None
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
    return ((frame.time, lambda frame=frame: frame.image) for frame in frames)
