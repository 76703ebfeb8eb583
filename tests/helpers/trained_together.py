"""A small training as one of several processes, or on several devices: `python tests/helpers/trained_together.py JOB`.

JOB is JSON: `crops`, `run`, and what differs from the rest: `dies_in` (kills itself in that epoch), `wait_s`, `lost_s`,
`devices`, fields of `config`. It tells what it joined, each epoch's row, and in the end the history, what it opened for
writing below `run`, and the weights' size.
"""

import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from aiface.training.devices import join


class NoTensorFlow:
    """As on a machine without it, and started sooner."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorboard"):
            raise ImportError(name)


JOB = {"devices": "all", "dies_in": -1, "wait_s": 120, "lost_s": 60, "config": {}, **json.loads(sys.argv[1])}
if os.environ.get("KERAS_BACKEND") == "tensorflow":
    import tensorflow as tf

    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
else:
    sys.meta_path.insert(0, NoTensorFlow())
devices = join(JOB["devices"], JOB["wait_s"], JOB["lost_s"])  # before what imports Keras

from aiface.data.crop_sets import CropSet  # noqa: E402
from aiface.models.keras_import import keras  # noqa: E402
from aiface.models.network import FROM_SCRATCH  # noqa: E402
from aiface.training import losses, trainer  # noqa: E402
from aiface.training.config import Phase, TrainConfig  # noqa: E402
from aiface.training.trainer import train  # noqa: E402
from benchmarks.soak.trainee import tiny  # noqa: E402

CONFIG = TrainConfig(
    init=FROM_SCRATCH, phases=(Phase(1, 1e-3, 48, False), Phase(3, 3e-3, 64)),
    batch_size=8, steps_per_epoch=4, workers=1,
)  # fmt: skip
written = set()


def watch(event, arguments):
    """Note what is opened for writing below the run's folder."""
    if event == "open" and isinstance(arguments[0], str) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        path = Path(arguments[0]).absolute()
        if path.is_relative_to(JOB["run"]):
            written.add(path.relative_to(JOB["run"]).parts[0])


class Dies(keras.callbacks.Callback):
    """Kills its process in the middle of an epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1 and self.params["epochs"] == JOB["dies_in"] + 1:
            os.kill(os.getpid(), signal.SIGKILL)


def tell(kind, **what):
    print(json.dumps({"kind": kind, **what}), flush=True)


def main():
    sys.addaudithook(watch)
    tell("joined", number=devices.number, process=devices.process, processes=devices.processes)
    config = TrainConfig(**{**vars(CONFIG), **JOB["config"]})
    begin = trainer._Trainer.__init__

    def with_death(self, *arguments):
        begin(self, *arguments)
        self.callbacks = [Dies()]

    def teacher(folder, runtime):
        keras.utils.set_random_seed(3)
        return SimpleNamespace(network=tiny(folder))

    with mock.patch.multiple(trainer, build=tiny, initialise=lambda model, init: None), \
            mock.patch.multiple(losses, build=tiny, load_detector=teacher), \
            mock.patch.object(trainer._Trainer, "__init__", with_death):  # fmt: skip
        model, progress = train(config, CropSet(JOB["crops"]), JOB["run"], lambda row: tell("row", **row), 0, devices)
    tell("end", history=progress.history, written=sorted(written), weight=float(abs(model.get_weights()[0]).sum()))


if __name__ == "__main__":
    main()
