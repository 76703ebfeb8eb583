"""Clips decoded in a process of their own, so that one made to crash or to exhaust FFmpeg takes nobody with it.

    python -m aiface.isolated CLIP NAME RATE

decodes a clip and writes to standard output, for each frame, the length of a line of JSON, that line, and the pixels.
No pickles: whoever takes over that process can send wrong pixels, but nothing that this one would execute. It has as
much memory as `MEMORY` says, can write no file, and ends with its parent.
"""

import json
import os
import select
import struct
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from math import inf
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO

import numpy as np

from aiface.decoding import Clip
from aiface.errors import VideoError
from aiface.frames import Picture, VideoSource, sample

MEMORY = 4 << 30  # bytes of addresses; 8K takes about half
PATIENCE = 30.0  # seconds without a frame after which decoding has hung
TICK = 0.1  # seconds: how soon it is noticed that nobody wants more
LARGEST = 8192 * 8192  # pixels of a frame
LONGEST = 10_000  # bytes of a message
PIPE = 1 << 20  # bytes: the most that Linux gives everybody; the usual 64 kB make a switch of processes of each
LENGTH = struct.Struct("<I")

Wait = Generator[None, None, Any]  # what takes time: gives None now and then, and returns its result


class IsolatedClip(VideoSource):
    """As `Clip`, but decoded in another process, which sends only the frames that `sample` takes at this `rate`."""

    depth = 1  # pixels, not references to what FFmpeg holds; the other process reads ahead

    def __init__(self, path: str, name: str, rate: float = inf):
        super().__init__(name)
        self._command = [sys.executable, "-P", "-m", "aiface.isolated", path, name, str(rate)]

    def _read(self) -> Generator[Picture | None, None, None]:
        count, at, reason = 0, 0.0, None
        with _running(self._command) as child:
            try:
                while "time" in (message := (yield from _message(child.stdout))):
                    image = yield from _pixels(child.stdout, message["height"], message["width"])
                    self.duration, count, at = message["duration"], count + 1, max(at, float(message["time"]))
                    yield at, lambda image=image: image
            except (EOFError, TimeoutError, ValueError, KeyError, TypeError) as error:
                child.kill()
                reason = f"{error} ({_status(child.wait())})"
        if reason:
            duration = f" of about {self.duration:.1f}" if self.duration else ""
            self.warning = f"read {count} frames, {at:.1f}{duration} s: {reason}, so its end is missing"
        elif message.get("error"):
            raise VideoError(str(message["error"]))
        else:
            self.warning = message.get("warning")


@contextmanager
def _running(command: list[str]) -> Generator[subprocess.Popen, None, None]:
    """The decoding process: of its own session, so that Ctrl-C is this one's to handle; killed at the end."""
    place = {
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "4",
    }
    child = subprocess.Popen(
        command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | place, start_new_session=True,
    )  # fmt: skip
    with suppress(OSError, AttributeError):  # not on macOS; and an administrator may allow less
        import fcntl  # here: there is none on Windows

        fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, PIPE)
    with child:
        try:
            yield child
        finally:
            child.kill()


def _message(pipe: BinaryIO) -> Wait:
    """The next message. Raises `EOFError`, `TimeoutError`, or `ValueError` for what is none."""
    (length,) = LENGTH.unpack((yield from _exactly(pipe, LENGTH.size)))
    if length > LONGEST:
        raise ValueError("its decoder sent nonsense")
    return json.loads((yield from _exactly(pipe, length)))


def _pixels(pipe: BinaryIO, height: int, width: int) -> Wait:
    if min(height, width) < 1 or height * width > LARGEST:
        raise ValueError(f"expected frames of at most {LARGEST} pixels, found {width}x{height}")
    return np.frombuffer((yield from _exactly(pipe, 3 * height * width)), np.uint8).reshape(height, width, 3)


def _exactly(pipe: BinaryIO, size: int) -> Wait:
    found, waited = bytearray(size), 0.0
    rest = memoryview(found)
    while rest:
        if not select.select([pipe], [], [], TICK)[0]:
            waited += TICK
            if waited > PATIENCE:
                raise TimeoutError(f"its decoder gave nothing for {PATIENCE:g} s")
            yield None
            continue
        if not (count := pipe.readinto(rest)):
            raise EOFError("its decoder ended")
        rest, waited = rest[count:], 0.0
    return found


def _status(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"status {code}"


# The other process


def main(path: str, name: str, rate: str) -> None:
    """Decode a clip to standard output; see the module."""
    Thread(target=_end_with_parent, daemon=True).start()
    _limit()
    out = sys.stdout.buffer
    try:
        with closing(Clip(path, name, float(rate))) as clip:
            clip.start()
            for frame in sample(clip, float(rate)) if rate != "inf" else clip:
                height, width = frame.image.shape[:2]
                _send(out, time=frame.time, height=height, width=width, duration=clip.duration)
                out.write(np.ascontiguousarray(frame.image).data)
            _send(out, warning=clip.warning)
    except (VideoError, MemoryError) as error:
        _send(out, error=str(error) or f"{name}: expected a video, found one that takes over {MEMORY >> 30} GiB")
    out.flush()
    os._exit(0)  # threads of FFmpeg need not end in order


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _limit() -> None:
    import resource

    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # macOS limits no addresses
            resource.setrlimit(kind, (most, most))


def _send(out: BinaryIO, **message: object) -> None:
    line = json.dumps(message).encode()[:LONGEST]
    out.write(LENGTH.pack(len(line)) + line)


if __name__ == "__main__":
    main(*sys.argv[1:4])
