"""A backbone that learns to see as another network does, where its own ImageNet weights are not at hand.

Feature distillation (Romero et al. 2015, "FitNets: Hints for Thin Deep Nets"): the student's last feature map, put
through a 1x1 convolution, is fitted to the teacher's of the same picture. A label tells one bit of a picture, a feature
map tens of thousands of numbers, so that even a network with random weights learns from a few thousand faces.

    python -m aiface.distill weights/mobilenet_v2 data/crops runs/distilled

writes `runs/distilled/backbone.weights.h5`, from which `train.ipynb` goes on with the INIT that it prints. A run that
was interrupted is continued by the same command.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiface.batches import Batches
from aiface.bundle import load_network
from aiface.files import sha256
from aiface.network import HASH_MARK, build, resized, save_backbone
from aiface.quiet import keras
from aiface.runs import claim, load_progress, load_state, save_state
from aiface.shards import CropSet

WEIGHTS_FILE = "backbone.weights.h5"
SCALE_BATCHES = 16  # enough pictures to know each channel's mean and spread
LEAST_SPREAD = 1e-2  # of a channel, so that one that is nearly always zero is not blown up


@dataclass(frozen=True)
class DistillConfig:
    """Every choice of a distillation; saved in its folder. size: of the windows, in pixels."""

    backbone: str = "densenet121"
    size: int = 128
    epochs: int = 16
    steps_per_epoch: int = 250
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    policy: str = "mixed_bfloat16"
    seed: int = 0


class Taught(keras.utils.PyDataset):
    """One epoch of batches `(uint8 (b, size, size, 3), float32 (b, h, w, c))`: faces and the teacher's features.

    mean, spread: of each of the teacher's channels, float32 `(c,)`; targets are standardised by them.
    """

    def __init__(self, batches: Batches, teacher: keras.Model, mean: np.ndarray, spread: np.ndarray, workers: int = 2):
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=8)
        self._batches, self._teacher, self._mean, self._spread = batches, teacher, mean, spread

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        images, _ = self._batches[index]
        return images, (np.asarray(self._teacher.predict_on_batch(images)) - self._mean) / self._spread


def distill(
    config: DistillConfig,
    teacher: keras.Model,
    crops: CropSet,
    run: str | Path,
    on_epoch: Callable[[dict], None] | None = None,
    verbose: int | str = "auto",
) -> Path:
    """Fit a student's features to those of `teacher`, a detector's network, on the `train` split; labels are not used.

    Returns the file of its backbone's weights. A `run` folder that holds an earlier part of the same distillation is
    continued. `on_epoch` gets `epoch` and `loss`, the share of the teacher's variance that is not explained. Raises
    `ModelError` if the folder holds another training.
    """
    run, train = Path(run), crops.split("train")
    claim(run, config)
    seen = _features(resized(teacher, config.size))
    scale = _scale(seen, _batches(config, train, -1))
    keras.utils.set_random_seed(config.seed)
    student = build(config.backbone, config.size, policy=config.policy)
    model = _imitator(student, seen.output.shape[-1], config)
    progress = load_progress(run) or {"epoch": 0, "history": []}
    if progress["epoch"]:
        for variable, array in zip(_variables(model), load_state(run, progress["epoch"]), strict=True):
            variable.assign(array)
    for epoch in range(progress["epoch"], config.epochs):
        taught = Taught(_batches(config, train, epoch), seen, *scale)
        history = model.fit(taught, initial_epoch=epoch, epochs=epoch + 1, verbose=verbose, shuffle=False).history
        row = {"epoch": epoch, "loss": history["loss"][-1]}
        progress = {"epoch": epoch + 1, "history": [*progress["history"], row]}
        save_backbone(student, run / WEIGHTS_FILE)
        save_state(run, epoch + 1, [np.asarray(v) for v in _variables(model)], progress)
        if on_epoch:
            on_epoch(row)
    return run / WEIGHTS_FILE


def init(path: Path) -> str:
    """What `train.ipynb` takes as INIT to start from a file: its name and its hash."""
    return f"{path}{HASH_MARK}{sha256(path)}"


def _features(network: keras.Model) -> keras.Model:
    """A detector's network up to its last feature map, `(n, h, w, c)`."""
    return keras.Model(network.input, network.get_layer("pool").input)


def _batches(config: DistillConfig, train: CropSet, epoch: int) -> Batches:
    steps = config.steps_per_epoch if epoch >= 0 else SCALE_BATCHES
    return Batches(train, config.size, config.batch_size, steps, (config.seed, epoch + 1))


def _scale(seen: keras.Model, batches: Batches) -> tuple[np.ndarray, np.ndarray]:
    found = np.concatenate([seen.predict_on_batch(batches[i][0]) for i in range(len(batches))])
    return found.mean(axis=(0, 1, 2)), np.maximum(found.std(axis=(0, 1, 2)), LEAST_SPREAD)


def _imitator(student: keras.Model, channels: int, config: DistillConfig) -> keras.Model:
    """The student with the convolution that translates its features, ready to be fitted."""
    features = student.get_layer("pool").input
    told = keras.layers.Conv2D(channels, 1, dtype="float32", name="as_the_teacher")(features)
    model = keras.Model(student.input, told)
    steps = config.steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(
        0.1 * config.learning_rate, decay_steps=config.epochs * steps, alpha=0.02,
        warmup_target=config.learning_rate, warmup_steps=steps // 2,
    )  # fmt: skip
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, clipnorm=1.0)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "mean_squared_error")
    return model


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def main() -> None:
    """`python -m aiface.distill TEACHER CROPS RUN`."""
    parser = argparse.ArgumentParser(
        prog="python -m aiface.distill", description="Teach a backbone to see as a detector does."
    )
    parser.add_argument("teacher", help="bundle of the detector to learn from")
    parser.add_argument("crops", help="folder that `python -m aiface prepare` wrote")
    parser.add_argument("run", help="folder of the run, where backbone.weights.h5 comes to lie")
    for name in ("backbone", "size", "epochs", "steps_per_epoch", "learning_rate", "policy", "seed"):
        default = getattr(DistillConfig, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    options = vars(parser.parse_args())
    teacher, crops, run = (options.pop(name) for name in ("teacher", "crops", "run"))
    path = distill(DistillConfig(**options), load_network(teacher), CropSet(crops), run, print, 2)
    print(f"INIT: {init(path)}")


if __name__ == "__main__":
    main()
