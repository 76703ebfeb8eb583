import dataclasses
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from clips import FakeFinder

from aiface.data.crop_sets import CropSet, prepare
from aiface.data.folders import scan
from aiface.errors import DataError, ModelError
from aiface.faces.crop import CROP_SIZE
from aiface.io.files import sha256
from aiface.labels import AI, REAL
from aiface.models.detector import load_detector
from aiface.models.keras_import import keras
from aiface.models.network import BACKBONES, FROM_SCRATCH
from aiface.paths import ROOT
from aiface.training import trainer
from aiface.training.config import Phase, TrainConfig
from aiface.training.figures import history
from aiface.training.run_folder import load_arrays
from aiface.training.trainer import train, validation_auc

SMALL = TrainConfig(
    init=FROM_SCRATCH, phases=(Phase(1, 1e-3, 48, False), Phase(2, 3e-3, 64), Phase(1, 1e-3, 48)),
    batch_size=4, steps_per_epoch=3, workers=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def crops(make_tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    return prepare(scan(make_tree(folder / "tree")), folder / "crops", FakeFinder)


def tiny(backbone, size=CROP_SIZE, dropout=0.2, policy="float32"):
    """Stands in for `build`: layers of every kind that training has to deal with, compiled in a second."""
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255, dtype=policy)(image)
    x = keras.layers.Conv2D(4, 5, strides=4, dtype=policy, name="conv")(x)
    x = keras.layers.BatchNormalization(dtype=policy, name="norm")(x)
    x = keras.layers.ReLU(dtype=policy, name="relu")(x)
    x = keras.layers.GlobalAveragePooling2D(dtype=policy, name="pool")(x)
    x = keras.layers.Dropout(dropout, dtype=policy, name="dropout")(x)
    return keras.Model(image, keras.layers.Dense(1, dtype="float32", name="logit")(x), name=backbone)


@pytest.fixture
def tiny_build(monkeypatch):
    monkeypatch.setattr(trainer, "build", tiny)


def same(weights, others):
    return all(np.array_equal(one, other) for one, other in zip(weights, others, strict=True))


def without_time(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


# A real network, from first weights to the best ones


@pytest.fixture(scope="module")
def real_run(crops, tmp_path_factory):
    """MobileNetV2 on small windows, started from a file in the layout of Keras's ImageNet one."""
    folder = tmp_path_factory.mktemp("real")
    keras.utils.set_random_seed(5)
    bare = BACKBONES["mobilenet_v2"].build(include_top=False, weights=None, input_shape=(64, 64, 3))
    bare.save_weights(first := folder / "first.weights.h5")
    config = dataclasses.replace(
        SMALL, init=f"{first}#sha256={sha256(first)}", phases=(Phase(2, 1e-3, 64),),
        policy="mixed_bfloat16", average=0.0,
    )  # fmt: skip
    rows = []
    model, progress = train(config, crops, folder / "run", rows.append, verbose=0)
    return config, bare, model, progress, rows, folder / "run"


def test_training_runs(real_run, crops):
    config, _, _, progress, rows, run = real_run
    assert progress.epoch == config.epochs == len(rows)
    assert rows == progress.history
    assert [(row["epoch"], row["size"]) for row in rows] == [(0, 64), (1, 64)]
    for row in rows:
        assert np.isfinite(row["loss"])
        assert 0 <= row["auc"] <= 1
    assert progress.best_auc == max(row["auc"] for row in rows)
    assert rows[progress.best_epoch]["auc"] == progress.best_auc
    assert json.loads((run / "progress.json").read_text()) == dataclasses.asdict(progress)
    assert (run / "best.npz").is_file()
    assert list((run / "tensorboard").rglob("events*"))


def test_the_result_is_a_float32_network_of_crop_size(real_run, crops):
    _, _, model, progress, _, _ = real_run
    assert model.input_shape == (None, CROP_SIZE, CROP_SIZE, 3)
    assert model.dtype_policy.name == "float32"
    valid = crops.split("valid")
    logits = trainer.predict_logits(model, valid.batches())
    assert logits.dtype == np.float32
    assert validation_auc(logits, valid)["auc"] == pytest.approx(progress.best_auc, abs=1e-6)


def test_what_learned_and_what_was_frozen(real_run):
    """The backbone learns; its batch normalisations stay as the first weights had them, statistics included."""
    config, bare, _, _, _, run = real_run
    last = load_arrays(run / "state-00002.npz")
    trained = trainer.build(config.backbone, 64, config.dropout)
    trained.set_weights(last[-len(trained.get_weights()) :])
    changed = 0
    for layer in (layer for layer in bare.layers if layer.weights):
        now, before = trained.get_layer(layer.name).get_weights(), layer.get_weights()
        if isinstance(layer, keras.layers.BatchNormalization):
            assert same(now, before), layer.name
        else:
            changed += not same(now, before)
    assert changed > 20


# Going on after an interruption


class StopAfterSteps(keras.callbacks.Callback):
    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        self.steps -= 1
        if self.steps == 0:
            raise KeyboardInterrupt


def stop_at(epoch):
    def on_epoch(row):
        if row["epoch"] == epoch:
            raise KeyboardInterrupt

    return on_epoch


@pytest.fixture(scope="module")
def uninterrupted(crops, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "build", tiny)
        run = tmp_path_factory.mktemp("whole")
        return *train(SMALL, crops, run, verbose=0), load_arrays(run / "state-00004.npz")


STOPS = [
    pytest.param([("epoch", 0)], id="at the end of a phase"),
    pytest.param([("epoch", 1)], id="within a phase, another to come"),
    pytest.param([("steps", 2)], id="in the first epoch"),
    pytest.param([("steps", 8)], id="in an epoch of the second phase"),
    pytest.param([("steps", 4), ("epoch", 1), ("epoch", 3)], id="again and again"),
]


@pytest.mark.parametrize("stops", STOPS)
def test_interrupted_training_gives_the_same(crops, tmp_path, tiny_build, uninterrupted, monkeypatch, stops):
    for kind, number in stops:
        callbacks = [StopAfterSteps(number)] if kind == "steps" else []
        monkeypatch.setattr(trainer, "_tensorboard", lambda run, callbacks=callbacks: callbacks)
        with pytest.raises(KeyboardInterrupt):
            train(SMALL, crops, tmp_path, stop_at(number) if kind == "epoch" else None, verbose=0)
    monkeypatch.setattr(trainer, "_tensorboard", lambda run: [])
    model, progress = train(SMALL, crops, tmp_path, verbose=0)
    expected_model, expected, state = uninterrupted
    assert without_time(progress.history) == without_time(expected.history)
    assert dataclasses.replace(progress, history=[]) == dataclasses.replace(expected, history=[])
    assert same(model.get_weights(), expected_model.get_weights())
    assert same(load_arrays(tmp_path / "state-00004.npz"), state)  # optimizer, averages and seeds too
    assert [path.name for path in tmp_path.glob("state-*")] == ["state-00004.npz"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_another_seed_gives_another_network(crops, tmp_path, tiny_build, uninterrupted):
    model, _ = train(dataclasses.replace(SMALL, seed=1), crops, tmp_path, verbose=0)
    assert not same(model.get_weights(), uninterrupted[0].get_weights())


def test_processes_that_make_the_batches_change_nothing(crops, tmp_path, tiny_build, uninterrupted):
    model, progress = train(dataclasses.replace(SMALL, processes=2), crops, tmp_path, verbose=0)
    assert without_time(progress.history) == without_time(uninterrupted[1].history)
    assert same(model.get_weights(), uninterrupted[0].get_weights())


def test_a_finished_run_is_only_read(crops, tmp_path, tiny_build, monkeypatch):
    model, progress = train(SMALL, crops, tmp_path, verbose=0)
    monkeypatch.setattr(trainer._Trainer, "run_epoch", None)
    again, progress_again = train(SMALL, crops, tmp_path, verbose=0)
    assert progress_again == progress
    assert same(again.get_weights(), model.get_weights())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"batch_size": 6}, "batch_size"),
        ({"seed": 3}, "seed"),
        ({"phases": (Phase(1, 1e-3, 64),)}, "phases"),
        ({"backbone": "densenet121", "dropout": 0.5}, "backbone, dropout"),
    ],
)
def test_a_folder_of_another_training(crops, tmp_path, tiny_build, change, named):
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, crops, tmp_path, stop_at(0), verbose=0)
    with pytest.raises(ModelError, match=f"found one that differs in {named}; choose another folder"):
        train(dataclasses.replace(SMALL, **change), crops, tmp_path, verbose=0)


