"""Groups of sources within which the class alone differs: what is drawn in pairs, and measured by itself."""

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import dropwhile
from pathlib import Path

import numpy as np

from aiface.data.crop_sets import CropSet
from aiface.data.folder_names import split_of_folder
from aiface.errors import DataError
from aiface.labels import AI, REAL, label_of_folder

_LAYERS = {"real_vs_fake", "real-vs-fake"}  # beside those of a class or a split


def sets(crops: CropSet) -> np.ndarray:
    """The data set that each crop comes from, `(n,)` strings: the folder above those of its class and split.

    What is paired within a set differs by class; "mixed" sources of several sets differ by set, too. Raises `DataError`
    for a crop whose path names none.
    """
    return np.array([_set_of(row.path) for row in crops.rows], str)


def _set_of(path: str) -> str:
    """The first folder, upwards from a picture, that lies above the folder of its class and is no other such layer."""
    folders = Path(path).parts[-2::-1]
    above_class = dropwhile(lambda name: label_of_folder(name) is None, folders)
    if name := next((name for name in above_class if not _is_layer(name)), ""):
        return name
    raise DataError(f"{path}: expected a set's folder above real/ or fake/, found none; prepare the crops from there")


def _is_layer(name: str) -> bool:
    return label_of_folder(name) is not None or bool(split_of_folder(name)) or name.lower() in _LAYERS


def groups(crops: CropSet) -> np.ndarray:
    """Which crops can be told apart by class alone, `(n,)` strings.

    A source that holds both classes is a group of its own; all sources of one class make up the group "mixed".
    """
    classes = Counter(source for source, _ in set(zip(crops.sources.tolist(), crops.labels.tolist(), strict=True)))
    return np.array([source if classes[source] == 2 else "mixed" for source in crops.sources], str)


def pools(crops: CropSet, by_set: bool = False) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """By group, or by set, in the order of their names, the indices of its real and its AI sources, int64 arrays.

    Raises `DataError` if a group lacks a class: there is nothing to tell its sources from.
    """
    group, found = sets(crops) if by_set else groups(crops), {}
    for name in np.unique(group).tolist() or ["mixed"]:
        sources = np.unique(crops.sources[group == name])
        by_class = _of_class(crops, sources, REAL), _of_class(crops, sources, AI)
        if not all(by_class):
            missing = "real" if not by_class[REAL] else "ai"
            raise DataError(
                f"{crops.folder}: expected crops of both classes to train on, found none labelled {missing} "
                f"to go with {', '.join(sources) or 'none'}; add some, or leave these out"
            )
        found[name] = by_class
    return found


def _of_class(crops: CropSet, sources: np.ndarray, label: int) -> list[np.ndarray]:
    return [index for s in sources if len(index := np.flatnonzero((crops.sources == s) & (crops.labels == label)))]


def weigh(shares: Mapping[str, float], groups: Collection[str]) -> np.ndarray | None:
    """How often each of the `groups` is drawn, float64 `(g,)` in their order; None: alike, since no shares are given.

    Raises `DataError` unless `shares` names just these groups, and sums up to 1.
    """
    if not shares:
        return None
    if set(shares) != set(groups) or min(shares.values()) < 0 or not np.isclose(sum(shares.values()), 1):
        raise DataError(
            f"expected shares that sum up to 1, of each of the groups {', '.join(groups) or '(none without balance)'}; "
            f"found {dict(shares)}"
        )
    return np.array([shares[name] for name in groups], np.float64)
