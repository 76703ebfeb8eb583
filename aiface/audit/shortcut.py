"""How well do the classes come apart without any look at a face? The shortcut score, and an AUC with its interval."""

import itertools
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from aiface.audit.pixel_statistics import STATISTICS, statistics
from aiface.errors import DataError
from aiface.labels import AI, REAL

FEWEST = 20  # pictures of each class for a score
MOST = 10_000  # pictures a shortcut score is measured on, drawn at random; its interval is then about +-0.01
FOLDS = 5
REPEATS = 3  # partitions into folds where pictures are few: one alone moves the score by 0.02
FEW = 3_000

_Table = tuple[np.ndarray, list[bool]]  # columns, and which of them are categories
_Models = Sequence[HistGradientBoostingClassifier]  # one for each fold held out


@dataclass(frozen=True)
class Score:
    """An AUC with its 95 % interval, 0.5 for none. Above 0.5 AI has the higher values."""

    auc: float
    low: float
    high: float
    n_real: int
    n_ai: int

    def __str__(self) -> str:
        return f"{self.auc:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class ShortcutScore:
    """How well a classifier that never looks at a face tells the classes apart.

    `scores` maps each set of features ("metadata", "low_level", and "both" where there are two) to its Score, `groups`
    the same within each group that has both classes. `importance` says what carries the widest set: how much AUC is
    lost when a feature is shuffled (Breiman 2001); features that say the same share theirs.
    """

    scores: dict[str, Score] = field(default_factory=dict)
    groups: dict[str, dict[str, Score]] = field(default_factory=dict)
    importance: dict[str, float] = field(default_factory=dict)


def shortcut_score(
    features: Mapping[str, Mapping[str, np.ndarray]],
    labels: np.ndarray,
    groups: np.ndarray | None = None,
    scopes: np.ndarray | None = None,
    seed: int = 0,
) -> ShortcutScore:
    """Cross-validated AUC of each set of `features`, of all sets together, and within each scope.

    `features`: `{set: {feature: (n,) column}}`, a column of strings is a category. `labels` `(n,)` REAL or AI.
    Pictures of one of `groups` `(n,)` stay in one fold (near-duplicates, say), `scopes` `(n,)` names parts of the data
    that are scored by themselves. A part with fewer than 20 groups of a class has no score.

    The classifier is gradient boosting on histograms (Ke et al. 2017): it takes categories, missing values and any
    scale as they are. The score is the mean AUC of five folds, of three partitions into folds below 3,000 pictures; a
    random 10,000 stand for more. Its interval comes from each picture's influence (LeDell et al. 2015, "Computationally
    efficient confidence intervals for cross-validated area under the ROC curve estimates"), summed within groups, and
    is widened by half, since the models vary with the data too (Nadeau and Bengio 2003, "Inference for the
    generalization error"): without that it missed 0.5 in a quarter of sets of random numbers.
    """
    labels = np.asarray(labels)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    sets = dict(features)
    if len(sets) > 1:
        sets["both"] = {name: column for columns in features.values() for name, column in columns.items()}
    tables = {name: _table(columns) for name, columns in sets.items()}
    widest = list(sets)[-1]
    scores, importance = _score_sets(tables, labels, groups, np.arange(len(labels)), seed, widest)
    by_scope = {
        scope: _score_sets(tables, labels, groups, np.flatnonzero(mask), seed)[0]
        for scope, mask in scope_masks(scopes, labels).items()
    }
    ranked = sorted(zip(sets[widest], importance.tolist(), strict=False), key=lambda pair: -pair[1])
    return ShortcutScore(scores, {scope: row for scope, row in by_scope.items() if row}, dict(ranked))