def test_a_training_that_could_not_begin_does_not_claim_the_folder(crops, tmp_path, tiny_build):
    with pytest.raises(ModelError, match="expected ImageNet weights"):
        train(dataclasses.replace(SMALL, init="none.h5"), crops, tmp_path, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, crops, tmp_path, stop_at(0), verbose=0)
    assert json.loads((tmp_path / "config.json").read_text())["init"] == FROM_SCRATCH


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PK\x03\x04 half")])
def test_a_damaged_state_is_named(crops, tmp_path, tiny_build, damage):
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, crops, tmp_path, stop_at(0), verbose=0)
    damage(tmp_path / "state-00001.npz")
    with pytest.raises(ModelError, match=r"state-00001\.npz: expected the saved state of a run, found none"):
        train(SMALL, crops, tmp_path, verbose=0)


# Splits


def test_each_split_has_its_use(crops, tmp_path, tiny_build, monkeypatch):
    """The test split is never looked at, and what is validated on is not trained on."""
    given, batches = [], trainer.Batches
    monkeypatch.setattr(
        trainer, "Batches", lambda crops, *args, **choices: given.append(crops) or batches(crops, *args, **choices)
    )
    monkeypatch.setattr(CropSet, "__getitem__", guarded(CropSet.__getitem__, "test"))
    train(dataclasses.replace(SMALL, phases=SMALL.phases[:1]), crops, tmp_path, verbose=0)
    assert {split for part in given for split in part.splits} == {"train"}


