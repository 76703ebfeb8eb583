"""The evaluation protocol: every figure with its interval, for every source, under every degradation, and on clips.

One clean test split says nothing about the next camera or generator. `python -m aiface evaluate` therefore measures
each set as a whole and by source, degrades the same faces step by step, and judges whole clips. It opens the sets
(`open_sets`), runs the detector on them (`measure`) and makes the figures of what that gave (`summary`).
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from aiface.data.crop_sets import CropSet, prepare
from aiface.data.folder_names import split_of_folder
from aiface.data.folders import Item, look_through, scan
from aiface.errors import DataError
from aiface.evaluation import resampling
from aiface.evaluation.clips import TABLE, Clip, judge_clips, list_clips
from aiface.evaluation.metrics import coverage_risk, decisions, figures
from aiface.evaluation.robustness import CURVES, Degraded, degraded
from aiface.faces.finder import FaceFinder, load_finder
from aiface.io.files import shown
from aiface.io.media_kinds import is_clip, is_image
from aiface.labels import AI, REAL
from aiface.models.calibration import Calibration
from aiface.models.detector import Detector

RESAMPLES = 1000
Progress = Callable[[Iterable], Iterable]
Names = Mapping[str, int] | None  # of folders beside the usual ones, with their class: `aiface.data.folders.named`


@dataclass(frozen=True)
class Scored:
    """What a detector makes of the n faces of a set.

    scores: P(AI), float32 `(n,)`. spreads: how far each moves (`Detector.spread`), float32 `(n,)`. labels: int64
    `(n,)`. sources: names `(n,)`. left_out: pictures that can't be read or show no face.
    """

    scores: np.ndarray
    spreads: np.ndarray
    labels: np.ndarray
    sources: np.ndarray
    left_out: int = 0


@dataclass(frozen=True)
class Measured:
    """All that a detector was asked: sets by name, their faces `degraded` (None if left out), clips by set."""

    sets: Mapping[str, Scored]
    degraded: Degraded | None
    clips: Mapping[str, dict]


def set_name(root: str | Path) -> str:
    """What a set is called: its folder's name, after its parent's if it is a split.

    >>> set_name("data/wild/test")
    'wild/test'
    """
    root = Path(root).resolve()
    return shown(f"{root.parent.name}/{root.name}" if split_of_folder(root.name) else root.name)


def items_to_measure(root: str | Path, names: Names = None) -> list[Item]:
    """The items of a set to measure on: its `test` split, or all if it has no splits.

    Raises `DataError` if there are splits and none is `test`: nothing is measured on what was chosen on.
    """
    items = scan(root, names)
    splits = {item.split for item in items}
    if splits == {""}:
        return items
    if "test" not in splits:
        raise DataError(f"{root}: expected a test split, found {', '.join(sorted(splits))}; name the folder to measure")
    return [item for item in items if item.split == "test"]


def open_sets(
    roots: Sequence[str | Path],
    folder: str | Path,
    new_finder: Callable[[], FaceFinder],
    progress: Progress = iter,
    class_names: Names = None,
) -> tuple[dict[str, CropSet], dict[str, list[Clip]]]:
    """The sets of pictures, their faces cut out into shards below `folder` as in use, and the sets of clips, by name.

    A root that holds both is one of each. Raises `DataError` for one that holds neither, lacks a class or a test split,
    and for two of one name.
    """
    names = [set_name(root) for root in roots]
    if len(set(names)) < len(names):
        raise DataError(f"expected sets of different names, found {', '.join(names)}")
    found = {name: _contents(root, class_names) for name, root in zip(names, roots, strict=True)}
    clips = {name: clips for name, (_, clips) in found.items() if clips}
    sets = {
        name: prepare(items, Path(folder) / str(number), new_finder, progress)
        for number, (name, (items, _)) in enumerate(found.items())
        if items
    }
    return sets, clips


def _contents(root: str | Path, names: Names) -> tuple[list[Item], list[Clip]]:
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: expected a folder with real/ and fake/ below it, found no folder; check the path")
    clips, pictures = list_clips(root, names), look_through(root, names=names).items
    if not clips and not pictures:
        raise DataError(f"{root}: expected pictures or clips in folders real/ and fake/ (or ai/), or a {TABLE}, "
                        "found none; see data/README.md for the layout")  # fmt: skip
    return items_to_measure(root, names) if pictures else [], clips


def left_out(roots: Iterable[str | Path], names: Names = None) -> Counter[Path]:
    """Of sets to measure: the number of pictures and clips in each folder that names no class, and so is left out.

    What a `clips.csv` does not name was not meant to be measured. A folder that two sets hold counts once.
    """
    found: Counter[Path] = Counter()
    for root in map(Path, roots):
        kinds = (is_image,) if (root / TABLE).is_file() else (is_image, is_clip)
        found |= sum((look_through(root, wanted, names).left_out for wanted in kinds), Counter())
    return found


def measure(
    detector: Detector,
    sets: Mapping[str, CropSet],
    clips: Mapping[str, Sequence[Clip]],
    new_finder: Callable[[], FaceFinder],
    progress: Progress = iter,
    with_curves: bool = True,
    resamples: int = RESAMPLES,
) -> Measured:
    """Ask the detector: for every face, for samples of them degraded, and for every clip."""
    return Measured(
        {name: score_set(detector, crops, progress) for name, crops in sets.items()},
        degraded(detector, sets, progress, CURVES) if with_curves and sets else None,
        {name: judge_clips(found, new_finder(), detector, progress, resamples) for name, found in clips.items()},
    )


def score_set(detector: Detector, crops: CropSet, progress: Progress = iter) -> Scored:
    """Score every face of a set, and see how steady the score is. Raises `DataError` if there is none."""
    if not len(crops):
        raise DataError(f"expected faces to measure, found none; left out: {dict(crops.left_out)}")
    scores, spreads = [], []
    for batch in progress(crops.batches()):
        found = detector.measure(batch)
        scores.append(found[0])
        spreads.append(found[1])
    return Scored(
        np.concatenate(scores), np.concatenate(spreads), crops.labels, crops.sources, sum(crops.left_out.values())
    )


def summary(detector: Detector, measured: Measured, resamples: int = RESAMPLES) -> dict:
    """All figures as plain values.

    Returns `detector`, `resamples`, `sets` and `clips` by name, `curves` by "all" and name, and `coverage_risk` over
    all sets; what was not measured is empty.
    """
    sets, calibration = measured.sets, detector.calibration.of(moving=False)
    return {
        "detector": {"name": detector.name, "sha256": detector.card["sha256"]},
        "resamples": resamples,
        "sets": {name: set_figures(scored, calibration, resamples) for name, scored in sets.items()},
        "clips": dict(measured.clips),
        "curves": measured.degraded.curves() if measured.degraded else {},
        "coverage_risk": coverage_risk(*pooled(sets.values()), calibration) if sets else {},
    }


def pooled(sets: Iterable[Scored]) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels `(n,)` of several sets together."""
    sets = list(sets)
    return np.concatenate([scored.scores for scored in sets]), np.concatenate([scored.labels for scored in sets])


