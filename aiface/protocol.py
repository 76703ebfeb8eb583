"""The evaluation protocol: every figure with its interval, for every source, and under every degradation.

One clean test split says nothing about the next camera or generator. `python -m aiface evaluate` therefore measures
each set as a whole and by source, spoils the same faces step by step, and judges whole clips.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from aiface import degrade
from aiface.calibration import Calibration
from aiface.dataset import Item, scan
from aiface.detector import Detector
from aiface.errors import DataError
from aiface.evaluation import bootstrap, figures
from aiface.faces import FaceFinder
from aiface.labels import AI, REAL
from aiface.shards import CropSet, prepare

RESAMPLES = 1000
PER_CLASS = 150  # faces of each class of a set under each degradation: enough for AUCs to +-0.03
Spoil = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _strengths(function: Callable, values: Iterable[float], random: bool = False) -> dict[float, Spoil]:
    def spoil(value: float, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return function(image, value, rng) if random else function(image, value)

    return {value: partial(spoil, value) for value in values}


CURVES: Mapping[str, Mapping[float, Spoil]] = {
    "JPEG quality": _strengths(degrade.jpeg, (90, 70, 50, 30)),
    "blur sigma": _strengths(degrade.blur, (0.5, 1, 2, 3)),
    "scaled down to": _strengths(degrade.rescale, (192, 128, 96, 64)),
    "noise sigma": _strengths(degrade.noise, (2, 5, 10, 20), random=True),
    "H.264 crf": _strengths(degrade.h264, (18, 28, 35, 40)),
}


def set_name(root: str | Path) -> str:
    """What a set is called: its folder's name, after its parent's if it is a split.

    >>> set_name("data/wild/test")
    'wild/test'
    """
    root = Path(root).resolve()
    return f"{root.parent.name}/{root.name}" if root.name in ("train", "valid", "test") else root.name


def test_items(root: str | Path) -> list[Item]:
    """The items of a set to measure on: its `test` split, or all if it has no splits.

    Raises `DataError` if there are splits and none is `test`: nothing is measured on what was chosen on.
    """
    items = scan(root)
    splits = {item.split for item in items}
    if splits == {""}:
        return items
    if "test" not in splits:
        raise DataError(f"{root}: expected a test split, found {', '.join(sorted(splits))}; name the folder to measure")
    return [item for item in items if item.split == "test"]


def evaluate_set(
    detector: Detector, crops: CropSet, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[dict, np.ndarray]:
    """A set's figures with 95 % intervals, and by source; and its scores `(n,)`.

    A source that holds both classes is measured by itself. One that holds AI faces only is measured against all real
    faces of the set, one that holds real faces only against all AI faces.
    """
    scores = score_all(detector, crops.batches())
    labels, calibration, left_out = crops.labels, detector.calibration, sum(crops.left_out.values())
    row = _row(scores, labels, calibration, resamples, seed) | {"left_out": left_out}
    row["sources"] = {
        str(source): _row(scores[mask], labels[mask], calibration, resamples, seed)
        for source in np.unique(crops.sources)
        if len(set(labels[mask := _opponents(labels, crops.sources == source)].tolist())) == 2
    }
    return row, scores


def _row(scores: np.ndarray, labels: np.ndarray, calibration: Calibration, resamples: int, seed: int) -> dict:
    measure = partial(figures, calibration=calibration)
    return measure(scores, labels) | {"intervals": bootstrap(measure, scores, labels, resamples, seed)}


def _opponents(labels: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The faces that a source is measured on: its own, and all of the class that it lacks."""
    missing = [label for label in (REAL, AI) if not np.any(own & (labels == label))]
    return own | np.isin(labels, missing)


def score_all(detector: Detector, batches: Iterable[np.ndarray]) -> np.ndarray:
    """P(AI), float32 `(n,)`, of batches of crops."""
    found = [detector.score(batch) for batch in batches]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def curves(
    detector: Detector, sets: Sequence[CropSet], progress: Callable[[Iterable], Iterable] = iter, seed: int = 0
) -> dict[str, dict[str, float]]:
    """AUC of all sets together under each degradation and strength, on the same faces: up to 150 a class and set."""
    chosen = [(crops, index) for crops in sets for index in _sample(crops.labels, seed)]
    labels = np.array([crops.labels[index] for crops, index in chosen])
    clean = score_all(detector, _batched(crops[index] for crops, index in chosen))
    table = {name: {"clean": float(roc_auc_score(labels, clean))} for name in CURVES}
    steps = [(name, strength, spoil) for name, curve in CURVES.items() for strength, spoil in curve.items()]
    for name, strength, spoil in progress(steps):
        rng = np.random.default_rng(seed)
        scores = score_all(detector, _batched(spoil(crops[index], rng) for crops, index in chosen))
        table[name][f"{strength:g}"] = float(roc_auc_score(labels, scores))
    return table


def _sample(labels: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    by_class = (np.flatnonzero(labels == label) for label in (REAL, AI))
    return np.concatenate([rng.permutation(index)[:PER_CLASS] for index in by_class])


def _batched(images: Iterable[np.ndarray], size: int = 64) -> Iterable[np.ndarray]:
    batch = []
    for image in images:
        batch.append(image)
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def coverage_risk(scores: np.ndarray, labels: np.ndarray, calibration: Calibration) -> dict[str, list[float]]:
    """Error among the faces that are decided, for each share of faces that is (El-Yaniv and Wiener 2010).

    The faces farthest from the middle of the inconclusive band, in logits, are decided first.
    """
    logits = np.log(np.clip(scores, 1e-7, None) / np.clip(1 - scores, 1e-7, None))
    band = np.array((calibration.real_below, calibration.ai_from))
    middle = float(np.mean(np.log(band / (1 - band))))
    order = np.argsort(-np.abs(logits - middle), kind="stable")
    wrong = ((logits > middle) != (labels == AI))[order]
    risk = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    steps = np.unique(np.linspace(0.1, 1.0, 19))
    index = np.maximum(1, np.round(steps * len(risk)).astype(int)) - 1
    return {"coverage": steps.round(3).tolist(), "risk": risk[index].tolist()}


def evaluate(
    detector: Detector,
    roots: Sequence[str | Path],
    new_finder: Callable[[], FaceFinder],
    progress: Callable[[Iterable], Iterable] = iter,
    with_curves: bool = True,
    resamples: int = RESAMPLES,
) -> dict:
    """Measure a detector on each set in `roots`; the faces are found and cropped as in use.

    Returns `detector`, `sets` by name, `curves` and `coverage_risk` over all sets. Raises `DataError` for a set that is
    empty, lacks a class or a test split.
    """
    parts = {set_name(root): test_items(root) for root in roots}
    if len(parts) < len(roots):
        raise DataError(f"expected sets of different names, found {', '.join(set_name(root) for root in roots)}")
    with tempfile.TemporaryDirectory(prefix="aiface-") as folder:
        sets = {
            name: prepare(items, Path(folder) / str(number), new_finder, progress)
            for number, (name, items) in enumerate(parts.items())
        }
        rows, scores = {}, []
        for name, crops in sets.items():
            rows[name], found = evaluate_set(detector, crops, resamples)
            scores.append(found)
        labels = np.concatenate([crops.labels for crops in sets.values()])
        return {
            "detector": {"name": detector.name, "sha256": detector.card["sha256"]},
            "sets": rows,
            "curves": curves(detector, list(sets.values()), progress) if with_curves else {},
            "coverage_risk": coverage_risk(np.concatenate(scores), labels, detector.calibration),
        }
