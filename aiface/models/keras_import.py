"""Keras without its backend's greetings.

TensorFlow's libraries write to the process's standard error before any setting of theirs is read (which CPU features
they miss, that there is no GPU). A command line whose errors are read by people and programs can't have that. What
goes wrong still raises an exception, which is not hidden.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_stderr_hidden() -> Iterator[None]:
    """Send what native code writes to file descriptor 2 to nowhere; unless AIFACE_VERBOSE is set."""
    if os.environ.get("AIFACE_VERBOSE"):
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with native_stderr_hidden():
    import keras

    keras.ops.zeros(1)  # finds the devices, which greets again

__all__ = ["keras", "native_stderr_hidden"]
