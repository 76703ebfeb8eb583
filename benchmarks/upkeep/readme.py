"""`make readme`: write the shipped detectors' figures, as their cards have them, into README.md."""

import json
import re
from pathlib import Path

from aiface.evaluation.metrics import summary_table, unseen_table
from aiface.io.files import write_text
from aiface.models.calibration import Calibration
from aiface.paths import DETECTOR, ROOT, WEIGHTS

README = ROOT / "README.md"
_BLOCK = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)
_UNSEEN = re.compile(r"(<!-- unseen -->\n).*(<!-- end of unseen -->)", re.DOTALL)


def figures(weights: Path = WEIGHTS) -> str:
    """A paragraph for each bundle in `weights`; the default comes first, with a table of its sources."""
    paths = sorted(weights.glob("*/card.json"), key=lambda path: (path.parent.name != DETECTOR.name, path))
    return "\n".join(_one(json.loads(path.read_text(encoding="utf-8"))) for path in paths)


def _one(card: dict) -> str:
    calibration, default = Calibration(**card["calibration"]), card["name"] == DETECTOR.name
    pictures = calibration.of(moving=False)
    thresholds = f"AI from {pictures.ai_from:.2f}, real below {pictures.real_below:.2f}"
    if calibration.stills:
        thresholds += f" in a picture; from {calibration.ai_from:.2f} and below {calibration.real_below:.2f} in a clip"
    groups = dict(card["metrics"]["test"]["groups"])
    mean = groups.pop("auc")
    within = ", ".join(f"{name.removeprefix('auc/')} {value:.3f}" for name, value in groups.items())
    how = ", the default" if default else f" (`--detector weights/{card['name']}`)"
    head = f"**{card['name']}**{how}: {card['training']['summary']} Calls a face {thresholds}."
    table = f"{summary_table(card['metrics']['test'])}\n\n" if default else ""
    return f"{head}\n\n{table}AUC within each set: {within}; their mean {mean:.3f}.\n"


def rewritten(text: str) -> str:
    """README's text with the figures as they are now."""
    card = json.loads((DETECTOR / "card.json").read_text(encoding="utf-8"))
    unseen = unseen_table(card["metrics"].get("unseen", {}))
    text = _UNSEEN.sub(lambda match: f"{match[1]}{unseen}\n{match[2]}", text)
    return _BLOCK.sub(lambda match: match[1] + figures() + match[2], text)


if __name__ == "__main__":
    write_text(README, rewritten(README.read_text(encoding="utf-8")))
