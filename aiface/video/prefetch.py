"""An iterator run in a thread of its own, ahead of who takes from it."""

import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

DEPTH = 8  # items ready at most. Measured on 2 cores: 4 to 8 decoded frames ahead make a clip's judging a third shorter
PATIENCE = 2.0  # seconds to wait for the thread when closing: a dead camera or network may hold it for ever


class Ahead(Iterator[Any]):
    """The items of a generator, up to `depth` of them made ahead; with `newest`, only the newest one not taken yet.

    The generator starts, runs and is closed in the thread, so what it opens it can safely release in a `finally`. It
    gives None for "nothing yet", which is left out, often enough to notice that it is to close. What it raises, the
    taker gets once the items before it were taken.

    arrived, taken: when the newest item came, and when the one last taken had, in seconds of `time.monotonic`.
    """

    def __init__(self, items: Generator[Any, None, None], newest: bool = False, depth: int = DEPTH):
        self.arrived = self.taken = time.monotonic()
        self._items, self._newest, self._depth = items, newest, depth
        self._ready: deque[tuple[float, Any]] = deque()
        self._error: BaseException | None = None
        self._ended = self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="aiface ahead", daemon=True)
        self._thread.start()

    def ready(self, seconds: float | None) -> bool:
        """Whether there is something to take, an item, an error or the end, within `seconds` (None: wait for it)."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: self._ready or self._ended or self._closed, seconds))

    def __next__(self) -> Any:
        self.ready(None)
        with self._changed:
            if self._ready and not self._closed:
                self.taken, item = self._ready.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error and not self._closed:
            raise error
        raise StopIteration

    def close(self, patience: float | None = None) -> None:
        """End the items, and wait for the thread, but 2 s at most, or `patience`."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        self._thread.join(PATIENCE if patience is None else patience)

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:  # the taker's to handle
            self._error = error
        finally:
            try:
                self._items.close()
            finally:
                with self._changed:
                    self._ended = True
                    self._changed.notify_all()

    def _put(self, item: Any) -> bool:
        """Whether to go on; waits for room."""
        with self._changed:
            if item is not None and self._newest:
                self._ready.clear()
            self._changed.wait_for(lambda: len(self._ready) < self._depth or self._closed)
            if item is not None and not self._closed:
                self.arrived = time.monotonic()
                self._ready.append((self.arrived, item))
                self._changed.notify_all()
            return not self._closed