def scope_masks(scopes: np.ndarray | None, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Which pictures are in each scope that holds both classes, if there is more than one scope."""
    names = [] if scopes is None else np.unique(scopes).tolist()
    masks = {name: scopes == name for name in names} if len(names) > 1 else {}
    return {name: mask for name, mask in masks.items() if len(np.unique(labels[mask])) == 2}


def _table(columns: Mapping[str, np.ndarray]) -> _Table:
    """Columns as float32 `(n, f)`, a category as the rank of its frequency (at most 100, the rest as one)."""
    coded, categorical = [], []
    for column in columns.values():
        categorical.append(column.dtype.kind == "U")
        if categorical[-1]:
            _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
            rank = np.argsort(np.argsort(-counts, kind="stable"))
            column = rank[inverse].clip(max=100)
        coded.append(column.astype(np.float32))
    return np.column_stack(coded), categorical


def _score_sets(
    tables: Mapping[str, _Table],
    labels: np.ndarray,
    groups: np.ndarray,
    index: np.ndarray,
    seed: int,
    explain: str = "",
) -> tuple[dict[str, Score], np.ndarray]:
    """The score of each table on the pictures `index`, and the importances in the one to `explain`."""
    rng = np.random.default_rng(seed)
    if len(index) > MOST:
        index = np.sort(rng.choice(index, MOST, replace=False))
    labels, groups = labels[index], groups[index]
    held = list(itertools.chain(*(_folds(labels, groups, rng) for _ in range(REPEATS if len(index) <= FEW else 1))))
    scores, importance = {}, np.zeros(0)
    with threadpool_limits(1):  # OpenMP waits in a spin: 8 times slower than one thread where others want the cores
        for name, (table, categorical) in tables.items() if held else ():
            models = [_fit(table[index][~mask], categorical, labels[~mask], seed) for mask in held]
            scores[name] = _cross_validated(models, table[index], labels, held, groups)
            if name == explain:
                importance = _importance(models, table[index], labels, held, rng)
    return scores, importance


def _folds(labels: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Masks of what each of five folds holds out: whole groups, each class spread evenly; none if there are too few."""
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    label = labels[first]
    if min(np.sum(label == REAL), np.sum(label == AI)) < FEWEST:
        return []
    order = rng.permutation(len(label))
    order = order[np.argsort(label[order], kind="stable")]
    fold = np.empty(len(label), np.int64)
    fold[order] = np.arange(len(label)) % FOLDS
    return [fold[group] == k for k in range(FOLDS)]


def _fit(table: np.ndarray, categorical: list[bool], labels: np.ndarray, seed: int) -> HistGradientBoostingClassifier:
    model = HistGradientBoostingClassifier(
        max_iter=100, max_leaf_nodes=8, min_samples_leaf=10, l2_regularization=1.0, early_stopping=False,
        categorical_features=categorical, random_state=seed,
    )  # fmt: skip
    return model.fit(table, labels)


def _cross_validated(
    models: _Models, table: np.ndarray, labels: np.ndarray, held: Sequence[np.ndarray], groups: np.ndarray
) -> Score:
    aucs, influence = [], np.zeros(len(labels))
    for model, mask in zip(models, held, strict=True):
        auc, part = auc_influence(model.decision_function(table[mask]), labels[mask])
        influence[mask] += part / len(held)
        aucs.append(auc)
    trained_anew = math.sqrt(1 + FOLDS / (FOLDS - 1))  # Nadeau and Bengio: models too vary with the data
    return with_interval(float(np.mean(aucs)), influence, labels, groups, 1.96 * trained_anew)


def _importance(
    models: _Models, table: np.ndarray, labels: np.ndarray, held: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Mean loss of AUC over the held-out folds when one column is shuffled, `(f,)`."""
    lost = np.zeros(table.shape[1])
    for model, mask in zip(models, held, strict=True):
        rows, truth = table[mask], labels[mask]
        shuffled = np.repeat(rows[None], len(lost) + 1, axis=0)  # the last stays whole; one call is faster than many
        for column in range(len(lost)):
            shuffled[column, :, column] = rng.permutation(rows[:, column])
        values = model.decision_function(shuffled.reshape(-1, len(lost))).reshape(len(lost) + 1, -1)
        *without, whole = (roc_auc_score(truth, row) for row in values)
        lost += (whole - np.array(without)) / len(held)
    return lost


def auc_influence(values: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """AUC of `values` `(n,)` and each one's influence on it, whose squares sum to its variance.

    DeLong et al. 1988 by ranks, as Sun and Xu 2014, "Fast implementation of DeLong's algorithm".
    """
    positive = labels == AI
    below = rankdata(values)  # ties count half
    below[positive] -= rankdata(values[positive])
    below[~positive] -= rankdata(values[~positive])
    counts = positive.sum(), (~positive).sum()
    place = np.where(positive, below / counts[1], 1 - below / counts[0])
    auc = float(place[positive].mean())
    return auc, (place - auc) / np.where(positive, counts[0], counts[1])


def with_interval(auc: float, influence: np.ndarray, labels: np.ndarray, groups: np.ndarray, z: float) -> Score:
    """The Score of an AUC: `z` standard errors either way, influences within a group counted as one."""
    _, group = np.unique(groups, return_inverse=True)
    spread = z * float(np.sqrt(np.sum(np.bincount(group, influence) ** 2)))
    n_ai = int(np.sum(labels == AI))
    return Score(auc, max(0.0, auc - spread), min(1.0, auc + spread), len(labels) - n_ai, n_ai)


class OfOriginals(Protocol):
    """Batches that know which originals their pictures are made from, such as `aiface.data.batches.Batches`."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]: ...

    def originals(self, index: int) -> np.ndarray:
        """Which original each picture of a batch is made from, int64 `(b,)`."""


def audit_batches(
    batches: OfOriginals, scopes: np.ndarray | None = None, seed: int = 0, threads: int = 2
) -> ShortcutScore:
    """The shortcut score of what training shows the network: what is left after crop, balance and degradations.

    `scopes` names the part of the data that each original belongs to. Pictures of one original stay in one fold. There
    is no file, so only `low_level`. Raises `DataError` for other arrays than uint8 pictures and as many labels.
    """
    values: list[np.ndarray] = []
    shown, made_of = [], []
    with ThreadPoolExecutor(threads) as pool:
        for index in range(len(batches)):
            images, truth = batches[index]
            if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or len(images) != len(truth):
                found = f"{images.dtype} {images.shape} and {len(truth)}"
                raise DataError(f"expected uint8 images (n, h, w, 3) and n labels, found {found}")
            values += pool.map(statistics, images)
            shown.append(np.ravel(truth).astype(np.int64))
            made_of.append(batches.originals(index))
    labels, originals = np.concatenate(shown), np.concatenate(made_of)
    columns = dict(zip(STATISTICS, np.stack(values).T, strict=True))
    of_pictures = None if scopes is None else np.asarray(scopes)[originals]
    return shortcut_score({"low_level": columns}, labels, originals, of_pictures, seed)
