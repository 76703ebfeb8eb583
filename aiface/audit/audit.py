"""Does the class show in something other than the face? An audit of a data set before anything is trained on it.

A detector learns whatever tells the classes apart most cheaply: another JPEG table, a sharper source, a picture that
stands in train and test. `audit` looks for such traits one by one and then lets a classifier that sees no face try:
its AUC is the shortcut score. A metadata score above 0.5 is never about the face. A low-level score mixes how pictures
were prepared with the grain that a generator really leaves, so it is read on training batches too
(`aiface.audit.shortcut.audit_batches`): what preparation can remove has to be gone there.

>>> found = audit(scan_all(["data"]))  # doctest: +SKIP
>>> found.shortcut.scores["metadata"].auc, found.findings[0].sentence  # doctest: +SKIP
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from aiface.audit.duplicates import Duplicates, find_duplicates
from aiface.audit.findings import Finding, all_findings
from aiface.audit.measurements import THREADS, Measurements, measure
from aiface.audit.shortcut import ShortcutScore, shortcut_score
from aiface.audit.traits import Category, Trait, category_traits, numeric_traits
from aiface.data.folders import Item
from aiface.errors import DataError
from aiface.labels import NAMES


@dataclass(frozen=True)
class Audit:
    """Everything found: problems first in `findings`; `table` has a row for each split, source and class."""

    measured: Measurements
    findings: list[Finding]
    table: list[dict]
    traits: list[Trait]
    categories: list[Category]
    duplicates: Duplicates
    shortcut: ShortcutScore


def audit(
    items: Sequence[Item], progress: Callable[[Iterable], Iterable] = iter, threads: int = THREADS, seed: int = 0
) -> Audit:
    """Measure every item and judge what was measured. `progress` wraps the pass over files (tqdm, say).

    Raises `DataError` if there is no item or none can be read.
    """
    return judge(measure(items, progress, threads), seed)


def judge(measured: Measurements, seed: int = 0) -> Audit:
    """The audit of what `measure` returned."""
    if not len(measured):
        reason = f", {measured.unreadable[0][1]}" if measured.unreadable else ""
        raise DataError(f"expected pictures to audit, found none that can be read{reason}")
    duplicates, scopes = find_duplicates(measured), scopes_of(measured)
    traits = numeric_traits(measured, scopes, duplicates.groups)
    categories = category_traits(measured, scopes)
    features = {"metadata": measured.metadata, "low_level": measured.statistics}
    shortcut = shortcut_score(features, measured.labels, duplicates.groups, scopes, seed)
    findings = all_findings(measured, duplicates, shortcut, categories, traits)
    return Audit(measured, findings, summary(measured), traits, categories, duplicates, shortcut)


def scopes_of(measured: Measurements) -> np.ndarray:
    """Which pictures can be compared, `(n,)` strings, as `aiface.data.groups.groups`: by source if one has both.

    All sources of one class make up "mixed".
    """
    classes = Counter(source for source, _ in {(item.source, item.label) for item in measured.items})
    return np.array([item.source if classes[item.source] == 2 else "mixed" for item in measured.items], str)


def summary(measured: Measurements) -> list[dict]:
    """A row for each split, source and class: its count, each category's commonest values, each number's quartiles."""
    unreadable = Counter((item.split, item.source, item.label) for item, _ in measured.unreadable)
    positions: dict[tuple, list[int]] = {key: [] for key in unreadable}
    for position, item in enumerate(measured.items):
        positions.setdefault((item.split, item.source, item.label), []).append(position)
    return [
        {"split": key[0], "source": key[1], "class": NAMES[key[2]], "n": len(at), "unreadable": unreadable[key]}
        | {name: _digest(column[at]) for name, column in measured.columns.items()}
        for key, at in sorted(positions.items())
    ]


def _digest(column: np.ndarray) -> dict[str, int] | list[float] | None:
    if column.dtype.kind == "U":
        return dict(Counter(column.tolist()).most_common(5))
    known = column[np.isfinite(column)]
    return np.quantile(known.astype(np.float64), (0.25, 0.5, 0.75)).tolist() if len(known) else None
