"""Crops to training batches: balanced over class and source, degraded alike, the same for the same seed."""

from collections.abc import Mapping

import numpy as np

from aiface.data.blend import cutmix, self_blend
from aiface.data.crop_sets import CropSet
from aiface.data.degrade import degrade, mute, tighten, window
from aiface.data.groups import pools, weigh
from aiface.data.twins import maker, possible
from aiface.errors import DataError
from aiface.labels import AI, REAL


class Batches:
    """One epoch of batches `(uint8 (b, size, size, 3), float32 (b, 1))`, which `aiface.training.feed` hands to `fit`.

    Balanced, real and AI alternate within a batch, each pair from one group, so that what differs within a pair is the
    class and not the look; groups are drawn by their `shares`, alike without, and within a group a class's sources by
    the power `even` of their number of crops. Not balanced, every crop is as likely as any other. `degrade` crops,
    mirrors and degrades; without it a window smaller than the crop is cut out and that is all. `self_blended` is the
    share of balanced pairs whose AI face is a self-blended copy of the real one. `by_set`: groups are data sets.
    `twins`: shares of pairs that are made of one real face, by how (`aiface.data.twins.maker`): both are cropped and
    degraded alike, so that the trace alone differs. `muted`: share of pictures that lose most of their colour.
    `cutmix` is the share of pictures that get a rectangle of another one of their batch; their label is the share that
    is AI. `share` is the part of each batch that this process makes.
    Batch i of epoch e is the same for the same seed, whoever makes it.
    """

    def __init__(self, crops: CropSet, size: int, batch_size: int, steps: int, seed: tuple[int, ...],
                 *, degrade: bool = True, balance: bool = True, shares: Mapping[str, float] = {},
                 self_blended: float = 0.0, cutmix: float = 0.0, share: slice = slice(None),
                 by_set: bool = False, twins: Mapping[str, float] = {}, even: float = 0.5,
                 muted: float = 0.0):  # fmt: skip
        self._crops, self._size, self._batch_size, self._steps = crops, size, batch_size, steps
        self._seed, self._degrade, self._self_blended, self._cutmix = seed, degrade, self_blended, cutmix
        by_group = pools(crops, by_set) if balance else {}
        self._twins, self._even, self._muted = dict(twins), even, muted
        self._pools, self._weights = list(by_group.values()), weigh(shares, by_group)
        self._of_twins = {name: _with_twins(name, crops, self._pools) for name in twins}
        self._share = share

    def __len__(self) -> int:
        return self._steps

    def __getstate__(self) -> dict:
        """For another process, without the crops: they are large, and `of` gives it its own."""
        return vars(self) | {"_crops": None}

    def of(self, crops: CropSet) -> "Batches":
        """These batches with the crops that they were made for."""
        self._crops = crops
        return self

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if not 0 <= index < self._steps:
            raise IndexError(index)
        drawn = self._drawn(index)
        shown = [self._shown(drawn, place, (*self._seed, index)) for place in range(len(drawn))[self._share]]
        return np.stack([image for image, _ in shown]), np.array([label for _, label in shown], np.float32)[:, None]

    def originals(self, index: int) -> np.ndarray:
        """Which crop each picture of batch `index` is made from, int64 `(b,)`."""
        return np.array([crop for crop, *_ in self._drawn(index)[self._share]], np.int64)

    def _drawn(self, index: int) -> list[tuple[int, int, str]]:
        """The crops of a batch, each with the label that it gets and, of twins, how they are made."""
        rng = np.random.default_rng((*self._seed, index))
        if self._pools:
            return [drawn for _ in range(self._batch_size // 2) for drawn in self._pair(rng)]
        crops = rng.integers(len(self._crops), size=self._batch_size).tolist()
        return [(crop, int(self._crops.labels[crop]), "") for crop in crops]

    def _pair(self, rng: np.random.Generator) -> tuple[tuple[int, int, str], tuple[int, int, str]]:
        group = rng.choice(len(self._pools), p=self._weights)
        pool = self._pools[group]
        made = _pick(self._twins, rng) if self._twins else ""
        reals = self._of_twins[made][group] if made else []
        real = _draw(reals or pool[REAL], rng, self._even)
        if reals:
            return (real, REAL, made), (real, AI, made)
        blended = rng.random() < self._self_blended
        return (real, REAL, ""), (real if blended else _draw(pool[AI], rng, self._even), AI, "")

    def _shown(self, drawn: list[tuple[int, int, str]], place: int, seed: tuple[int, ...]) -> tuple[np.ndarray, float]:
        """The picture at a place of a batch and its label, alone or mixed with another."""
        stream = (*seed, place + 1)  # not 0: NumPy takes (a, b, 0) for (a, b)
        crop, label, made = drawn[place]
        if made:
            seed = (*seed, place // 2 + 1, 2)  # of the pair: what is drawn for one is drawn for the other
            twins = maker(made)(self._crops, crop, np.random.default_rng(seed))
            return self._augment(twins[label], np.random.default_rng((*seed, 1))), label
        image, label = self._made(crop, label, stream)
        rng = np.random.default_rng((*stream, 1))
        if rng.random() >= self._cutmix:
            return image, label
        other = int(rng.integers(len(drawn)))
        return cutmix(image, label, *self._made(*drawn[other][:2], (*seed, other + 1)), rng)

    def _made(self, crop: int, label: int, seed: tuple[int, ...]) -> tuple[np.ndarray, int]:
        """What is shown of a crop, self-blended where it gets a label that is not its own, and that label."""
        rng, image = np.random.default_rng(seed), self._crops[crop]
        return self._augment(image if label == self._crops.labels[crop] else self_blend(image, rng), rng), label

    def _augment(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if not self._degrade:
            return window(image, self._size, rng) if self._size < image.shape[0] else image
        if rng.random() < 0.3:
            image = tighten(image, rng)
        image = window(image, self._size, rng)
        if rng.random() < 0.5:
            image = image[:, ::-1]
        if self._muted and rng.random() < self._muted:
            image = mute(image, rng)
        return degrade(np.ascontiguousarray(image), rng)


def _with_twins(name: str, crops: CropSet, pools: list[tuple[list[np.ndarray], list[np.ndarray]]]) -> list:
    """Of each group's real sources those crops, int64 arrays, of which twins are made; a group may be left without."""
    mask = possible(name, crops)
    found = [[kept for index in real if len(kept := index[mask[index]])] for real, _ in pools]
    if not any(found):
        raise DataError(
            f"{name}: expected fakes of real faces in {crops.folder}, found none; make them from these crops"
        )
    return found


def _pick(shares: Mapping[str, float], rng: np.random.Generator) -> str:
    """One of the names by their shares, or "" for what is left to 1."""
    place = int(np.searchsorted(np.cumsum(list(shares.values())), rng.random(), side="right"))
    return list(shares)[place] if place < len(shares) else ""


def _draw(sources: list[np.ndarray], rng: np.random.Generator, even: float = 0.5) -> int:
    weights = np.power([len(index) for index in sources], float(even))
    source = sources[rng.choice(len(sources), p=weights / weights.sum())]
    return int(rng.choice(source))
