"""Fine-tuning in phases, resumable after any interruption with the same result (`aiface.training.run_folder`).

The loop over epochs is ours and the epoch is Keras's `fit`.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from aiface.data.batches import Batches
from aiface.data.crop_sets import CropSet
from aiface.data.groups import groups, pools, weigh
from aiface.errors import ModelError
from aiface.models.detector import load_detector
from aiface.models.keras_import import keras
from aiface.models.network import FROM_SCRATCH, build, initialise, predict_logits, set_trainable
from aiface.training.batch_workers import started
from aiface.training.config import AND, Phase, TrainConfig
from aiface.training.devices import ONE, Devices
from aiface.training.feed import Feed
from aiface.training.losses import objective
from aiface.training.run_folder import claim, load_arrays, load_progress, load_state, save_arrays, save_state


@dataclass
class Progress:
    """What a run has reached: all of it but the arrays."""

    epoch: int = 0
    best_auc: float = -1.0
    best_epoch: int = -1
    history: list[dict] = field(default_factory=list)


def train(
    config: TrainConfig,
    crops: CropSet,
    run: str | Path,
    on_epoch: Callable[[dict], None] | None = None,
    verbose: int | str = "auto",
    devices: Devices = ONE,
) -> tuple[keras.Model, Progress]:
    """Fine-tune on the `train` split of `crops`, choose by its `valid` split, and return the best averaged network.

    A `run` folder that holds an earlier part of the same training is continued. `on_epoch` gets the history's row
    after each epoch. On several `devices` (`aiface.training.devices`) a batch is shared by all of them; where they have
    several processes, the first alone validates and writes, all resume from the one folder that they see, and any
    number of them may go on. Raises `DataError` if a class is missing from a split or a group, `shares` don't fit the
    groups, a batch can't be shared evenly, or the processes differ in crops, configuration or what they see of the
    folder, `ModelError` if the folder holds another training or another process was lost.
    """
    run, crops_train, crops_valid = Path(run), crops.split_of_both("train"), crops.split_of_both("valid")
    weigh(
        config.shares, pools(crops_train, config.by_set) if config.balance else {}
    )  # refuses before anything is written
    with devices.together(), started(config.processes, crops_train) as pool:
        devices.agree("crops, configuration and last epoch", _standing(crops, config, run))
        if devices.first:
            claim(run, config)
        trainer = _Trainer(config, crops_train, crops_valid, run, devices, pool)
        trainer.resume()
        while not trainer.finished:
            row = trainer.run_epoch(verbose)
            if devices.first:
                trainer.save()
            if on_epoch:
                on_epoch(row)
        devices.agree("last epoch", str(trainer.progress.epoch))  # none goes on before the best weights are written
    return trainer.best_model(), trainer.progress


def _standing(crops: CropSet, config: TrainConfig, run: Path) -> str:
    """What has to be the same in all processes: the crops in their order, every choice, and how far the run is."""
    rows = "\n".join(f"{row.sha256} {row.label} {row.split}" for row in crops.rows)
    hashes = [hashlib.sha256(text.encode()).hexdigest()[:8] for text in (rows, repr(config))]
    reached = load_progress(run)
    return f"crops {hashes[0]}, configuration {hashes[1]}, epoch {reached['epoch'] if reached else 'none'}"


class _Trainer:
    """One run: the network, its optimizer, the averaged weights, and where it stands."""

    def __init__(self, config: TrainConfig, train: CropSet, valid: CropSet, run: Path, devices: Devices,
                 pool: ProcessPoolExecutor | None):  # fmt: skip
        self.config, self.train, self.valid, self.run, self.devices = config, train, valid, run, devices
        self.share, self.pool = devices.share(config.batch_size), pool
        self.progress = Progress()
        self.average: list[np.ndarray] = []
        self.model: keras.Model  # from the first phase on
        self.fitted: keras.Model  # the model, or with its teacher
        self.whole = build(config.backbone, valid[0].shape[0])  # validates on whole crops, in float32
        self.callbacks = _tensorboard(run) if devices.first else []

    @property
    def finished(self) -> bool:
        waited = self.progress.epoch - 1 - self.progress.best_epoch
        return self.progress.epoch >= self.config.epochs or waited >= self.config.patience

    def run_epoch(self, verbose: int | str) -> dict:
        epoch = self.progress.epoch
        phase, start = self.config.phase_at(epoch)
        if epoch == start:
            self._enter(phase, start)
        if epoch == 0:
            self._initialise(self.model)
        feed = Feed(
            self._batches(phase.size, epoch, self.share), self.config.workers + self.config.processes, self.pool
        )
        with self.devices.scope():
            history = self.fitted.fit(
                feed, initial_epoch=epoch, epochs=epoch + 1, verbose=verbose, callbacks=self.callbacks, shuffle=False
            ).history
        self._update_average(epoch == start)
        return self._record({"epoch": epoch, "size": phase.size, "loss": history["loss"][-1]})

    def _batches(self, size: int, epoch: int, share: slice = slice(None)) -> Batches:
        config = self.config
        return Batches(
            self.train, size, config.batch_size, config.steps_per_epoch, (config.seed, epoch),
            degrade=config.degrade, balance=config.balance, shares=config.shares,
            self_blended=config.self_blended, cutmix=config.cutmix, share=share,
            by_set=config.by_set, twins=config.twins, even=config.even, muted=config.muted,
        )  # fmt: skip

    def _enter(self, phase: Phase, start: int) -> None:
        """Start a phase: the network so far at the phase's size, and a new optimizer."""
        config = self.config
        learnt = objective(config, self._batches(phase.size, start))  # on one device: all processes come to the same
        keras.utils.set_random_seed(config.seed + start)  # dropout's draws: the same whatever this process did before
        steps = config.steps_per_epoch
        schedule = keras.optimizers.schedules.CosineDecay(
            0.1 * phase.learning_rate, decay_steps=max(1, phase.epochs * steps - steps // 4), alpha=0.02,
            warmup_target=phase.learning_rate, warmup_steps=steps // 4,
        )  # fmt: skip
        with self.devices.scope():
            self.model = build(config.backbone, phase.size, config.dropout, config.policy)
            learns = config.init == FROM_SCRATCH or learnt.batch_norm
            set_trainable(self.model, phase.whole_network, learns, config.learns_from)
            optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, clipnorm=1.0)
            self.fitted = learnt.fitted(self.model)
            optimizer.build(self.fitted.trainable_variables)
            self.fitted.compile(optimizer, learnt.loss)
        if self.average:
            self.model.set_weights(self.average)

    def _initialise(self, model: keras.Model) -> None:
        """First weights: if `init` names bundles, the mean of theirs, else as `initialise` has it."""
        folders = self.config.init.split(AND)
        if len(folders) == 1 and not (Path(folders[0]) / "card.json").is_file():
            initialise(model, self.config.init)
            return
        earlier = [load_detector(folder, runtime="keras").network for folder in folders]
        for folder, network in zip(folders, earlier, strict=True):
            if network.name != model.name:
                raise ModelError(f"{folder}: expected a {model.name} to go on from, found a {network.name}")
        weights = zip(*(network.get_weights() for network in earlier), strict=True)
        model.set_weights([np.mean(arrays, axis=0) for arrays in weights])

    def _update_average(self, first: bool) -> None:
        """Average the weights over epochs; a phase starts its own average, since the head's phase is short."""
        weights = self.model.get_weights()
        if first or not self.average:
            self.average = weights
        momentum = self.config.average
        self.average = [momentum * a + (1 - momentum) * w for a, w in zip(self.average, weights, strict=True)]

    def _record(self, row: dict) -> dict:
        """Validate the averaged weights, keep them if they are the best, and add the epoch to the history."""
        if self.devices.first:
            self.whole.set_weights(self.average)
            row |= validation_auc(predict_logits(self.whole, self.valid.batches()), self.valid)
        row = self.devices.told(row)
        if row["auc"] > self.progress.best_auc or self.config.keep_last:
            self.progress.best_auc, self.progress.best_epoch = row["auc"], row["epoch"]
            if self.devices.first:
                save_arrays(self.run / "best.npz", self.average)
        self.progress.history.append(row)
        self.progress.epoch += 1
        return row

    def save(self) -> None:
        arrays = [np.asarray(v) for v in (*self.fitted.variables, *self.fitted.optimizer.variables)]
        save_state(self.run, self.progress.epoch, [*arrays, *self.average], asdict(self.progress))

    def resume(self) -> None:
        """Load what `save` wrote, if anything."""
        if (reached := load_progress(self.run)) is None:
            return
        self.progress = Progress(**reached)
        self._enter(*self.config.phase_at(self.progress.epoch - 1))
        arrays = load_state(self.run, self.progress.epoch)
        variables = [*self.fitted.variables, *self.fitted.optimizer.variables]
        for variable, array in zip(variables, arrays, strict=False):
            variable.assign(array)
        self.average = arrays[len(variables) :]

    def best_model(self) -> keras.Model:
        """The network with the weights that validated best, in float32 and at the size of a crop."""
        if self.config.epochs:
            self.whole.set_weights(load_arrays(self.run / "best.npz"))
        else:
            self._initialise(self.whole)
        return self.whole


def _tensorboard(run: Path) -> list[keras.callbacks.Callback]:
    """TensorBoard's log where TensorFlow writes it; on other backends `progress.json` holds the history alone."""
    if keras.backend.backend() != "tensorflow":
        return []
    return [keras.callbacks.TensorBoard(str(run / "tensorboard"), write_graph=False)]


def validation_auc(logits: np.ndarray, crops: CropSet) -> dict[str, float]:
    """AUC within each group that holds both classes (`auc/NAME`), and their mean (`auc`), by which runs are chosen."""
    group, found = groups(crops), {}
    for name in np.unique(group):
        inside = group == name
        if len(set(crops.labels[inside].tolist())) == 2:
            found[f"auc/{name}"] = float(roc_auc_score(crops.labels[inside], logits[inside]))
    return {"auc": float(np.mean(list(found.values())))} | found
