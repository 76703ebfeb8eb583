"""Processes of our own that open strangers' files, so that one made to crash or to fill the memory harms nobody else.

What they send is a message: the length of a line of JSON, and that line. No pickles: whoever takes over such a process
can send wrong answers, but nothing that this one would execute. It has as much memory as `MEMORY` says, can write no
file, and ends with its parent.
"""

import json
import os
import select
import struct
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from io import FileIO
from threading import Thread
from typing import Any, BinaryIO

from aiface.paths import ROOT

MEMORY = 4 << 30  # bytes of addresses; a clip in 8K takes about half
TICK = 0.1  # seconds: how soon it is noticed that nobody wants more
LENGTH = struct.Struct("<I")

Wait = Generator[None, None, Any]  # what takes time: gives None now and then, and returns its result


class Process(subprocess.Popen[bytes]):
    """One that `start` made: with pipes, unbuffered."""

    stdin: FileIO
    stdout: FileIO


def start(module: str, *arguments: str) -> Process:
    """Start a module of this package: of its own session, so that Ctrl-C is this process's to handle."""
    place = {
        "PYTHONPATH": str(ROOT),
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "4",
    }
    return Process(
        [sys.executable, "-P", "-m", module, *arguments], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=os.environ | place, start_new_session=True,
    )  # fmt: skip


def message(pipe: FileIO, longest: int, patience: float) -> Wait:
    """The next message, of at most `longest` bytes.

    Raises `EOFError`, `TimeoutError` after `patience` seconds of silence, or `ValueError` for what is none.
    """
    (length,) = LENGTH.unpack((yield from exactly(pipe, LENGTH.size, patience)))
    if length > longest:
        raise ValueError("it sent nonsense")
    return json.loads((yield from exactly(pipe, length, patience)))


def exactly(pipe: FileIO, size: int, patience: float) -> Wait:
    """So many bytes; raises as `message` does."""
    found, waited = bytearray(size), 0.0
    rest = memoryview(found)
    while rest:
        if not select.select([pipe], [], [], TICK)[0]:
            waited += TICK
            if waited > patience:
                raise TimeoutError(f"it gave nothing for {patience:g} s")
            yield None
            continue
        if not (count := pipe.readinto(rest)):
            raise EOFError("it ended")
        rest, waited = rest[count:], 0.0
    return found


def status(code: int) -> str:
    """How a process ended, in words."""
    return f"signal {-code}" if code < 0 else f"status {code}"


# In the other process


def confine(on_line: Callable[[bytes], None] = lambda line: None) -> None:
    """Take up the limits, and end when the parent does; `on_line` gets what it writes, in another thread."""
    import resource  # here: there is none on Windows

    Thread(target=_listen, args=(on_line,), daemon=True).start()
    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # macOS limits no addresses
            resource.setrlimit(kind, (most, most))


def _listen(on_line: Callable[[bytes], None]) -> None:
    for line in sys.stdin.buffer:
        on_line(line)
    os._exit(1)


def send(out: BinaryIO, **message: object) -> None:
    """Write a message; what follows it is for the caller to write and to flush."""
    line = json.dumps(message).encode()
    out.write(LENGTH.pack(len(line)) + line)
