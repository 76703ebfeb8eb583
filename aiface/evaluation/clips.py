"""Sets of labelled clips, and how well the verdicts on them hold: the evaluation protocol's video level.

A set is a folder with a `clips.csv` (columns `file`, a clip's path from there, and `label`, real or ai, or 0 or 1;
others are ignored; see `aiface.evaluation.clip_table`), or with clips below `real/` and `fake/` (or `ai/`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from aiface.analysis.pipeline import analyze_video
from aiface.analysis.result import Settings
from aiface.data.folders import look_through, opened
from aiface.errors import AifaceError, DataError
from aiface.evaluation.clip_table import find_file, read_table
from aiface.evaluation.resampling import bootstrap
from aiface.faces.finder import Finder
from aiface.io.media_kinds import is_clip
from aiface.labels import AI, NAMES, REAL, Answer
from aiface.models.detector import Detector

TABLE = "clips.csv"


@dataclass(frozen=True)
class Clip:
    """One clip: where it lies, what its set calls it and what it is (REAL or AI)."""

    path: Path
    file: str
    label: int


def list_clips(root: str | Path, names: Mapping[str, int] | None = None) -> list[Clip]:
    """The clips of a set: those that its `clips.csv` names, else those below `real/` and `fake/`; none if it has none.

    names: other names of the two classes' folders, with their labels. Of folders named train, valid and test only
    `test` counts, as with pictures. Raises `DataError` for a table without the columns `file` and `label`, without
    rows, with another label than real and ai (or fake), or 0 and 1, or that names a file that is missing or named
    twice; and for a train or valid folder without a test folder.
    """
    root = Path(root)
    if (root / TABLE).is_file():
        return _read_table(root / TABLE)
    items = opened(look_through(root, is_clip, names)).items
    found = [Clip(item.path, item.path.relative_to(root).as_posix(), item.label) for item in items]
    splits = [item.split for item in items]
    if any(splits) and "test" not in splits:
        raise DataError(f"{root}: expected clips in a test split, found {', '.join(sorted(set(splits) - {''}))} only; "
                        "name the folder to measure")  # fmt: skip
    return [clip for clip, split in zip(found, splits, strict=True) if split == "test" or not any(splits)]


def _read_table(table: Path) -> list[Clip]:
    clips = [_listed(table.parent, *row) for row in read_table(table)]
    twice = [name for name, number in Counter(clip.file for clip in clips).items() if number > 1]
    if twice:
        raise DataError(f"{table}: expected each clip once, found {', '.join(twice)} more than once; keep one row")
    return clips


def _listed(folder: Path, name: str, label: int, where: str) -> Clip:
    if (path := find_file(folder, name)) is None:
        raise DataError(f"{where}: expected a clip named {name!r} in {folder}, found no such file; "
                        "correct the name or remove the row")  # fmt: skip
    return Clip(path, path.relative_to(folder).as_posix() if path.is_relative_to(folder) else name, label)


def judge_clips(
    clips: Sequence[Clip],
    finder: Finder,
    detector: Detector,
    progress: Callable[[Iterable], Iterable] = iter,
    resamples: int = 1000,
    settings: Settings | None = None,
) -> dict:
    """The verdict on every clip, as `rows`, and the figures of `clip_figures`.

    A row has `file`, `label` and, as `python -m aiface analyze --json`, `verdict`, `score`, `people` and `reasons`. A
    clip that can't be judged stands in `errors`, by its file, and is counted in `left_out`.
    """
    rows, errors = [], {}
    for clip in progress(clips):
        try:
            analysis = analyze_video(clip.path, finder, detector, settings or Settings())
        except AifaceError as error:
            errors[clip.file] = str(error)
            continue
        if analysis.interrupted:  # analyze_video keeps what it has; here half a clip is no answer
            raise KeyboardInterrupt
        found = analysis.row()
        answer = {key: found[key] for key in ("verdict", "score", "people", "reasons")}
        rows.append({"file": clip.file, "label": NAMES[clip.label]} | answer)
    return clip_figures(rows, resamples) | {"left_out": len(errors), "errors": errors, "rows": rows}


def clip_figures(rows: Sequence[Mapping], resamples: int = 1000, seed: int = 0) -> dict:
    """How verdicts and labels go together: counts, and the clips' AUC with its 95 % bootstrap interval.

    A clip without a face has no score and is no part of the AUC, which is None if a class is missing then.
    """
    called = Counter((row["label"], row["verdict"]) for row in rows)
    scored = [row for row in rows if row["score"] is not None]
    scores = np.array([row["score"] for row in scored], np.float64)
    labels = np.array([NAMES.index(row["label"]) for row in scored], np.int64)
    figures = {
        "n_real": sum(row["label"] == NAMES[REAL] for row in rows),
        "n_ai": sum(row["label"] == NAMES[AI] for row in rows),
        "real_called_ai": called[NAMES[REAL], Answer.AI],
        "real_inconclusive": called[NAMES[REAL], Answer.INCONCLUSIVE],
        "ai_called_real": called[NAMES[AI], Answer.REAL],
        "ai_inconclusive": called[NAMES[AI], Answer.INCONCLUSIVE],
        "auc": None,
        "intervals": {"auc": None},
    }
    if len(np.unique(labels)) == 2:
        intervals = bootstrap(lambda drawn: {"auc": drawn.auc()}, scores, labels, resamples, seed)
        figures |= {"auc": float(roc_auc_score(labels, scores)), "intervals": intervals}
    return figures
