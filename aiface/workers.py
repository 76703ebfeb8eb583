"""Processes that make batches: pictures are spoiled in Python, which one process does on one core at a time.

They import neither Keras nor its backend, and leave the GPU alone.
"""

import multiprocessing
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any


@contextmanager
def started(number: int) -> Iterator[ProcessPoolExecutor | None]:
    """So many processes for `item`; None for 0. What they have not begun when it ends is dropped."""
    if not number:
        yield None
        return
    pool = ProcessPoolExecutor(number, multiprocessing.get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def item(packed: bytes, index: int) -> Any:
    """One item of a pickled sequence: it is unpickled once, and then kept until another one is asked for."""
    return _unpacked(packed)[index]


@lru_cache(maxsize=1)
def _unpacked(packed: bytes) -> Sequence:
    return pickle.loads(packed)
