"""A bundle's card: what a detector is in plain values, and the checks that hold its files to that.

`weights/NAME/card.json` holds the crop version, label order, calibration, training, metrics and each file's SHA-256.
"""

import json
from pathlib import Path

import numpy as np

from aiface.errors import ModelError
from aiface.faces.crop import CROP_SIZE, CROP_VERSION
from aiface.io.files import sha256
from aiface.labels import NAMES
from aiface.models.calibration import Calibration

CARD, NETWORK, CLIPS, INT8 = "card.json", "model.keras", "clips.keras", "int8.zip"
LANGUAGE = {"card_version": 3, "crop_version": CROP_VERSION, "input_size": CROP_SIZE, "labels": list(NAMES)}


def read_card(folder: str | Path) -> dict:
    """The card of a bundle that speaks this package's language and whose networks are those it was written for.

    Raises `ModelError` naming what is missing or differs.
    """
    folder = Path(folder)
    card = _parse(folder / CARD)
    check_file(folder / NETWORK, card["sha256"])
    if "clips" in card:
        check_file(folder / CLIPS, card["clips"]["sha256"])
    return card


def check_file(path: Path, expected: str) -> None:
    """Raise `ModelError` unless the file is there and has the SHA-256 that its bundle's card names."""
    if not path.is_file():
        raise ModelError(
            f"{path}: expected the bundle's network, found no file; restore it (git checkout {path.parent})"
        )
    if (found := sha256(path)) != expected:
        raise ModelError(f"{path}: expected sha256 {expected}, found {found}; restore the file or its card")


def _parse(path: Path) -> dict:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        _check_language(card, path)  # first: a card of another version holds other things
        for version in (card, card.get("int8", card)):
            Calibration(**version["calibration"]).probability(np.zeros(1))
            version["sha256"] = str(version["sha256"])
        if "clips" in card:
            card["clips"] = {"sha256": str(card["clips"]["sha256"])}
        return card | {"name": str(card["name"]), "training": dict(card["training"])}
    except FileNotFoundError:
        raise ModelError(
            f"{path}: expected a bundle's card, found no file; name a folder such as weights/mobilenet_v2"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: expected a bundle's card, found another thing ({error!r}); restore the bundle"
        ) from None


def _check_language(card: dict, path: Path) -> None:
    for key, value in LANGUAGE.items():
        if card.get(key) != value:
            raise ModelError(
                f"{path}: expected {key} {value!r}, found {card.get(key)!r}; "
                "use the aiface release that the bundle was made with, or train it anew"
            )
