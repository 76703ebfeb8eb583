"""Files and URLs to frames, by FFmpeg, whatever their timestamps say."""

import re
import statistics
from collections import deque
from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from functools import partial
from math import inf

import av
import numpy as np

from aiface.errors import VideoError
from aiface.io.files import number_of
from aiface.video.frames import IMAGE_STEP, Picture, VideoSource, seconds_of

NETWORK_TIMEOUT = 15.0  # seconds to open a URL, and for each read from it
CLOSE = 0.1  # seconds between frames, at most, while others are left out
_PICTURE = re.compile(r"_pipe$|image2")  # FFmpeg's names of formats
BY_ONE = 1920 * 1088  # pixels up to which one thread decodes: two are an eighth sooner at best, for 10 to 40 % more
JUMP = 1.0  # seconds: timestamps that go back by more start anew, as in joined clips; less is jitter


class Clip(VideoSource):
    """A file or URL, decoded by FFmpeg; `name` is what to call it, `rate` how many frames a second are of use."""

    def __init__(self, url: str, name: str, rate: float = inf):
        super().__init__(name)
        self._rate = rate
        remote = "://" in url
        options = {"rtsp_transport": "tcp"} if url.lower().startswith("rtsp") else {}
        try:
            self._container = av.open(
                url, options=options, timeout=NETWORK_TIMEOUT if remote else None, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError) as error:
            advice = "check address and network" if remote else "see whether it plays, or convert it"
            reason = f"found what FFmpeg can't open ({error.strerror})"
            wanted = "picture or a clip" if remote else "video"
            raise VideoError(f"{name}: expected a {wanted}, {reason}; {advice}") from None
        self._refuse_pictures()
        self._stream = self._video_stream()
        if self._stream.width * self._stream.height <= BY_ONE:
            self._stream.codec_context.thread_count = 1
        else:
            self._stream.thread_type = "AUTO"
        self._claimed = seconds_of(self._stream.duration, self._stream.time_base)
        self.duration = self._claimed or seconds_of(self._container.duration, Fraction(1, av.time_base)) or None
        self.live = remote and not self.duration
        self._damaged = 0

    def _refuse_pictures(self) -> None:
        """FFmpeg takes a picture for a clip of one frame; those that are read at all never come here."""
        if _PICTURE.search(form := self._container.format.name):
            self._container.close()
            what = form.removesuffix("_pipe").upper()
            raise VideoError(f"{self.name}: expected a clip, found a picture ({what}) that is not read; save it as PNG")

    def _video_stream(self) -> av.VideoStream:
        """The largest stream of moving pictures, of two the first: no thumbnail or album cover beside it.

        Nor a text file as FFmpeg would render it.
        """
        cover = av.stream.Disposition.attached_pic
        moving = [
            stream
            for stream in self._container.streams.video
            if not stream.disposition & cover and stream.codec_context.name != "ansi"
        ]
        if moving:
            return max(moving, key=lambda stream: (stream.width or 0) * (stream.height or 0))
        kinds = sorted({stream.type for stream in self._container.streams})
        covers = any(stream.disposition & cover for stream in self._container.streams.video)
        self._container.close()
        if covers:
            sound = "sound and " if "audio" in kinds else ""
            raise VideoError(
                f"{self.name}: expected a video stream, found {sound}a still cover picture, no video; give the file "
                "that has the video, or save the cover as a picture (ffmpeg -i FILE cover.png) and judge that"
            )
        found = ", ".join(kinds) or "nothing"
        raise VideoError(f"{self.name}: expected a video stream, found none ({found}); give a video")

    def _read(self) -> Generator[Picture, None, None]:
        clock = Clock(self._stream.time_base)
        shape = float(self._stream.sample_aspect_ratio or 1)
        at, count, end, reason = 0.0, 0, 0.0, None
        # Closed here, in the thread that decodes: to go on after the container is closed would crash Python
        with self._container, closing(self._decode()) as frames:
            try:
                for frame in frames:
                    before, at = at, clock.time(frame.pts)
                    if count:
                        self._spare(at - before, frame.pts is not None)
                    count, end = count + 1, at + clock.seconds(frame.duration)
                    yield at, partial(_upright, frame, shape)
            except (av.FFmpegError, OSError) as error:
                reason = error.strerror
        self._warn(count, end, reason)

    def _decode(self) -> Generator[av.VideoFrame, None, None]:
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

    def _spare(self, gap: float, timed: bool) -> None:
        """After a frame that came `gap` seconds after the last: whether to leave out frames that no other refers to.

        Of x264's defaults these are half of the B-frames, a third of all. They are left out where frames come twice as
        often as need be, until those that remain come too seldom; and not where frames without timestamps have to be
        counted.
        """
        enough = min(0.5 / self._rate, CLOSE)
        if gap > enough or not timed:
            self._rate = inf  # never again
        if gap <= enough / 2 or self._rate == inf:
            self._stream.codec_context.skip_frame = "NONREF" if self._rate < inf else "DEFAULT"

    def _warn(self, count: int, end: float, reason: str | None) -> None:
        reasons = [reason] if reason else []
        if self._damaged:
            reasons.append(f"{number_of(self._damaged, 'damaged frame')} left out")
        if self._claimed - end > max(0.5, 0.05 * end):
            reasons.append("its end is missing")
        if reasons:
            duration = f" of about {self.duration:.1f}" if self.duration else ""
            self.warning = f"read {number_of(count, 'frame')}, {end:.1f}{duration} s: {', '.join(reasons)}"


class Clock:
    """Seconds from the first frame, never going back, of timestamps that may miss, repeat or jump back."""

    def __init__(self, time_base: Fraction | None):
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


def _upright(frame: av.VideoFrame, shape: float) -> np.ndarray:
    """RGB image of square pixels, turned as the file asks: phones write lying frames and a rotation."""
    width = round(frame.width * shape) if 0.25 < shape < 4 else frame.width
    image = frame.to_ndarray(format="rgb24", width=width)
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))
