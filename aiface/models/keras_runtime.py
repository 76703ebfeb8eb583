"""Scoring through Keras: slow, and what every other way of scoring is measured against."""

import numpy as np

from aiface.models.keras_import import keras
from aiface.models.network import predict_logits

BATCH_SIZES = (1, 4, 16)  # padded to the next: each new shape compiles the network anew; 64 is slower a face than 16


class KerasRuntime:
    """Gives a network's logits; `name` says by what."""

    def __init__(self, network: keras.Model):
        self.name = f"Keras {keras.__version__}"
        self._network = network

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Logits float32 `(n,)` of uint8 crops `(n, 256, 256, 3)`."""
        found, start = [], 0
        while start < len(crops):
            size = next((size for size in BATCH_SIZES if size >= len(crops) - start), BATCH_SIZES[-1])
            batch = crops[start : start + size]
            padding = np.zeros((size - len(batch), *crops.shape[1:]), np.uint8)
            found.append(predict_logits(self._network, [np.concatenate((batch, padding))])[: len(batch)])
            start += size
        return np.concatenate(found)
