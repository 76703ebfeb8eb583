"""`python -m benchmarks.frozen.heads CROPS FEATURES`: heads on frozen features, each source left out once.

As `benchmarks.quality.unseen` trains whole networks, by the same folds, into the same table: a head is fitted without a
fold's sources, put behind what made the features, and that detector scores them. There are two: one for pictures, and
one for looks in clips, which has seen more of these. `benchmarks.frozen.final` fits both on all sources.
"""

import argparse
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from aiface.data.crop_sets import CropSet
from aiface.data.groups import sets
from aiface.io.files import write_csv
from aiface.labels import AI, REAL
from benchmarks.frozen.features import seeing
from benchmarks.quality.unseen import FIELDS, SETS, SHARES, deal, fold_crops, scores
from benchmarks.quality.unseen_figures import MOVING

NAME = "mobilenet_v2_levels"
SHARES_OF_CLIPS = {"deepfake": 0.1, "faces140k": 0.05, "wild": 0.05, "modern": 0.3, "talking": 0.5}
RUN = Path("runs", "unseen", "levels-0")


@dataclass(frozen=True)
class Recipe:
    """Some small networks with one hidden layer, whose logits are averaged: so they are one with a wider layer.

    hidden: units of each. decay: scikit-learn's `alpha`. draws: crops that each sees, by their weights, `epochs` times.
    """

    hidden: int = 16
    decay: float = 3.0
    draws: int = 30_000
    epochs: int = 24
    networks: int = 12


def weights_of(crops: CropSet, mask: np.ndarray, shares: Mapping[str, float]) -> np.ndarray:
    """How often each crop is drawn, float64 `(n,)` of sum 1, 0 outside a boolean `mask`.

    Sets by `shares`, in each both classes alike, in these the sources by the root of their size.
    """
    of_set, found = sets(crops), np.zeros(len(crops))
    for name, share in shares.items():
        for label in (REAL, AI):
            rows = np.flatnonzero(mask & (of_set == name) & (crops.labels == label))
            _, of_source, sizes = np.unique(crops.sources[rows], return_inverse=True, return_counts=True)
            each = sizes[of_source] ** -0.5
            found[rows] = share * each / each.sum()
    return found / found.sum()


def fit(copies: Sequence[np.ndarray], labels: np.ndarray, weights: np.ndarray, recipe: Recipe) -> list[np.ndarray]:
    """A head as `aiface.models.network.with_head` takes it: kernel and bias of the hidden layer and of the logit.

    copies: features `(n, channels)` of the same crops, degraded in several ways, which are drawn alike.
    """
    rows = np.flatnonzero(weights)
    some = np.concatenate([np.asarray(copy[rows[::4]], np.float32) for copy in copies])
    mean, deviation = some.mean(axis=0), some.std(axis=0) + 1e-6
    parts = [_one(copies, labels, weights, recipe, (mean, deviation), seed) for seed in range(recipe.networks)]
    kernel, bias, last, end = zip(*parts, strict=True)
    return [
        np.concatenate(kernel, axis=1),
        np.concatenate(bias),
        np.concatenate(last) / len(parts),
        np.mean(end, axis=0),
    ]


def _one(
    copies: Sequence[np.ndarray], labels: np.ndarray, weights: np.ndarray, recipe: Recipe,
    scale: tuple[np.ndarray, np.ndarray], seed: int,
) -> list[np.ndarray]:  # fmt: skip
    """One of the small networks, which takes features as they are: its scaling is in its first layer."""
    rng = np.random.default_rng(seed)
    rows, of_copy = rng.choice(len(labels), recipe.draws, p=weights), rng.integers(len(copies), size=recipe.draws)
    shown = np.empty((recipe.draws, copies[0].shape[1]), np.float32)
    for number, copy in enumerate(copies):
        shown[of_copy == number] = copy[rows[of_copy == number]]
    mean, deviation = scale
    network = MLPClassifier(
        (recipe.hidden,), alpha=recipe.decay, max_iter=recipe.epochs, batch_size=256, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few epochs are what is wanted
        network.fit((shown - mean) / deviation, labels[rows])
    (kernel, last), (bias, end) = network.coefs_, network.intercepts_
    kernel = kernel / deviation[:, None]
    return [np.float32(array) for array in (kernel, bias - mean @ kernel, last, end)]


def logits(features: np.ndarray, head: Sequence[np.ndarray]) -> np.ndarray:
    """What a head makes of features `(n, channels)`: float32 `(n,)`."""
    kernel, bias, last, end = head
    return (np.maximum(np.asarray(features, np.float32) @ kernel + bias, 0) @ last + end)[:, 0]


def load(folder: Path) -> list[np.ndarray]:
    """The copies in a folder of `benchmarks.frozen.features`, read as they are needed."""
    return [np.load(path, mmap_mode="r") for path in sorted(folder.glob("copy-*.npy"))]


def trained_on(crops: CropSet, fold: np.ndarray, number: int) -> np.ndarray:
    """Which crops fold `number` learns from, bool `(n,)`: other folds' sources, and training splits of other sets."""
    return np.where(fold >= 0, fold != number, crops.splits == "train")


def main() -> None:
    """Fit and score the folds that are missing."""
    from aiface.models.network import with_head

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops")
    parser.add_argument("features", type=Path)
    parser.add_argument("--run", default=RUN, type=Path)
    parser.add_argument("--folds", default=3, type=int)
    options = parser.parse_args()
    crops, copies = CropSet(options.crops), load(options.features)
    fold = deal(crops, SETS, options.folds)
    network = seeing(np.load(options.features / "usual.npy"))
    for number in range(options.folds):
        if (path := options.run / f"fold-{number}" / "scores.csv").exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        mask, scored = trained_on(crops, fold, number), fold_crops(crops, fold, number, options.folds)[1]
        moving = np.isin(sets(scored), MOVING)
        rows = []
        for shares, part in ((SHARES, ~moving), (SHARES_OF_CLIPS, moving)):
            head = fit(copies, crops.labels, weights_of(crops, mask, shares), Recipe())
            rows += scores(with_head(network, head, NAME), scored.select(part))
        write_csv(path, rows, FIELDS)
        print(f"{path}: scored", flush=True)


if __name__ == "__main__":
    main()