def set_figures(scored: Scored, calibration: Calibration, resamples: int = RESAMPLES, seed: int = 0) -> dict:
    """A set's figures with 95 % intervals, its `decisions`, and the figures of each of its `sources`.

    A source that holds both classes is measured by itself. One that holds AI faces only is measured against all real
    faces of the set, one that holds real faces only against all AI faces.
    """
    scores, labels, sources = scored.scores, scored.labels, scored.sources
    row = _row(scores, labels, calibration, resamples, seed) | {"left_out": scored.left_out}
    row["decisions"] = decisions(scores, scored.spreads, labels, calibration)
    row["sources"] = {
        str(source): _row(scores[mask], labels[mask], calibration, resamples, seed)
        for source in np.unique(sources)
        if len(set(labels[mask := _opponents(labels, sources == source)].tolist())) == 2
    }
    return row


def _row(scores: np.ndarray, labels: np.ndarray, calibration: Calibration, resamples: int, seed: int) -> dict:
    measure = partial(resampling.figures, calibration=calibration)
    intervals = resampling.bootstrap(measure, scores, labels, resamples, seed)
    return figures(scores, labels, calibration) | {"intervals": intervals}


def _opponents(labels: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The faces that a source is measured on: its own, and all of the class that it lacks."""
    missing = [label for label in (REAL, AI) if not np.any(own & (labels == label))]
    return own | np.isin(labels, missing)


def evaluate(
    detector: Detector,
    roots: Sequence[str | Path],
    new_finder: Callable[[], FaceFinder] = load_finder,
    progress: Progress = iter,
    with_curves: bool = True,
    resamples: int = RESAMPLES,
    names: Names = None,
) -> dict:
    """Measure a detector on each set of pictures or clips in `roots`: `open_sets`, `measure`, `summary`."""
    with tempfile.TemporaryDirectory(prefix="aiface-") as folder:
        sets, clips = open_sets(roots, folder, new_finder, progress, names)
        measured = measure(detector, sets, clips, new_finder, progress, with_curves, resamples)
    return summary(detector, measured, resamples)
