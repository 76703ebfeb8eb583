"""A detector bundle: the network as one Keras file, and a card that says what it is and holds it to that.

`weights/NAME/model.keras` is an ordinary Keras file that any Keras loads; its weights are stored in half precision.
Beside it may lie `clips.keras`, another such network, which judges the looks in clips.
"""

import io
import platform
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np

import aiface
from aiface.errors import ModelError
from aiface.faces.crop import CROP_SIZE
from aiface.io.files import atomic_path, sha256, write_json
from aiface.models.calibration import Calibration
from aiface.models.card import CARD, CLIPS, LANGUAGE, NETWORK
from aiface.models.keras_import import keras
from aiface.models.vetting import vet_network

WEIGHTS_PART = "model.weights.h5"  # within the .keras archive


def save_bundle(
    model: keras.Model,
    folder: str | Path,
    calibration: Calibration,
    training: Mapping,
    metrics: Mapping,
    clips: keras.Model | None = None,
) -> Path:
    """Write `model.keras` and `card.json` into `folder`, and return it.

    `training` says how the network was initialised and trained and on what; `metrics` what was measured. `clips`: the
    network for clips, if that is another, as `clips.keras`. All files are whole before one takes its place, so that
    saving, if it fails, leaves an earlier bundle as it was.
    """
    folder = Path(folder)
    with ExitStack() as stack:
        card_path = stack.enter_context(atomic_path(folder / CARD))
        path = _saved(model, stack.enter_context(atomic_path(folder / NETWORK)))
        card = _card(folder.name, model, calibration, training, metrics, sha256(path))
        if clips:
            card["clips"] = {"sha256": sha256(_saved(clips, stack.enter_context(atomic_path(folder / CLIPS))))}
        write_json(card_path, card)
    return folder


def _saved(model: keras.Model, path: Path) -> Path:
    model.save(path)
    _halve(path)
    return path


def _card(
    name: str, model: keras.Model, calibration: Calibration, training: Mapping, metrics: Mapping, model_hash: str
) -> dict:
    return {
        "name": name,
        "backbone": model.name,
        **LANGUAGE,
        "calibration": asdict(calibration),
        "training": dict(training),
        "metrics": dict(metrics),
        "versions": {"aiface": aiface.__version__, "python": platform.python_version(), "keras": keras.__version__,
                     "backend": keras.backend.backend(), "numpy": np.__version__},
        "sha256": model_hash,
    }  # fmt: skip


def round_to_half(model: keras.Model) -> None:
    """Round a network's weights to what a bundle stores, so that what is measured is what is saved."""
    model.set_weights([_half(weight).astype(weight.dtype) for weight in model.get_weights()])


def _halve(path: Path) -> None:
    """Rewrite a Keras file's weights in half precision where they fit; loaded, they are float32 again."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    halved = io.BytesIO()
    with h5py.File(io.BytesIO(parts[WEIGHTS_PART])) as source, h5py.File(halved, "w") as target:
        _copy_halved(source, target)
    parts[WEIGHTS_PART] = halved.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def _copy_halved(source: h5py.Group, target: h5py.Group) -> None:
    target.attrs.update(source.attrs)
    for name, node in source.items():
        if isinstance(node, h5py.Group):
            _copy_halved(node, target.create_group(name))
        else:
            target.create_dataset(name, data=_half(node[()])).attrs.update(node.attrs)


def _half(array: np.ndarray) -> np.ndarray:
    """The array in half precision, or as it is where that would lose range: beyond 65504, or all below 6e-5."""
    if array.dtype != np.float32:
        return array
    largest = np.abs(array).max(initial=0.0)
    half = np.finfo(np.float16)
    return array if largest > half.max or 0 < largest < half.tiny else array.astype(np.float16)


def load_network(folder: str | Path, name: str = NETWORK) -> keras.Model:
    """A bundle's network, in float32: uint8 crops `(n, 256, 256, 3)` in, logits `(n, 1)` out.

    name: of its file. Raises `ModelError` if that holds another thing, or what could do harm (`aiface.models.vetting`).
    """
    path = Path(folder) / name
    vet_network(path)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise ModelError(
            f"{path}: expected a network for Keras {keras.__version__}, found another ({error})"
        ) from error
    if model.input_shape != (None, CROP_SIZE, CROP_SIZE, 3) or model.output_shape != (None, 1):
        raise ModelError(
            f"{path}: expected crops in and a logit out, found {model.input_shape} and {model.output_shape}"
        )
    return model
