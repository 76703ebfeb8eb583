"""A clip's streams as they are in a container that browsers play, in a process of its own: seconds, where encoding anew
takes minutes and quality.

    python -m aiface.video.remux CLIP

copies H.264 out of Matroska, MPEG-TS and others, with its sound, into an MP4 file whose pieces it sends to standard
output: a message that says where each belongs, and its bytes.
"""

import io
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av

from aiface.errors import VideoError
from aiface.io import sandbox
from aiface.io.files import atomic_path
from aiface.io.media_kinds import OPTIONS
from aiface.video.frames import seconds_of

VIDEO = {"h264", "vp9", "av1"}  # that MP4 holds and Chromium, Firefox and Safari play
PIXELS = {"yuv420p", "yuvj420p"}  # no browser plays H.264 of ten bits everywhere
SOUND = {"aac", "mp3", "opus"}
PATIENCE = 30.0  # seconds
LONGEST = 1000  # bytes of a message
MOST = 16 << 20  # bytes of a piece
MOST_EARLY = 50  # packets
MORE = 2.0  # times a clip's bytes that its copy may take, and...
SPARE = 1 << 20  # ...bytes: Matroska needs less for itself


def remux(path: str | Path, out: Path) -> bool:
    """Write a copy of a clip to `out`, its first frame at 0 s; returns whether it has sound.

    Raises `VideoError` for one that can't be copied so; `OSError` where nothing can be written.
    """
    most = int(MORE * Path(path).stat().st_size) + SPARE
    with sandbox.start("aiface.video.remux", str(Path(path).absolute())) as child, atomic_path(out) as temporary:
        try:
            with temporary.open("r+b") as file:
                while "at" in (message := _done(sandbox.message(child.stdout, LONGEST, PATIENCE))):
                    at, size = int(message["at"]), int(message["size"])
                    if not (0 <= at <= most and 0 <= size <= min(MOST, most - at)):
                        raise ValueError("its copy is too large")
                    file.seek(at)
                    file.write(_done(sandbox.exactly(child.stdout, size, PATIENCE)))
        except (EOFError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise VideoError(f"{path}: expected a clip that can be copied, found: {error}; convert it") from None
        finally:
            child.kill()
        if message.get("error"):
            raise VideoError(f"{path}: expected a clip that MP4 can hold, found: {message['error']}; convert it")
    return bool(message.get("sound"))


def _done(wait: sandbox.Wait) -> Any:
    while True:
        try:
            next(wait)
        except StopIteration as done:
            return done.value


# The other process


class _Sent(io.RawIOBase):
    """A file that is written elsewhere."""

    def __init__(self) -> None:
        self._at, self._end = 0, 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._end)[whence]
        return self._at

    def write(self, data: bytes) -> int:  # type: ignore[override]
        out = sys.stdout.buffer
        sandbox.send(out, at=self._at, size=len(data))
        out.write(data)
        self._at += len(data)
        self._end = max(self._end, self._at)
        return len(data)


def main(path: str) -> None:
    """Send the copy; see the module."""
    sandbox.confine()
    out = sys.stdout.buffer
    try:
        with open(path, "rb") as file, av.open(file, options=OPTIONS, metadata_errors="replace") as source:
            sandbox.send(out, sound=_copy(source))
    except (av.FFmpegError, ValueError, MemoryError) as error:
        sandbox.send(out, error=str(error)[: LONGEST // 8])
    out.flush()
    os._exit(0)


def _copy(source: Any) -> bool:
    cover = av.stream.Disposition.attached_pic
    moving = [stream for stream in source.streams.video if not stream.disposition & cover]
    if len(moving) != 1 or not can_copy(moving[0]):
        raise ValueError("not one stream of H.264, VP9 or AV1 in 8 bits")
    sounds = [stream for stream in source.streams.audio if stream.codec_context.codec.canonical_name in SOUND][:1]
    with av.open(_Sent(), "w", format="mp4") as target:
        copies = {stream.index: target.add_stream_from_template(stream) for stream in (*moving, *sounds)}
        for packet in _from_zero(_ordered(source.demux(*moving, *sounds)), moving[0]):
            packet.stream = copies[packet.stream.index]
            target.mux(packet)
    return bool(sounds)


def can_copy(stream: av.VideoStream) -> bool:
    """Whether browsers play a stream of moving pictures in MP4."""
    context = stream.codec_context
    return context.codec.canonical_name in VIDEO and context.pix_fmt in PIXELS and bool(context.width)


def _ordered(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """Packets with times of decoding: Matroska has none before the first frames that refer to later ones."""
    early: list[av.Packet] = []
    for packet in packets:
        if not packet.size:
            continue  # the end of a stream
        if packet.pts is None or len(early) > MOST_EARLY:
            raise ValueError("frames without times")
        if packet.dts is None:
            early.append(packet)
            continue
        for before, each in enumerate(reversed([each for each in early if each.stream is packet.stream]), 1):
            each.dts = packet.dts - before * max(1, packet.duration or 1)
        ready = [each for each in early if each.dts is not None]
        early = [each for each in early if each.dts is None]
        yield from (*ready, packet)


def _from_zero(packets: Iterable[av.Packet], video: av.VideoStream) -> Iterator[av.Packet]:
    """Packets at the times that `aiface.video.decoding` gives, from the first frame on; sound before it is left out."""
    start = seconds_of(video.start_time or 0, video.time_base)
    for packet in packets:
        ticks = round(start / seconds_of(1, packet.time_base))
        packet.pts, packet.dts = (packet.pts or 0) - ticks, (packet.dts or 0) - ticks
        if packet.stream.type == "video" or packet.pts >= 0:
            yield packet


if __name__ == "__main__":
    main(sys.argv[1])
