"""A run's folder: what a training is, and what it has reached, after every epoch.

A few arrays and a few numbers of our own rather than the hidden state of callbacks (keras#14862, keras#17012): a run
that was killed at any moment goes on from its last whole epoch, with the same result.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from aiface.errors import ModelError
from aiface.io.files import atomic_path, write_json


def claim(run: Path, config: Any) -> None:
    """Write a configuration, a dataclass, into a run folder without a finished epoch, or make sure it holds the same.

    A choice that did not exist yet when the folder was made had what is now its default. Raises `ModelError` if the
    folder holds another training.
    """
    path, wanted = run / "config.json", _plain(config)
    if not (run / "progress.json").exists():
        write_json(path, wanted)
        return
    found = _plain(type(config)()) | json.loads(path.read_text(encoding="utf-8"))
    if differs := sorted(key for key in wanted | found if wanted.get(key) != found.get(key)):
        raise ModelError(
            f"{run}: expected a run with this configuration, found one that differs in {', '.join(differs)}; "
            "choose another folder, or delete this one to start anew"
        )


def _plain(config: Any) -> dict:
    return json.loads(json.dumps(asdict(config)))


def save_state(run: Path, epoch: int, arrays: Sequence[np.ndarray], progress: Mapping) -> None:
    """Write the arrays under a name of their own, then `progress.json`, which makes them count."""
    path = _state(run, epoch)
    save_arrays(path, arrays)
    write_json(run / "progress.json", progress)
    for old in run.glob("state-*.npz"):
        if old != path:
            old.unlink()


def load_progress(run: Path) -> dict | None:
    """What `save_state` wrote last beside the arrays, or None for a run without a finished epoch."""
    path = run / "progress.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def load_state(run: Path, epoch: int) -> list[np.ndarray]:
    """The arrays after so many epochs. Raises `ModelError` if they can't be read."""
    return load_arrays(_state(run, epoch))


def _state(run: Path, epoch: int) -> Path:
    return run / f"state-{epoch:05}.npz"


def save_arrays(path: Path, arrays: Sequence[np.ndarray]) -> None:
    """Write arrays to a file that is replaced as a whole."""
    with atomic_path(path) as temporary:
        np.savez(temporary, allow_pickle=False, **{f"{i:05}": array for i, array in enumerate(arrays)})


def load_arrays(path: Path) -> list[np.ndarray]:
    """What `save_arrays` wrote. Raises `ModelError` if it can't be read."""
    try:
        with open(path, "rb") as file, np.load(file) as stored:
            return [stored[key] for key in sorted(stored.files)]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: expected the saved state of a run, found none that can be read ({error})") from None
