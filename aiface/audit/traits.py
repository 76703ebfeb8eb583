"""One trait at a time: how far a single number, or a single category, of a picture tells the classes apart."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2_contingency, norm

from aiface.audit.measurements import Measurements
from aiface.audit.shortcut import FEWEST, Score, auc_influence, scope_masks, with_interval
from aiface.labels import AI, REAL


@dataclass(frozen=True)
class Trait:
    """One statistic by class: `values` its median in real and in AI pictures, `scores` its AUC by scope ("all" too)."""

    name: str
    values: tuple[float, float]
    scores: dict[str, Score]

    @property
    def strength(self) -> float:
        """0.5 for none to 1: the farthest AUC of any scope, whichever way it points."""
        return max((0.5 + abs(score.auc - 0.5) for score in self.scores.values()), default=0.5)


@dataclass(frozen=True)
class Category:
    """One category by class.

    `cramers_v` by scope, 0 to 1, corrected for bias (Bergsma 2013); `accuracy` by scope of guessing each value's
    likelier class, classes weighted alike; `p` of the chi-squared test; `shares` of each class by value, largest first.
    """

    name: str
    cramers_v: dict[str, float]
    accuracy: dict[str, float]
    p: dict[str, float]
    shares: dict[str, tuple[float, float]]

    @property
    def strength(self) -> float:
        """0.5 for none to 1: the largest accuracy of any scope whose association is no accident."""
        return max((a for scope, a in self.accuracy.items() if self.p[scope] < 1e-3), default=0.5)


def numeric_traits(measured: Measurements, scopes: np.ndarray, groups: np.ndarray) -> list[Trait]:
    """Every number of the metadata and every statistic, the most telling first.

    Intervals hold for all traits together (Bonferroni), so that of many harmless ones none stands out by chance.
    """
    columns = {name: column for name, column in measured.columns.items() if column.dtype.kind == "f"}
    z = float(norm.ppf(1 - 0.025 / len(columns)))
    labels, traits = measured.labels, []
    for name, column in columns.items():
        known, scores = np.isfinite(column), {}
        for scope, mask in _parts(scopes, labels).items():
            use = mask & known
            if min(np.sum(use & (labels == REAL)), np.sum(use & (labels == AI))) >= FEWEST:
                scores[scope] = with_interval(*auc_influence(column[use], labels[use]), labels[use], groups[use], z)
        values = [column[known & (labels == label)] for label in (REAL, AI)]
        real, ai = (float(np.median(v)) if len(v) else math.nan for v in values)
        traits.append(Trait(name, (real, ai), scores))
    return sorted(traits, key=lambda trait: -trait.strength)


def _parts(scopes: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    return {"all": np.ones(len(labels), bool)} | scope_masks(scopes, labels)


def category_traits(measured: Measurements, scopes: np.ndarray) -> list[Category]:
    """Every category of the metadata, the most telling first. Values of fewer than 5 pictures count as one, "other"."""
    labels, found = measured.labels, []
    for name, column in measured.metadata.items():
        if column.dtype.kind == "U" and len(np.unique(labels)) == 2:
            rows = {scope: _contingency(column[m], labels[m]) for scope, m in _parts(scopes, labels).items()}
            v, accuracy, p = ({scope: row[1][i] for scope, row in rows.items()} for i in range(3))
            found.append(Category(name, v, accuracy, p, rows["all"][0]))
    return sorted(found, key=lambda trait: -trait.strength)


def _contingency(column: np.ndarray, labels: np.ndarray) -> tuple[dict, tuple[float, float, float]]:
    """Shares of each class by value; corrected Cramer's V, balanced accuracy and p."""
    names, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
    merged_names = ["other" if few else name or "none" for name, few in zip(names.tolist(), counts < 5, strict=True)]
    names, merged = np.unique(merged_names, return_inverse=True)
    table = np.zeros((len(names), 2))
    np.add.at(table, (merged[inverse], labels), 1)
    share = table / table.sum(axis=0)
    order = np.argsort(-share.max(axis=1), kind="stable")
    shares = {str(names[i]): tuple(share[i].tolist()) for i in order}
    if len(names) < 2:
        return shares, (0.0, 0.5, 1.0)
    test = chi2_contingency(table, correction=False)
    n, k = table.sum(), len(names)
    phi = max(0.0, test.statistic / n - (k - 1) / (n - 1))
    rows, columns = k - (k - 1) ** 2 / (n - 1), 2 - 1 / (n - 1)
    v = math.sqrt(phi / max(min(rows, columns) - 1, 1e-9))
    return shares, (min(v, 1.0), float(share.max(axis=1).sum() / 2), float(test.pvalue))
