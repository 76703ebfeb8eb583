"""A detector's calibration anew, on validation faces of your own: another camera needs other thresholds.

The network stays as it is; temperature, thresholds, limits and the card's figures are made as `train.ipynb` makes them.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from aiface.data.crop_sets import CropSet
from aiface.data.groups import groups
from aiface.evaluation.metrics import by_source, metrics
from aiface.io.files import write_json
from aiface.labels import AI, REAL
from aiface.models.calibration import Calibration, fit
from aiface.models.card import CARD, read_card
from aiface.models.detector import load_detector
from aiface.models.views import measured
from aiface.training.trainer import validation_auc


def recalibrate(folder: str | Path, crops: CropSet) -> Calibration:
    """Calibrate a bundle on the `valid` split of `crops`, measure it on their `test` split, and rewrite its card.

    Without a test split of both classes the card holds no test figures any more: thresholds that differ make others.
    An INT8 version keeps its own calibration. A network for clips is given up: the calibration, made of pictures, is of
    the other, which judges both from now on. Raises `DataError` if `valid` lacks a class; the card is then untouched.
    """
    folder, valid, test = Path(folder), crops.split_of_both("valid"), crops.split("test")
    card, detector = read_card(folder), load_detector(folder)
    logits, view_logits = measured(detector.runtime, valid.batches())
    fitted = fit(logits, valid.labels, view_logits, groups(valid))
    card |= {"calibration": asdict(fitted), "calibrated_on": valid.manifest()}
    card.pop("clips", None)
    card["metrics"] = {"valid": validation_auc(logits, valid)}
    if set(test.labels.tolist()) == {REAL, AI}:
        logits = np.concatenate([detector.logits(batch) for batch in test.batches()])
        card["metrics"]["test"] = card_figures(logits, test, fitted)
    write_json(folder / CARD, card)
    return fitted


def card_figures(logits: np.ndarray, crops: CropSet, calibration: Calibration) -> dict:
    """What a card tells of test faces: `aiface.evaluation.metrics.metrics`, AUC by group, figures by source."""
    scores = calibration.probability(logits)
    return metrics(scores, crops.labels, calibration) | {
        "groups": validation_auc(scores, crops),
        "sources": by_source(scores, crops.labels, crops.sources, calibration),
    }
