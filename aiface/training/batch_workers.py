"""Processes that make batches: pictures are degraded in Python, which one process does on one core at a time.

They import neither Keras nor its backend, and leave the GPU alone.
"""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import numpy as np

from aiface.data.batches import Batches
from aiface.data.crop_sets import CropSet

_crops: CropSet  # what the process was started with


@contextmanager
def started(number: int, crops: CropSet) -> Iterator[ProcessPoolExecutor | None]:
    """So many processes for `batch`; None for 0. Each gets the crops once; work not begun in the end is dropped."""
    if not number:
        yield None
        return
    pool = ProcessPoolExecutor(number, multiprocessing.get_context("spawn"), _keep, (crops,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def batch(batches: Batches, index: int) -> tuple[np.ndarray, np.ndarray]:
    """One of the batches of the crops that the process was started with."""
    return batches.of(_crops)[index]


def _keep(crops: CropSet) -> None:
    global _crops
    _crops = crops
