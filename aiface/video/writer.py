"""Frames out: to an MP4 file with their own times, and the audio of the clip that they came from."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from aiface.errors import VideoError
from aiface.io.files import atomic_path
from aiface.video.frames import Frame, seconds_of

TICKS = 90_000  # a second in the files written: MPEG's clock, fine enough for any frame rate


class VideoWriter:
    """Writes frames, at their own times, to an H.264 MP4 file that is whole or not there at all.

    `width` and `height` in pixels; an odd last row or column is cut off, a frame of another size is scaled.
    The audio of the clip `audio_from` is copied, from the clip's first video frame to the last frame written;
    where that can't be done, `warning` says why. A KeyboardInterrupt keeps what was written; any other error
    leaves nothing, and so does a writer that was given no frame. Raises `VideoError` when it can't write.
    """

    def __init__(self, path: str | Path, width: int, height: int, audio_from: str | Path | None = None):
        if min(width, height) < 2:
            raise VideoError(f"{path}: expected frames of at least 2x2 pixels, found {width}x{height}")
        self.path = Path(path)
        self.size = (width // 2 * 2, height // 2 * 2)
        self.warning: str | None = None
        self._audio_from = audio_from
        self._stack = ExitStack()
        self._output: av.container.OutputContainer | None = None
        self._packet: av.Packet | None = None
        self._pts = -1
        self._step = 1

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        whole = self._pts >= 0 and (kind is None or issubclass(kind, KeyboardInterrupt))
        if self._output is not None and whole:
            with _naming(self.path), self._stack:
                self._output.mux(self._video.encode(None))
                self._copy_audio(self._output, self._pts + self._step)
        else:
            error = error or VideoError(f"{self.path}: no frame was written")  # what deletes the temporary file
            self._stack.__exit__(type(error), error, error.__traceback__)

    def write(self, frame: Frame) -> None:
        """Append a frame. Its time must not be before the last one's; an equal one moves on by 1/90000 s."""
        with _naming(self.path):
            output = self._output or self._open()
            pts = max(round(frame.time * TICKS), self._pts + 1)
            self._step, self._pts = pts - max(self._pts, 0), pts
            picture = av.VideoFrame.from_ndarray(self._fit(frame.image), format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
            picture.pts, picture.time_base = pts, Fraction(1, TICKS)
            output.mux(self._video.encode(picture))
            self._copy_audio(output, pts)

    def _open(self) -> av.container.OutputContainer:
        temporary = self._stack.enter_context(atomic_path(self.path))
        options = {"movflags": "faststart"}  # the index first, so that a browser plays it while it loads
        output = self._stack.enter_context(av.open(str(temporary), "w", format="mp4", container_options=options))
        self._output = output
        self._video = output.add_stream("libx264", options={"crf": "20", "preset": "veryfast"})
        self._video.width, self._video.height = self.size
        self._video.pix_fmt = "yuv420p"
        self._video.time_base = self._video.codec_context.time_base = Fraction(1, TICKS)
        self._video.codec_context.colorspace = 1  # BT.709, which players assume for HD and ask for elsewhere
        if self._audio_from is not None:
            self._add_audio(output, self._audio_from)
        return output

    def _add_audio(self, output: av.container.OutputContainer, path: str | Path) -> None:
        try:
            self._audio = _audio_packets(path, output, self._stack)
            self._packet = next(self._audio, None)
        except (av.FFmpegError, OSError, ValueError) as error:
            self.warning = f"audio of {path} left out: {getattr(error, 'strerror', None) or error}"

    def _copy_audio(self, output: av.container.OutputContainer, end: int) -> None:
        """Copy the audio that begins before `end` ticks."""
        try:
            while self._packet and seconds_of(self._packet.pts, self._packet.time_base) < end / TICKS:
                output.mux(self._packet)
                self._packet = next(self._audio, None)
        except (av.FFmpegError, OSError) as error:
            self.warning, self._packet = f"audio ends at {end / TICKS:.1f} s: {error}", None

    def _fit(self, image: np.ndarray) -> np.ndarray:
        width, height = self.size
        if (image.shape[1] // 2 * 2, image.shape[0] // 2 * 2) != self.size:
            image = cv2.resize(image, self.size, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(image[:height, :width])


def _audio_packets(path: str | Path, output: av.container.OutputContainer, stack: ExitStack) -> Iterator[av.Packet]:
    """Packets of a clip's first audio stream for `output`, time 0 being the clip's first video frame."""
    container = stack.enter_context(av.open(str(Path(path).resolve()), metadata_errors="replace"))
    if not container.streams.audio:
        return iter(())
    audio = container.streams.audio[0]
    codec = audio.codec_context.codec.canonical_name
    if codec not in output.supported_codecs:
        raise ValueError(f"MP4 can't hold {codec}")
    copy = output.add_stream_from_template(audio)
    origin = container.streams.video[0] if container.streams.video else audio
    start = seconds_of(origin.start_time or 0, origin.time_base) / seconds_of(1, audio.time_base)
    return _shifted(container.demux(audio), copy, round(start))


def _shifted(packets: Iterable[av.Packet], copy: av.AudioStream, start: int) -> Iterator[av.Packet]:
    for packet in packets:
        if packet.pts is None or packet.dts is None or packet.pts < start:  # the last one is empty and has no time
            continue
        packet.pts, packet.dts = packet.pts - start, packet.dts - start
        packet.stream = copy
        yield packet


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """What FFmpeg or the disk reports while `path` is written, as a `VideoError` that names it."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        advice = "choose a folder that can be written and has room"
        raise VideoError(f"{path}: expected to write a video here, but {error.strerror}; {advice}") from error
