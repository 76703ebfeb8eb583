"""Standard error without what TensorFlow's libraries greet with, and with all else that they say.

They write to the process's file descriptor 2, some of it before any setting of theirs is read (which CPU features they
miss, that there is no GPU), and a command line whose errors are read by people and programs can't have that. A process
of its own reads along and passes on what is no greeting: so the last words of a library that aborts are seen, too.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

VERBOSE = "AIFACE_VERBOSE"  # an environment variable; whatever it is set to, everything is passed on
_GREETING = re.compile(
    r"WARNING: All log messages before absl::InitializeLog\(\)|To enable the following instructions:|"
    r"INFO: Created TensorFlow Lite|"
    r"[IW]\d{4} [\d:.]+ +\d+ \S+\.(cc|h):\d+\]|"  # absl's, of the levels information and warning
    r"\d{4}-\d\d-\d\d [\d:.]+: [IW] \S+\.(cc|h):\d+\]"  # TensorFlow's own
)
_NO_GPU = re.compile(r"(E\d{4} |\d{4}-\d\d-\d\d [\d:.]+: E ).*(cuInit|cuda|CUDA)")  # an error only where there is one


def worth_telling(lines: Iterable[str], has_gpu: bool) -> Iterator[str]:
    """The lines that are no greetings; without an NVIDIA GPU that there is none is no error.

    >>> list(worth_telling(["I0000 00:00:1.2  7 port.cc:153] oneDNN is on", "Fatal: no memory"], has_gpu=False))
    ['Fatal: no memory']
    """
    for line in lines:
        if not (_GREETING.match(line) or (not has_gpu and _NO_GPU.match(line))):
            yield line


@contextmanager
def greetings_hidden() -> Iterator[None]:
    """Hide what native code greets with on file descriptor 2, while this lasts; unless AIFACE_VERBOSE is set."""
    if os.environ.get(VERBOSE) or not sys.executable:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    reader = _reader(kept)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)  # the reader's last hold on what is written, unless a child has one
        os.close(kept)
        with suppress(subprocess.TimeoutExpired):
            reader.wait(timeout=5)


def _reader(kept: int) -> subprocess.Popen:
    """A process that reads file descriptor 2 from now on and writes to `kept`; Ctrl-C is not for it."""
    command = [sys.executable, "-I", "-S", __file__]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=kept, stderr=kept, start_new_session=True)
    with reader.stdin:  # type: ignore[union-attr]
        os.dup2(reader.stdin.fileno(), 2)  # type: ignore[union-attr]
    return reader


def _read() -> None:
    """The reader's life: each line as it comes."""
    has_gpu = shutil.which("nvidia-smi") is not None
    lines = (line.decode(errors="surrogateescape") for line in sys.stdin.buffer)
    for line in worth_telling(lines, has_gpu):
        sys.stdout.buffer.write(line.encode(errors="surrogateescape"))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _read()
