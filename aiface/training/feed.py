"""Batches for `model.fit`, made ahead of it by threads, or by processes where there are many cores."""

from concurrent.futures import ProcessPoolExecutor

import numpy as np

from aiface.data.batches import Batches
from aiface.models.keras_import import keras
from aiface.training import batch_workers


class Feed(keras.utils.PyDataset):
    """An epoch of batches for `model.fit`.

    `workers` threads make them ahead, or wait for the processes of `pool` (`aiface.training.batch_workers`, started
    with the same crops) to make them. Order and content are the same.
    """

    def __init__(self, batches: Batches, workers: int = 2, pool: ProcessPoolExecutor | None = None):
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=max(8, 2 * workers))
        self._batches, self._pool = batches, pool

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self._pool is None:
            return self._batches[index]
        return self._pool.submit(batch_workers.batch, self._batches, index).result()
