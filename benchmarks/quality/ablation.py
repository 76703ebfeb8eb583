"""`make ablation`: what each step of the recipe buys, beside others' designs: docs/measured/ABLATION.md.

Each row is a short training of its own (a run folder below `runs/ablation`, resumable) with the same number of pictures
seen, measured on the test splits. Nothing is chosen by these figures.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from aiface.data.crop_sets import CropSet
from aiface.data.groups import groups
from aiface.evaluation.metrics import expected_calibration_error
from aiface.evaluation.report import markdown_table
from aiface.evaluation.robustness import CURVES
from aiface.io.files import write_json, write_text
from aiface.labels import REAL, Answer, right_answers
from aiface.models.calibration import AI_RATE, Calibration, fit
from aiface.models.detector import load_detector
from aiface.models.keras_import import keras
from aiface.models.network import BACKBONES, predict_logits
from aiface.paths import DETECTOR, ROOT
from aiface.training.config import Phase, TrainConfig
from aiface.training.trainer import train
from benchmarks.quality.evaluate import PAIR, STRENGTHS
from benchmarks.quality.peers import MESO4, SMALL, Shrunk, Squeezed, shrink

EPOCHS, STEPS = 3, 128
SETS = {"faces140k": "faces140k", "mixed": "wild", "deepfake": "deepfake"}  # by group of the crops
UNSEEN = ("celebrity", "diffusion", "london", "sfhq")  # sources of `wild` that a second training never sees


@dataclass(frozen=True)
class Row:
    """One training: how its pictures are cut out, and what differs from the whole recipe."""

    name: str
    crops: type[CropSet] = CropSet
    options: dict = field(default_factory=dict)
    size: int = SMALL
    threshold: float = 0.5


BARE = {"degrade": False, "balance": False}
ROWS = (
    Row("reference recipe", Squeezed, BARE, threshold=0.65),
    Row("+ one crop", Shrunk, BARE),
    Row("+ degradations, native windows", options={"balance": False}),
    Row("+ balanced sources, pairs"),
    Row("the same, seed 1", options={"seed": 1}),
    Row("the same, seed 2", options={"seed": 2}),
    Row("+ self-blended images, one pair in five", options={"self_blended": 0.2}),
    Row("Meso4 on our crops", options=BARE | {"backbone": "meso4", "init": "from-scratch"}, size=256),
)


STAIRS = 4  # rows that add one thing to the one above


def config(row: Row, epochs: int, steps: int, init: str) -> TrainConfig:
    """The row's training, the whole network from the start."""
    whole = TrainConfig(
        init=init, phases=(Phase(epochs, 4e-4, row.size),), steps_per_epoch=steps, average=0.5, patience=epochs
    )
    return replace(whole, **row.options)


def measure(model: keras.Model, crops: CropSet, row: Row) -> dict:
    """Figures of a trained network on the test split: raw, and calibrated on the validation split."""
    valid, test = crops.split("valid"), crops.split("test")
    valid_logits = predict_logits(model, valid.batches())
    calibration = fit(valid_logits, valid.labels, valid_logits[None])  # thresholds alone, no check of stability
    logits = predict_logits(model, test.batches())
    names = np.array([SETS.get(name, name) for name in groups(test)])
    return {
        "name": row.name,
        "auc": {str(name): auc(logits, test.labels, names == name) for name in np.unique(names)},
        "degraded": degraded(model, test, np.isin(names, PAIR)),
        "threshold": row.threshold,
        "raw": decisions(expit(logits.astype(np.float64)), test.labels, _raw(row.threshold)),
        "calibrated": decisions(calibration.probability(logits), test.labels, calibration),
    }


def measure_unseen(model: keras.Model, crops: CropSet, row: Row) -> dict:
    """AUC on all splits of the sources that `model` was not trained on."""
    part = crops.select(np.isin(crops.sources, UNSEEN))
    return {"unseen": auc(predict_logits(model, part.batches()), part.labels, np.ones(len(part), bool))}


