"""A detector bundle: the network as one Keras file, and a card that says what it is and holds it to that.

`weights/NAME/model.keras` is an ordinary Keras file that any Keras loads; its weights are stored in half precision.
"""

import io
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np

import aiface
from aiface.errors import ModelError
from aiface.faces.crop import CROP_SIZE
from aiface.io.files import atomic_path, sha256, write_json
from aiface.models.calibration import Calibration
from aiface.models.card import CARD, LANGUAGE, NETWORK
from aiface.models.keras_import import keras
from aiface.models.vetting import vet_network

WEIGHTS_PART = "model.weights.h5"  # within the .keras archive


def save_bundle(
    model: keras.Model, folder: str | Path, calibration: Calibration, training: Mapping, metrics: Mapping
) -> Path:
    """Write `model.keras` and `card.json` into `folder`, and return it.

    `training` says how the network was initialised and trained and on what; `metrics` what was measured. Both files
    are whole before either takes its place, so that saving, if it fails, leaves an earlier bundle as it was.
    """
    folder = Path(folder)
    with atomic_path(folder / CARD) as card_path, atomic_path(folder / NETWORK) as path:
        model.save(path)
        _halve(path)
        write_json(card_path, _card(folder.name, model, calibration, training, metrics, sha256(path)))
    return folder


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


def load_network(folder: str | Path) -> keras.Model:
    """A bundle's network, in float32: uint8 crops `(n, 256, 256, 3)` in, logits `(n, 1)` out.

    Raises `ModelError` if its file holds another thing, or what could do harm (`aiface.models.vetting`).
    """
    path = Path(folder) / NETWORK
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