def guarded(inner, split):
    def getitem(self, index):
        assert self.rows[index].split != split
        return inner(self, index)

    return getitem


def test_the_guard_can_fail(crops, monkeypatch):
    monkeypatch.setattr(CropSet, "__getitem__", guarded(CropSet.__getitem__, "test"))
    with pytest.raises(AssertionError):
        next(crops.split("test").batches())


@pytest.mark.parametrize(
    ("keep", "split"),
    [
        (lambda crops: crops.splits != "valid", "valid"),
        (lambda crops: crops.splits != "train", "train"),
        (lambda crops: (crops.splits != "valid") | (crops.labels == AI), "valid"),
        (lambda crops: (crops.splits != "train") | (crops.labels == REAL), "train"),
    ],
)
def test_a_split_is_missing(crops, tmp_path, keep, split):
    with pytest.raises(DataError, match=f"expected both classes in the split {split}, found \\d+ crops"):
        train(SMALL, crops.select(keep(crops)), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()  # nothing begun


# Choosing


@pytest.mark.parametrize(
    ("aucs", "patience", "epochs", "best"),
    [
        ([0.6, 0.5, 0.5, 0.5], 2, 3, 0),
        ([0.6, 0.5, 0.7, 0.5, 0.5, 0.9], 2, 5, 2),
        ([0.5, 0.5, 0.6], 1, 2, 0),  # as good is not better
        ([0.5, 0.6, 0.7], 1, 3, 2),
    ],
)
def test_patience(crops, tmp_path, tiny_build, monkeypatch, aucs, patience, epochs, best):
    given = iter(aucs)
    monkeypatch.setattr(trainer, "validation_auc", lambda logits, valid: {"auc": next(given)})
    monkeypatch.setattr(trainer, "_tensorboard", lambda run: [])
    weights = []
    monkeypatch.setattr(trainer, "save_arrays", saved_weights(trainer.save_arrays, weights))
    config = dataclasses.replace(SMALL, phases=(Phase(len(aucs), 1e-3, 48),), steps_per_epoch=1, patience=patience)
    model, progress = train(config, crops, tmp_path, verbose=0)
    assert (progress.epoch, progress.best_epoch, progress.best_auc) == (epochs, best, aucs[best])
    assert same(model.get_weights(), weights[-1])


def saved_weights(inner, seen):
    def save(path, arrays):
        if path.name == "best.npz":
            seen.append(arrays)
        inner(path, arrays)

    return save


@pytest.mark.parametrize(("average", "expected"), [(0.0, [1, 3, 5]), (0.5, [1, 2, 3.5])])
def test_the_running_average(average, expected):
    """It starts anew with a phase, and is what is validated."""

    class Model:
        def __init__(self):
            self.values = iter([1.0, 3.0, 5.0])

        def get_weights(self):
            return [np.array(next(self.values))]

    averager = trainer._Trainer.__new__(trainer._Trainer)
    averager.config, averager.model, averager.average = dataclasses.replace(SMALL, average=average), Model(), None
    found = []
    for first in (True, False, False):
        averager._update_average(first)
        found.append(float(averager.average[0]))
    assert found == expected


@pytest.mark.parametrize(
    ("epoch", "phase", "start"), [(0, 0, 0), (1, 1, 1), (2, 1, 1), (3, 2, 3)]
)  # fmt: skip
def test_phase_at(epoch, phase, start):
    assert SMALL.phase_at(epoch) == (SMALL.phases[phase], start)
    assert SMALL.epochs == 4


def test_there_is_no_phase_after_the_last():
    with pytest.raises(IndexError):
        SMALL.phase_at(4)


def test_validation_auc_is_the_mean_over_groups():
    class Crops:
        labels = np.array([REAL, AI] * 2 + [REAL, REAL, AI, AI])
        sources = np.array(["a"] * 4 + ["photos"] * 2 + ["gan"] * 2)

        def __len__(self):
            return 8

    logits = np.array([0, 1, 0, 1, 5, 3, 4, 2])  # told apart within a, not within the other sources
    found = validation_auc(logits, Crops())
    assert found == {"auc": pytest.approx(0.625), "auc/a": 1.0, "auc/mixed": pytest.approx(0.25)}


def test_validation_auc_leaves_out_what_has_one_class():
    class Crops:
        labels = np.array([REAL, AI, REAL])
        sources = np.array(["a", "a", "photos"])

    assert validation_auc(np.array([0, 1, 2]), Crops()) == {"auc": 1.0, "auc/a": 1.0}


# Backends


def test_no_tensorboard_without_tensorflow(monkeypatch, tmp_path):
    assert len(trainer._tensorboard(tmp_path)) == 1
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert trainer._tensorboard(tmp_path) == []


WITHOUT_TENSORFLOW = """
import sys

class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorboard", "mtcnn"):
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, NoTensorFlow())
sys.path.insert(0, sys.argv[2])
from aiface.models.keras_import import keras
from aiface.training.run_folder import load_arrays
from aiface.data.crop_sets import CropSet
from aiface.training.config import Phase, TrainConfig
from aiface.training.trainer import train

folder = sys.argv[1]
config = TrainConfig(init="from-scratch", phases=(Phase(1, 1e-3, 32),), batch_size=2, steps_per_epoch=2, workers=1)
import aiface.training.trainer
from benchmarks.soak.trainee import tiny
aiface.training.trainer.build = tiny
model, progress = train(config, CropSet(folder + "/crops"), folder + "/run", verbose=0)
print(keras.backend.backend(), progress.epoch, progress.history[0]["loss"] > 0, "tensorflow" in sys.modules)
"""


def test_training_without_tensorflow(crops, tmp_path):
    (tmp_path / "crops").symlink_to(crops.folder)
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, str(tmp_path), str(ROOT / "tests" / "helpers")],
        capture_output=True, text=True, cwd=ROOT,
        env={"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["jax", "1", "True", "False"]


# From an earlier detector


def test_a_detector_can_be_trained_further(crops, tmp_path, tiny_detector, monkeypatch):
    """Training starts from the bundle's weights: without a step that learns, they come out as they went in."""
    bundle = tiny_detector(tmp_path / "earlier", bias=1.5)
    monkeypatch.setattr(trainer.keras.Model, "fit", lambda *args, **kwargs: SimpleNamespace(history={"loss": [0.0]}))
    config = TrainConfig(init=str(bundle), phases=(Phase(1, 1e-3, 64),), batch_size=2, steps_per_epoch=1)
    model, _ = train(config, crops, tmp_path / "run", verbose=0)
    assert same(model.get_weights(), load_detector(bundle).network.get_weights())
    with pytest.raises(ModelError, match="expected a densenet121 to go on from, found a mobilenet_v2"):
        train(dataclasses.replace(config, backbone="densenet121"), crops, tmp_path / "other", verbose=0)


def test_the_mean_of_several_detectors_can_be_trained_further_or_taken_as_it_is(crops, tmp_path, tiny_detector):
    bundles = [str(tiny_detector(tmp_path / str(bias), bias=bias)) for bias in (1.0, 2.0, 4.5)]
    config = TrainConfig(init=" + ".join(bundles), phases=(Phase(0, 1e-3, 64),), batch_size=2, steps_per_epoch=1)
    model, progress = train(config, crops, tmp_path / "run", verbose=0)
    assert model.get_layer("logit").get_weights()[1] == pytest.approx(2.5)
    assert (progress.epoch, progress.history) == (0, [])
    assert history(progress.history).axes
    one = load_detector(bundles[0]).network.get_weights()[0]
    np.testing.assert_allclose(model.get_weights()[0], one, atol=1e-6)  # the same in all three


def test_a_missing_one_of_several_detectors_is_named(crops, tmp_path, tiny_detector):
    config = TrainConfig(init=f"{tiny_detector(tmp_path / 'a')} + {tmp_path / 'b'}", phases=(Phase(0, 1e-3, 64),))
    with pytest.raises(ModelError, match=r"/b.*: expected"):
        train(config, crops, tmp_path / "run", verbose=0)


@pytest.mark.parametrize("size", [0, 1, 5])
def test_batches_are_pairs(size):
    with pytest.raises(DataError, match="even batch_size"):
        TrainConfig(batch_size=size)


def test_shares_that_do_not_fit_are_refused_before_the_folder_is_claimed(crops, tmp_path):
    config = TrainConfig(init="from-scratch", shares={"swaps": 1.0})
    with pytest.raises(DataError, match="expected shares that sum up to 1, of each of the groups"):
        train(config, crops, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_cutmix_is_a_share(share):
    with pytest.raises(DataError, match="expected cutmix from 0 to 1, found"):
        TrainConfig(cutmix=share)


@pytest.mark.parametrize(("share", "balance"), [(-0.1, True), (1.1, True), (0.2, False)])
def test_self_blended_is_a_share_of_pairs(share, balance):
    with pytest.raises(DataError, match="expected self_blended from 0 to 1, and 0 without balance; found"):
        TrainConfig(self_blended=share, balance=balance)
