"""A detector bundle: the network as one Keras file, and a card that says what it is and holds it to that.

`weights/NAME/model.keras` is an ordinary Keras file that any Keras loads; its weights are stored in half precision.
`weights/NAME/card.json` holds the crop version, label order, calibration, training, metrics and the file's SHA-256.
"""

import io
import json
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np

from aiface import stability
from aiface.calibration import Calibration
from aiface.crop import CROP_SIZE, CROP_VERSION
from aiface.errors import ModelError
from aiface.files import atomic_path, sha256, write_json
from aiface.labels import NAMES
from aiface.network import predict_logits
from aiface.quiet import keras

CARD_VERSION = 2
WEIGHTS_PART = "model.weights.h5"  # within the .keras archive
BATCH_SIZES = (1, 4, 16)  # padded to the next: each new shape compiles the network anew; 64 is slower a face than 16


class Detector:
    """Scores crops with a bundle's `network` and `calibration`; `card` is what its card says."""

    def __init__(self, model: keras.Model, card: Mapping):
        self.network = model
        self.card = card
        self.calibration = Calibration(**card["calibration"])

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.card["name"]

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """Uncalibrated logits, float32 `(n,)`, of uint8 crops `(n, 256, 256, 3)`: for calibration and evaluation."""
        found, start = [], 0
        while start < len(crops):
            size = next((size for size in BATCH_SIZES if size >= len(crops) - start), BATCH_SIZES[-1])
            batch = crops[start : start + size]
            padding = np.zeros((size - len(batch), *crops.shape[1:]), np.uint8)
            found.append(predict_logits(self.network, [np.concatenate((batch, padding))])[: len(batch)])
            start += size
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def score(self, crops: np.ndarray) -> np.ndarray:
        """Calibrated P(AI), float32 `(n,)`, of uint8 RGB crops `(n, 256, 256, 3)`."""
        return self.calibration.probability(self.logits(crops))

    def spread(self, crops: np.ndarray) -> np.ndarray:
        """How far P(AI) moves when crops `(n, 256, 256, 3)` are mirrored or re-encoded, float32 `(n,)`."""
        return stability.spread(self.score(crops), [self.score(view) for view in stability.views(crops)])


def save_bundle(
    model: keras.Model, folder: str | Path, calibration: Calibration, training: Mapping, metrics: Mapping
) -> Path:
    """Write `model.keras` and `card.json` into `folder`, and return it.

    `training` says how the network was initialised and trained and on what; `metrics` what was measured. Both files
    are whole before either takes its place, so that saving, if it fails, leaves an earlier bundle as it was.
    """
    folder = Path(folder)
    with atomic_path(folder / "card.json") as card_path, atomic_path(folder / "model.keras") as path:
        model.save(path)
        _halve(path)
        write_json(card_path, _card(folder.name, model, calibration, training, metrics, sha256(path)))
    return folder


def _card(
    name: str, model: keras.Model, calibration: Calibration, training: Mapping, metrics: Mapping, model_hash: str
) -> dict:
    return {
        "card_version": CARD_VERSION,
        "name": name,
        "backbone": model.name,
        "crop_version": CROP_VERSION,
        "input_size": CROP_SIZE,
        "labels": list(NAMES),
        "calibration": asdict(calibration),
        "training": dict(training),
        "metrics": dict(metrics),
        "versions": {"python": platform.python_version(), "keras": keras.__version__,
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


def load_detector(folder: str | Path) -> Detector:
    """Load a bundle after checking that its files are whole and that it speaks this package's language.

    Raises `ModelError` naming what is missing or differs.
    """
    folder = Path(folder)
    card = _read_card(folder / "card.json")
    path = folder / "model.keras"
    if not path.is_file():
        raise ModelError(f"{path}: expected the bundle's network, found no file; restore it (git checkout {folder})")
    if (found := sha256(path)) != card["sha256"]:
        raise ModelError(f"{path}: expected sha256 {card['sha256']}, found {found}; restore the file or its card")
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
    return Detector(model, card)


def _read_card(path: Path) -> dict:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        _check_language(card, path)  # first: a card of another version holds other things
        Calibration(**card["calibration"]).probability(np.zeros(1))
        return card | {"sha256": str(card["sha256"]), "name": str(card["name"]), "training": dict(card["training"])}
    except FileNotFoundError:
        raise ModelError(
            f"{path}: expected a bundle's card, found no file; name a folder such as weights/mobilenet_v2"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: expected a bundle's card, found another thing ({error!r}); restore the bundle"
        ) from None


def _check_language(card: dict, path: Path) -> None:
    expected = {
        "card_version": CARD_VERSION,
        "crop_version": CROP_VERSION,
        "input_size": CROP_SIZE,
        "labels": list(NAMES),
    }
    for key, value in expected.items():
        if card.get(key) != value:
            raise ModelError(
                f"{path}: expected {key} {value!r}, found {card.get(key)!r}; "
                "use the aiface release that the bundle was made with, or train it anew"
            )