def auc(logits: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> float:
    """AUC of the faces in `mask`."""
    return float(roc_auc_score(labels[mask], logits[mask]))


def degraded(model: keras.Model, test: CropSet, mask: np.ndarray) -> float:
    """Mean AUC over STRENGTHS of the faces in `mask` together, each degraded at its 256 px."""
    part = test.select(mask)
    found = []
    for name, strength in tqdm(STRENGTHS.items(), unit="degradation", disable=None):
        degrade = partial(CURVES[name][strength], rng=np.random.default_rng(0))
        logits = predict_logits(model, _batches(part, degrade))
        found.append(auc(logits, part.labels, np.ones(len(part), bool)))
    return mean(found)


def _batches(crops: CropSet, degrade) -> Iterator[np.ndarray]:
    for start in range(0, len(crops), 64):
        index = range(start, min(start + 64, len(crops)))
        if isinstance(crops, Shrunk):
            yield np.stack([shrink(degrade(crops.large(i))) for i in index])
        else:
            yield np.stack([degrade(crops[i]) for i in index])


def _raw(threshold: float) -> Calibration:
    """One threshold, with no right to say inconclusive."""
    return Calibration(1.0, {str(AI_RATE): threshold}, threshold, 1.0)


def decisions(scores: np.ndarray, labels: np.ndarray, calibration: Calibration) -> dict:
    """What comes of two thresholds: `decided` share, `error` among it, `real_called_ai`, and the scores' `ece`."""
    answers = calibration.answers(scores)
    decided, wrong = answers != Answer.INCONCLUSIVE, answers != right_answers(labels)
    return {
        "decided": float(decided.mean()),
        "error": float((wrong & decided).sum() / max(1, decided.sum())),
        "real_called_ai": float((answers[labels == REAL] == Answer.AI).mean()),
        "ece": expected_calibration_error(scores, labels),
    }


def markdown(result: dict) -> str:
    """docs/measured/ABLATION.md."""
    rows = {row["name"]: row for row in result["rows"]}
    sets = list(result["rows"][0]["auc"])
    columns = ["real called AI", "decided", "error among them", "ECE"]
    lines = []
    for row in rows.values():
        lines.append(_line(row, sets, "raw", f"at {row['threshold']}"))
        if row["name"] == "+ balanced sources, pairs":
            lines.append(_line(row | {"name": "+ calibration, inconclusive band"}, sets, "calibrated", "stored"))
    table = markdown_table(["", *sets, "degraded", "mean", "unseen sources", "decision", *columns], lines)
    seeds = [row for name, row in rows.items() if name == "+ balanced sources, pairs" or name.startswith("the same")]
    return TEXT.format(
        epochs=result["epochs"], pictures=result["epochs"] * result["steps"] * 32, table=table,
        seeds=_seeds(seeds, sets), backbone=result["backbone"], init=result["init"], px=SMALL, unseen=", ".join(UNSEEN),
        degraded=", ".join(f"{name} {strength}" for name, strength in STRENGTHS.items()),
    )  # fmt: skip


def _line(row: dict, sets: Sequence[str], kind: str, decision: str) -> list[str]:
    found, aucs = row[kind], [*(row["auc"][name] for name in sets), row["degraded"], overall(row)]
    shares = (found[key] for key in ("real_called_ai", "decided", "error"))
    aucs = [f"{value:.3f}" for value in aucs] + [f"{row['unseen']:.3f}" if "unseen" in row else ""]
    return [row["name"], *aucs, decision, *(f"{share:.1%}" for share in shares), f"{found['ece']:.3f}"]


def overall(row: dict) -> float:
    """Mean AUC over wild, deepfake and degraded: what the reference recipe is compared by."""
    return mean((row["auc"]["wild"], row["auc"]["deepfake"], row["degraded"]))


def _seeds(rows: Sequence[dict], sets: Sequence[str]) -> str:
    if len(rows) < 2:
        return "One seed."
    columns = {name: [row["auc"][name] for row in rows] for name in sets}
    columns |= {"degraded": [row["degraded"] for row in rows], "mean": [overall(row) for row in rows]}
    found = ", ".join(f"{name} {mean(values):.3f} +- {stdev(values):.3f}" for name, values in columns.items())
    return f"Mean and standard deviation over {len(rows)} seeds of the whole recipe: {found}."


TEXT = """# What each step buys

Made by `make ablation`. Every row is a training of its own on the same data, {pictures:,} pictures seen in {epochs}
epochs, from {init} weights ({backbone}; Meso4 from random ones), each row with all that stands above it. These are
short trainings. What is harder to learn, such as degraded pictures, pays later than that: the last row is the shipped
detector, trained with the whole recipe on some forty times as many pictures.

The reference recipe is the usual one: the whole picture squeezed to {px} px, no augmentation, pictures drawn as they
come, called AI from 0.65. It is meant for DenseNet121, whose ImageNet weights were not at hand; to compare steps and
not networks, every row but Meso4's has the same backbone.

AUC on the test splits; `degraded` is the mean over {degraded}
on faces140k and wild together, `mean` that of wild, deepfake and degraded. The last four columns follow the row's rule
of decision.

A test split of the sources that were trained on rewards whatever gives a source away. `unseen sources` is therefore
from a second training of each row that never saw {unseen}: the AUC on all their pictures. Under 0.5
a network takes them for the other class: worse than guessing.

{table}

{seeds}
"""


def train_and_measure(row: Row, options: argparse.Namespace, name: str, measured: Callable, held_out=()) -> dict:
    """The row's figures, from the run folder `name`: trained there, unless that was done before."""
    path = options.runs / f"{name}.json"
    if not path.exists():
        print(f"{row.name}, without {', '.join(held_out) or 'nothing'}", file=sys.stderr, flush=True)
        crops = row.crops(options.crops)
        of_others = crops.select(~np.isin(crops.sources, held_out))
        wanted = config(row, options.epochs, options.steps, options.init)
        model, _ = train(wanted, of_others, options.runs / name, verbose=2)
        write_json(path, measured(model, crops, row))
        keras.backend.clear_session()
    return json.loads(path.read_text(encoding="utf-8"))


def shipped(options: argparse.Namespace) -> dict:
    """The figures of a finished detector, measured as the rows are."""
    detector = load_detector(options.bundle, runtime="keras")
    path = options.runs / f"shipped-{detector.card['sha256'][:12]}.json"
    if not path.exists():
        write_json(path, measure(detector.network, CropSet(options.crops), Row(f"{detector.name} as shipped")))
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    """Train and measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops", help="shards made by python -m aiface prepare, with train, valid and test")
    parser.add_argument("--runs", default="runs/ablation", type=Path)
    parser.add_argument("--out", default=ROOT / "docs" / "measured", type=Path)
    parser.add_argument("--init", default="imagenet", help="imagenet, or a file of mobilenet_v2 weights")
    parser.add_argument("--epochs", default=EPOCHS, type=int)
    parser.add_argument("--steps", default=STEPS, type=int)
    parser.add_argument("--bundle", default=DETECTOR, type=Path, help="a finished detector")
    options = parser.parse_args()
    options.runs /= f"{options.epochs}x{options.steps}"  # figures of another length are others
    BACKBONES["meso4"] = MESO4
    rows = [train_and_measure(row, options, str(number), measure) for number, row in enumerate(ROWS)]
    for number, row in enumerate(ROWS[:STAIRS]):
        rows[number] |= train_and_measure(row, options, f"unseen-{number}", measure_unseen, UNSEEN)
    rows.append(shipped(options))
    result = {"epochs": options.epochs, "steps": options.steps, "backbone": "mobilenet_v2", "init": "ImageNet"}
    write_json(options.out / "ablation.json", result | {"rows": rows})
    write_text(options.out / "ABLATION.md", markdown(result | {"rows": rows}))


if __name__ == "__main__":
    main()
