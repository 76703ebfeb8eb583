"""Clips decoded in a process of their own: FFmpeg has more code, and more faults, than all the rest.

    python -m aiface.video.sandboxed KIND PATH NAME RATE

decodes what a kind of source, such as Clip, reads, and writes to standard output, for each frame, a message and its
pixels. It imports no more than it needs: starting takes a fifth of what a clip of ten seconds does.
"""

import os
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from io import FileIO
from math import inf

import numpy as np

from aiface.errors import VideoError
from aiface.io import sandbox
from aiface.io.files import number_of
from aiface.video.frames import Picture, VideoSource, ready_made, sample

HOMES = {"Clip": "aiface.video.decoding", "Animation": "aiface.video.animation"}
PATIENCE = 30.0  # seconds without a frame after which decoding has hung
LARGEST = 8192 * 8192  # pixels of a frame
LONGEST = 10_000  # bytes of a message
PIPE = 1 << 20  # bytes: the most that Linux gives everybody; the usual 64 kB make a switch of processes of each


class IsolatedClip(VideoSource):
    """As one of another `kind`, but in a process of its own, which sends only the frames that `sample` takes."""

    depth = 1  # pixels, not references to what FFmpeg holds; the other process reads ahead

    def __init__(self, kind: type[VideoSource], path: str, name: str, rate: float = inf):
        super().__init__(name)
        self._arguments = (kind.__name__, path, name, str(rate))

    def _read(self) -> Generator[Picture | None, None, None]:
        count, at, reason = 0, 0.0, None
        with _decoder(*self._arguments) as decoder:
            try:
                while "time" in (message := (yield from sandbox.message(decoder.stdout, LONGEST, PATIENCE))):
                    image = yield from _pixels(decoder.stdout, message["height"], message["width"])
                    self.duration, count, at = message["duration"], count + 1, max(at, float(message["time"]))
                    yield at, ready_made(image)
            except (EOFError, TimeoutError, ValueError, KeyError, TypeError) as error:
                decoder.kill()
                reason = f"its decoder failed: {error} ({sandbox.status(decoder.wait())})"
        if reason:
            duration = f" of about {self.duration:.1f}" if self.duration else ""
            self.warning = f"read {number_of(count, 'frame')}, {at:.1f}{duration} s: {reason}, so its end is missing"
        elif message.get("error"):
            raise VideoError(str(message["error"]))
        else:
            self.warning = message.get("warning")


@contextmanager
def _decoder(*arguments: str) -> Generator[sandbox.Process, None, None]:
    with sandbox.start("aiface.video.sandboxed", *arguments) as decoder:
        with suppress(OSError, AttributeError):  # not on macOS; and an administrator may allow less
            import fcntl  # here: there is none on Windows

            fcntl.fcntl(decoder.stdout, fcntl.F_SETPIPE_SZ, PIPE)
        try:
            yield decoder
        finally:
            decoder.kill()


def _pixels(pipe: FileIO, height: int, width: int) -> sandbox.Wait:
    if min(height, width) < 1 or height * width > LARGEST:
        raise ValueError(f"expected frames of at most {LARGEST} pixels, found {width}x{height}")
    found = yield from sandbox.exactly(pipe, 3 * height * width, PATIENCE)
    return np.frombuffer(found, np.uint8).reshape(height, width, 3)


# The other process


def main(kind: str, path: str, name: str, rate: str) -> None:
    """Decode a clip to standard output; see the module."""
    sandbox.confine()
    out = sys.stdout.buffer
    try:
        with closing(getattr(import_module(HOMES[kind]), kind)(path, name, float(rate))) as clip:
            clip.start()
            for frame in sample(clip, float(rate)) if rate != "inf" else clip:
                height, width = frame.image.shape[:2]
                sandbox.send(out, time=frame.time, height=height, width=width, duration=clip.duration)
                out.write(np.ascontiguousarray(frame.image).data)
            sandbox.send(out, warning=clip.warning)
    except (VideoError, MemoryError) as error:
        told = str(error) or f"{name}: expected a video, found one that takes over {sandbox.MEMORY >> 30} GiB"
        sandbox.send(out, error=told[: LONGEST // 8])  # a letter is up to six bytes of JSON
    out.flush()
    os._exit(0)  # threads of FFmpeg need not end in order


if __name__ == "__main__":
    main(*sys.argv[1:5])
