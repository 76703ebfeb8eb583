"""How often something slow may be done, so that time remains for all else."""

import time
from math import inf

SHARE = 0.5  # of the time that it may take


class Throttle:
    """Work at most each `interval` seconds, or so seldom that it takes `SHARE` of the time; `with` it, it is done.

    interval: it may be set anew while that is done.

    >>> pace = Throttle(0.1)
    >>> if pace.left <= 0:
    ...     with pace:
    ...         pass  # what is slow
    >>> pace.left > 0
    True
    """

    def __init__(self, interval: float):
        self.interval = interval
        self._began = self._due = -inf

    @property
    def left(self) -> float:
        """Seconds until the work is due; 0 or less once it is."""
        return self._due - time.monotonic()

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *error: object) -> None:
        self._due = self._began + max(self.interval, (time.monotonic() - self._began) / SHARE)
