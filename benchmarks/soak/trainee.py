"""A small training in a process of its own, that can be told when to be killed.

    python -m benchmarks.soak.trainee CROPS RUN [EPOCH POINT]

kills itself (SIGKILL) in that epoch: at a POINT within saving, or so many seconds after the epoch began. It prints the
epoch that it went on from, each epoch once it is saved, and in the end a hash of all that the training came to.
"""

import hashlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from unittest import mock

import numpy as np

from aiface.data.crop_sets import CropSet
from aiface.faces.crop import CROP_SIZE
from aiface.io import files
from aiface.models.keras_import import keras
from aiface.models.network import FROM_SCRATCH
from aiface.training import run_folder, trainer
from aiface.training.config import Phase, TrainConfig
from aiface.training.run_folder import load_arrays, load_progress
from aiface.training.trainer import train

CONFIG = TrainConfig(
    init=FROM_SCRATCH, phases=(Phase(2, 1e-3, 48, False), Phase(22, 3e-3, 64)),
    batch_size=4, steps_per_epoch=3, patience=24, workers=1,
)  # fmt: skip
POINTS = ("half a state", "before fsync", "before rename", "no state yet", "no progress yet", "before the old is gone")


def tiny(backbone: str, size: int = CROP_SIZE, dropout: float = 0.2, policy: str = "float32") -> keras.Model:
    """Stands in for `aiface.models.network.build`: a few layers of the kinds that training has to deal with."""
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 5, strides=4, name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU(name="relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, keras.layers.Dense(1, name="logit")(x), name=backbone)


def die(*_: object, **__: object) -> None:
    """As a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)


def _half(savez: Callable[..., None]) -> Callable[..., None]:
    def save(path: Path, **arrays: np.ndarray) -> None:
        savez(path, **arrays)
        os.truncate(path, Path(path).stat().st_size // 2)
        die()

    return save


def arm(point: str) -> None:
    """From now on, the first to come to this point within saving is killed."""
    unlink = Path.unlink
    patch = {
        "half a state": (run_folder.np, "savez", _half(np.savez)),
        "before fsync": (files.os, "fsync", die),
        "before rename": (Path, "replace", die),
        "no state yet": (trainer, "save_state", die),
        "no progress yet": (run_folder, "write_json", die),
        "before the old is gone": (
            Path, "unlink", lambda path, **o: die() if path.name.startswith("state-") else unlink(path, **o)),
    }[point]  # fmt: skip
    mock.patch.object(*patch).start()


class Trainee(trainer._Trainer):
    """One that says where it stands and dies when told."""

    when: tuple[int, str] | None = None

    def resume(self) -> None:
        """As it is, and say from which epoch."""
        super().resume()
        print("from", self.progress.epoch, flush=True)

    def run_epoch(self, verbose: int | str) -> dict:
        """As it is, with a timer for a kill at a random moment."""
        if self.when and self.progress.epoch >= self.when[0] and self.when[1] not in POINTS:
            Timer(float(self.when[1]), die).start()
        return super().run_epoch(verbose)

    def save(self) -> None:
        """As it is, but armed if told."""
        if self.when and self.progress.epoch > self.when[0] and self.when[1] in POINTS:
            arm(self.when[1])
        super().save()


def digest(run: Path) -> str:
    """A hash of a finished run: weights, optimizer, averages, random seeds, best weights, and the history."""
    found = hashlib.sha256()
    for path in (*sorted(run.glob("state-*.npz")), run / "best.npz"):
        for array in load_arrays(path):
            found.update(np.ascontiguousarray(array).tobytes())
    found.update(repr(load_progress(run)).encode())
    return found.hexdigest()


def main(crops: str, run: str, *when: str) -> None:
    """Train, or go on."""
    Trainee.when = (int(when[0]), when[1]) if when else None
    with mock.patch.multiple(trainer, build=tiny, _Trainer=Trainee, _tensorboard=lambda run: []):
        train(CONFIG, CropSet(crops), run, lambda row: print("saved", row["epoch"] + 1, flush=True), verbose=0)
    print("digest", digest(Path(run)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
