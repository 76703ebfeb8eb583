"""Twins to train on: a real face and a fake of that very picture, so that the trace alone tells them apart.

Made on the spot ("swap"), or kept in a folder of crops that bear the hash of the picture each was made from.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np

from aiface.data.blend import swap_twins
from aiface.data.crop_sets import CropSet
from aiface.data.degrade import jpeg

BANDS = 32  # rings of frequency whose energy is matched
GAINS = (0.5, 3.0)  # a ring that holds nearly nothing can't be mended by amplifying it

Maker = Callable[[CropSet, int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def maker(name: str) -> Maker:
    """How twins are made of crop `index` of a set: the real face and the fake, RGB uint8 `(s, s, 3)`.

    name: "swap" (`aiface.data.blend.swap_twins`), or a folder of crops that are fakes of some of the set's real faces
    (`possible`).
    """
    if name == "swap":
        return lambda crops, index, rng: swap_twins(crops[index], rng)
    return partial(_kept, name)


def possible(name: str, crops: CropSet) -> np.ndarray:
    """Of which real faces of a set `maker` makes twins, boolean `(n,)`."""
    if name == "swap":
        return np.ones(len(crops), bool)
    _, place = _fakes(name)
    return np.array([row.sha256 in place for row in crops.rows], bool)


def _kept(folder: str, crops: CropSet, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    fakes, place = _fakes(folder)
    real = crops[index]
    return real, disguised(fakes[place[crops.rows[index].sha256]], real, rng)


@cache
def _fakes(folder: str) -> tuple[CropSet, dict[str, int]]:
    """The crops of a folder, and the index of each by the hash of its original."""
    crops = CropSet(Path(folder))
    return crops, {row.sha256: index for index, row in enumerate(crops.rows)}


def disguised(fake: np.ndarray, real: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A reconstruction without what would give it away for the wrong reason: softness, and missing traces of a file.

    RGB uint8 `(s, s, 3)` in and out. Detail matched to its original's in two thirds, mixed with it in a fifth, saved
    as JPEG in a half, as "Dual Data Alignment Makes AI-Generated Image Detector Easier Generalizable" (2025) has it.
    """
    if rng.random() < 0.67:
        fake = like_in_detail(fake, real)
    if rng.random() < 0.2:
        share = rng.uniform(0.2, 0.8)
        fake = np.rint(share * fake + (1 - share) * real.astype(np.float32)).astype(np.uint8)
    return jpeg(fake, rng.uniform(75, 98)) if rng.random() < 0.5 else fake


def like_in_detail(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """An image with as much energy in each ring of frequencies as `other` has, within `GAINS`: both square, RGB uint8.

    What a decoder smooths away, any camera may smooth away, too; how it draws what is left stays.
    """
    found, wanted = (np.fft.rfft2(one.astype(np.float32), axes=(0, 1)) for one in (image, other))
    side = image.shape[0]
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * 2 * BANDS
    ring = np.minimum(radius.astype(int), BANDS - 1).ravel()
    energy = [np.bincount(ring, (np.abs(one) ** 2).sum(axis=2).ravel(), BANDS) for one in (found, wanted)]
    gain = np.clip(np.sqrt(energy[1] / np.maximum(energy[0], 1e-6)), *GAINS)
    gain[0] = 1  # the light itself
    matched = np.fft.irfft2(found * gain[ring].reshape(*radius.shape, 1), (side, side), axes=(0, 1))
    return np.clip(np.rint(matched), 0, 255).astype(np.uint8)
