"""The same faces degraded step by step: how much of a detector's AUC is left."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.metrics import roc_auc_score

from aiface.data import degrade
from aiface.data.crop_sets import CropSet
from aiface.labels import AI, REAL
from aiface.models.detector import Detector

PER_CLASS = 150  # faces of each class of a set under each degradation: enough for AUCs to +-0.03
CLEAN = "clean"
ALL = "all"
Degradation = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Curves = Mapping[str, Mapping[float, Degradation]]
Table = dict[str, dict[str, float]]


def _strengths(function: Callable, values: Iterable[float], random: bool = False) -> dict[float, Degradation]:
    def degradation(value: float, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return function(image, value, rng) if random else function(image, value)

    return {value: partial(degradation, value) for value in values}


CURVES: Curves = {
    "JPEG quality": _strengths(degrade.jpeg, (90, 70, 50, 30)),
    "blur sigma": _strengths(degrade.blur, (0.5, 1, 2, 3)),
    "scaled down to": _strengths(degrade.rescale, (192, 128, 96, 64)),
    "noise sigma": _strengths(degrade.noise, (2, 5, 10, 20), random=True),
    "H.264 crf": _strengths(degrade.h264, (18, 28, 35, 40)),
}


@dataclass(frozen=True)
class Degraded:
    """Scores of the same n faces under each degradation and strength, one of which is "clean".

    scores: P(AI), float32 `(n,)`, by degradation and strength. labels: int64 `(n,)`. sets: names `(n,)`.
    """

    scores: Mapping[str, Mapping[str, np.ndarray]]
    labels: np.ndarray
    sets: np.ndarray

    def auc(self, mask: np.ndarray | slice = slice(None)) -> Table:
        """AUC of the faces in `mask` together, `{degradation: {strength: auc}}`."""
        return {
            name: {strength: float(roc_auc_score(self.labels[mask], s[mask])) for strength, s in curve.items()}
            for name, curve in self.scores.items()
        }

    def curves(self) -> dict[str, Table]:
        """`auc` of all faces together under "all", and of each set under its name."""
        return {ALL: self.auc()} | {str(name): self.auc(self.sets == name) for name in dict.fromkeys(self.sets)}


def degraded(
    detector: Detector,
    sets: Mapping[str, CropSet],
    progress: Callable[[Iterable], Iterable] = iter,
    curves: Curves = CURVES,
    per_class: int | None = PER_CLASS,
    seed: int = 0,
) -> Degraded:
    """Score the same faces under each degradation in `curves`: of each set up to `per_class` of each class.

    With the same seed the same faces are drawn and the same noise is added.
    """
    chosen = [(name, index) for name, crops in sets.items() for index in _sample(crops.labels, per_class, seed)]
    clean = _score_all(detector, _batched(sets[name][index] for name, index in chosen))
    scores = {name: {CLEAN: clean} for name in curves}
    steps = [(name, strength, degradation) for name, curve in curves.items() for strength, degradation in curve.items()]
    for kind, strength, degradation in progress(steps):
        images = _images(sets, chosen, degradation, np.random.default_rng(seed))
        scores[kind][f"{strength:g}"] = _score_all(detector, _batched(images))
    labels = np.array([sets[name].labels[index] for name, index in chosen], np.int64)
    return Degraded(scores, labels, np.array([name for name, _ in chosen], str))


def _images(
    sets: Mapping[str, CropSet], chosen: Iterable[tuple[str, int]], degradation: Degradation, rng: np.random.Generator
) -> Iterable[np.ndarray]:
    return (degradation(sets[name][index], rng) for name, index in chosen)


def _sample(labels: np.ndarray, per_class: int | None, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    by_class = (np.flatnonzero(labels == label) for label in (REAL, AI))
    return np.concatenate([rng.permutation(index)[:per_class] for index in by_class])


def _score_all(detector: Detector, batches: Iterable[np.ndarray]) -> np.ndarray:
    """P(AI), float32 `(n,)`, of batches of crops."""
    found = [detector.score(batch) for batch in batches]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _batched(images: Iterable[np.ndarray], size: int = 64) -> Iterable[np.ndarray]:
    batch = []
    for image in images:
        batch.append(image)
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)
