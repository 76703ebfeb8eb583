"""What strangers' files are and say of themselves, looked up in a process of its own (`aiface.io.sandbox`).

Reading a header takes FFmpeg's, Pillow's and c2pa's parsers, and any of them may crash or never end at one made for
that. The process is started at the first question, stays, and is replaced when a file has killed it.
"""

import atexit
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any

from aiface.errors import DataError
from aiface.io import media_kinds, sandbox
from aiface.provenance.claims import Credentials, Provenance, read_provenance
from aiface.video import playable

PATIENCE = 10.0  # seconds for an answer
LONGEST = 4 << 20  # bytes of an answer
QUESTIONS: Mapping[str, Callable[[str], Any]] = {
    "kind": media_kinds.kind,
    "provenance": lambda path: asdict(read_provenance(path)),
    "plays_as": playable.plays_as,
}


def kind(path: str | Path) -> str:
    """As `aiface.io.media_kinds.kind`; raises `DataError` also for a file of which there is no answer."""
    return str(_ask("kind", path))


def provenance(path: str | Path) -> Provenance:
    """As `aiface.provenance.claims.read_provenance`; raises `DataError` also for a file of which there is no answer."""
    found = _ask("provenance", path)
    c2pa: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in found["c2pa"].items()
    }
    return Provenance(found["tags"], Credentials(**c2pa), tuple(found["says_generated"]))


def plays_as(path: str | Path) -> str | None:
    """As `aiface.video.playable.plays_as`; raises `DataError` for a file of which there is no answer."""
    return _ask("plays_as", path)


def _ask(question: str, path: str | Path) -> Any:
    if os.name != "posix":  # Windows can't wait for a pipe
        return QUESTIONS[question](str(path))
    return _inspector(question, path)


class _Inspector:
    """The process, for several threads, which it serves one after the other."""

    def __init__(self) -> None:
        self._process: sandbox.Process | None = None
        self._lock = Lock()

    def __call__(self, question: str, path: str | Path) -> Any:
        with self._lock:
            try:
                found = self._answer(json.dumps([question, str(Path(path).absolute())]).encode() + b"\n")
            except (EOFError, TimeoutError, ValueError, OSError) as error:
                reason = f"{error} ({self.end()})"
                raise DataError(
                    f"{path}: expected a file that can be looked into, found one on which that failed: {reason}; "
                    "replace it, or save it anew with another program"
                ) from None
        if "error" in found:
            raise DataError(found["error"])
        return found["answer"]

    def _answer(self, line: bytes) -> dict:
        if self._process is None or self._process.poll() is not None:
            self.end()
            self._process = sandbox.start("aiface.provenance.inspector")
        self._process.stdin.write(line)
        waiting = sandbox.message(self._process.stdout, LONGEST, PATIENCE)
        while True:
            try:
                next(waiting)
            except StopIteration as done:
                return done.value

    def end(self) -> str:
        """End the process, if there is one; how it ended."""
        if (process := self._process) is None:
            return "never started"
        self._process = None
        with process:
            process.kill()
        return sandbox.status(process.returncode)


_inspector = _Inspector()
atexit.register(_inspector.end)


# The other process


def main() -> None:
    """Answer questions, each a line `["kind", "clip.mp4"]` of standard input, until it ends."""
    lines: SimpleQueue[bytes] = SimpleQueue()
    out = sys.stdout.buffer
    sandbox.confine(lines.put)
    while True:
        question, path = json.loads(lines.get())
        try:
            sandbox.send(out, answer=QUESTIONS[question](path))
        except DataError as error:
            sandbox.send(out, error=str(error))
        out.flush()


if __name__ == "__main__":
    main()
