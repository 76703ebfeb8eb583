"""Autoencoders without training: an encoder by principal components, a decoder by ridge regression.

Each block of `stride` by `stride` pixels is drawn from the latents round it, as a convolution and a pixel shuffle draw
it in the decoders of generators, through a hidden layer of random weights (Huang et al. 2006, "Extreme learning
machine"). It takes seconds where networks as good take a GPU.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RIDGE = 1e-3
BLOCKS = 40_000  # that a codec is fitted on


@dataclass(frozen=True)
class Codec:
    """A fitted one: float64 arrays, called with an RGB uint8 crop `(s, s, 3)`, whose reconstruction it returns.

    stride: of latents, in pixels. margin: pixels round its block that a latent sees.
    """

    stride: int
    margin: int
    mean: np.ndarray
    encoder: np.ndarray
    hidden: np.ndarray
    scale: np.ndarray
    decoder: np.ndarray

    def __call__(self, crop: np.ndarray) -> np.ndarray:
        """The crop through encoder and decoder."""
        side = crop.shape[0] // self.stride
        drawn = self.features(self.latents(crop)) @ self.decoder
        blocks = drawn.reshape(side, side, 3, self.stride, self.stride).transpose(0, 3, 1, 4, 2)
        return np.clip(np.rint(blocks.reshape(crop.shape) + 127.5), 0, 255).astype(np.uint8)

    def latents(self, crop: np.ndarray) -> np.ndarray:
        """`(s / stride, s / stride, c)`, standardised."""
        seen = windows(crop, self.stride, self.margin)
        return (seen - self.mean) @ self.encoder / self.scale

    def features(self, latents: np.ndarray) -> np.ndarray:
        """Of each block what its decoder sees: the latents round it, a hidden layer of them, and 1: `(blocks, f)`."""
        padded = np.pad(latents, ((1, 1), (1, 1), (0, 0)), "edge")
        seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1)).reshape(-1, 9 * latents.shape[2])
        return np.hstack((seen, np.maximum(seen @ self.hidden, 0), np.ones((len(seen), 1))))


def windows(crop: np.ndarray, stride: int, margin: int) -> np.ndarray:
    """What each latent sees: a block and its margin, float64 `(s / stride, s / stride, pixels)` round 0."""
    padded = np.pad(crop, ((margin, margin), (margin, margin), (0, 0)), "reflect") - 127.5
    seen = np.lib.stride_tricks.sliding_window_view(padded, (stride + 2 * margin,) * 2, (0, 1))[::stride, ::stride]
    return seen.reshape(*seen.shape[:2], -1)


def fitted(stride: int, channels: int, margin: int, hidden: int, crops: Sequence[np.ndarray], seed: int) -> Codec:
    """A codec of so many latent `channels` and `hidden` units, fitted on crops."""
    rng = np.random.default_rng((seed, 3))
    seen = np.concatenate([windows(crop, stride, margin).reshape(-1, 3 * (stride + 2 * margin) ** 2) for crop in crops])
    some = seen[rng.permutation(len(seen))[:BLOCKS]]
    mean = some.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov(some, rowvar=False))
    encoder = axes[:, ::-1][:, :channels]
    scale = ((some - mean) @ encoder).std(axis=0)
    weights = rng.normal(0, 1 / np.sqrt(9 * channels), (9 * channels, hidden))
    codec = Codec(stride, margin, mean, encoder, weights, scale, np.zeros((0, 0)))
    told = np.concatenate([codec.features(codec.latents(crop)) for crop in crops])
    drawn = np.concatenate([windows(crop, stride, 0).reshape(-1, 3 * stride**2) for crop in crops])
    square = told.T @ told
    decoder = np.linalg.solve(square + RIDGE * len(told) * np.eye(len(square)), told.T @ drawn)
    return Codec(stride, margin, mean, encoder, weights, scale, decoder)


def drawn(seed: int, crops: Sequence[np.ndarray]) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """A codec of random design and its name, such as `codec03-8x21`: strides take turns, the rest is drawn."""
    rng = np.random.default_rng((seed, 4))
    stride = (8, 4, 8, 16)[seed % 4]
    channels = int(rng.integers(*{4: (5, 11), 8: (14, 40), 16: (60, 120)}[stride]))
    margin, hidden = min(4, int(rng.choice((0, stride // 4, stride // 2)))), int(rng.choice((0, 200, 600)))
    return f"codec{seed:02}-{stride}x{channels}", fitted(stride, channels, margin, hidden, crops, seed)
