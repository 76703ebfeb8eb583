"""How long each stage of the work takes."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up seconds by stage, of the wall's clock or of another."""

    clock = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a `with` block as part of `stage`."""
        start = self.clock()
        try:
            yield
        finally:
            self.seconds[stage] += self.clock() - start

    def timed(self, stage: str, items: Iterable) -> Iterator:
        """Pass `items` on, timing how long each takes to come."""
        items = iter(items)
        while True:
            with self(stage):
                item = next(items, None)
            if item is None:
                return
            yield item

    def table(self, frames: int) -> dict[str, float]:
        """Milliseconds for each of so many frames, by stage."""
        return {stage: 1000 * seconds / frames for stage, seconds in self.seconds.items()} if frames else {}
