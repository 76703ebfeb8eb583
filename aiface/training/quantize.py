"""An INT8 version of a detector: smaller, and faster still on CPUs with instructions for that.

Post-training quantisation by NNCF (https://github.com/openvinotoolkit/nncf), which needs no labels and no training,
only crops to learn the range of each layer's activations from.
"""

import logging
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np

from aiface.data.crop_sets import CropSet
from aiface.data.groups import groups
from aiface.errors import ModelError
from aiface.io.files import atomic_path, sha256, write_json
from aiface.models.bundle import load_network
from aiface.models.calibration import fit
from aiface.models.card import CARD, INT8, read_card
from aiface.models.detector import Detector, load_detector
from aiface.models.openvino_runtime import OpenVinoRuntime, converted, pack
from aiface.models.views import measured
from aiface.training.trainer import validation_auc

SUBSET = 300  # crops; what NNCF takes by default


def quantize(folder: str | Path, crops: CropSet, seed: int = 0) -> Path:
    """Write `int8.zip` into a bundle, name it in the card, and return it.

    It is made from the `valid` split of `crops`: some for the ranges of activations, all for a calibration of its
    own, since rounding shifts the logits. Raises `DataError` if that split lacks a class, `ModelError` without NNCF.
    """
    nncf = _nncf()
    folder, valid = Path(folder), crops.split_of_both("valid")
    card = read_card(folder)
    chosen = np.random.default_rng(seed).permutation(len(valid))[:SUBSET].tolist()
    model = converted(card["sha256"], lambda: load_network(folder))
    model = nncf.quantize(model, nncf.Dataset(chosen, lambda index: valid[index][None]), subset_size=len(chosen))
    packed = pack(model)
    logits, view_logits = measured(OpenVinoRuntime(model, "int8"), valid.batches())
    calibration = fit(logits, valid.labels, view_logits, groups(valid))
    with atomic_path(folder / CARD) as card_path, atomic_path(folder / INT8) as path:
        path.write_bytes(packed)
        made = {
            "sha256": sha256(path),
            "calibration": asdict(calibration),
            "manifest": valid.manifest(),
            "versions": {name: version(name) for name in ("openvino", "nncf")},
        }
        write_json(card_path, card | {"int8": made})
    return folder / INT8


def _nncf() -> ModuleType:
    try:
        import nncf
    except ImportError as error:
        raise ModelError(
            f"expected the nncf package, found none ({error}); run .venv/bin/pip install 'nncf==3.4.*'"
        ) from None
    nncf.set_log_level(logging.ERROR)
    return nncf


def compare(folder: str | Path, crops: CropSet) -> dict[str, dict[str, float]]:
    """The AUC of a bundle in float32 and INT8 on `crops`, within each group of theirs (`validation_auc`)."""
    return {
        precision: validation_auc(_logits(load_detector(folder, precision=precision), crops), crops)
        for precision in ("f32", "int8")
    }


def _logits(detector: Detector, crops: CropSet) -> np.ndarray:
    return np.concatenate([detector.logits(batch) for batch in crops.batches()])
