"""`make unseen`: what a recipe gives on generators and cameras that it never saw, into docs/measured/UNSEEN.md.

All sources of the sets named are dealt out over k folds, relatives together; one training for each fold leaves its
sources out wholly, and scores them. So each source is unseen once, and each clip stands on one side. The other sets are
trained on in every fold; of their validation split a k-th is scored in each, as what was seen. Scores are kept by fold
(`runs/unseen/TRIAL/fold-0/scores.csv`): figures, thresholds and ensembles need no training again. Interrupted, it goes
on from the last whole epoch.
"""

import argparse
import csv
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from aiface.data.crop_sets import CropSet
from aiface.data.groups import sets
from aiface.io.files import write_csv
from aiface.models.card import CARD, read_card
from aiface.training.config import Phase, TrainConfig

SETS = ("modern", "talking")  # whose sources are left out in turn: the start never saw them
SHARES = {"deepfake": 0.2, "faces140k": 0.1, "wild": 0.2, "modern": 0.3, "talking": 0.2}
RELATIVES = (r"sfhq.*", r"relbias.*", r"(face|re)swapper", r"see(gfake|pretty)", r"declan.*", r"(x|emtd)flux")
FIELDS = ("sha256", "set", "source", "clip", "label", "split", "left", "right")
START = Path(
    "recipes", "start"
)  # from the repo's root, where this is run: the default detector of 0.1.0, which saw no source of these sets
REBUILT = "data/rebuilt"  # by python -m benchmarks.quality.rebuild CROPS data/rebuilt
_CLIP = re.compile(r"(.+_\d{3})\d\d$")  # SOURCE_CCCFF: clip and frame


@dataclass(frozen=True)
class Trial:
    """What differs from the plain recipe.

    start: how much of the start's weights is mixed in afterwards. of: the trial whose trained weights it takes.
    """

    why: str
    options: dict = field(default_factory=dict)
    start: float = 0.0
    of: str = ""


@dataclass(frozen=True)
class Scores:
    """What one fold scored: columns of n crops, `logits` seen from both sides, and whether each was left out."""

    set: np.ndarray
    source: np.ndarray
    clip: np.ndarray
    label: np.ndarray
    unseen: np.ndarray
    logits: np.ndarray

    def where(self, mask: np.ndarray) -> "Scores":
        """The rows where a boolean mask is true."""
        return Scores(*(column[mask] for column in vars(self).values()))


def family(source: str) -> str:
    """The name that relatives share: sources by one maker or model, which must be left out together."""
    return next((pattern for pattern in RELATIVES if re.fullmatch(pattern, source)), source)


def deal(crops: CropSet, left_out: Sequence[str], k: int, seed: int = 0) -> np.ndarray:
    """The fold of each crop, int64 `(n,)`; -1 outside the sets that are `left_out` in turn.

    Families go, the largest first, to the fold that has least of their set and class; `seed` changes ties alone, by
    the order in which folds are asked.
    """
    of_set, families = sets(crops), np.array([family(source) for source in crops.sources], str)
    fold, order = np.full(len(crops), -1), np.random.default_rng(seed).permutation(k)
    for name in left_out:
        held, dealt = np.zeros((k, 2)), of_set == name
        names, counts = np.unique(families[dealt], return_counts=True)
        for one in names[np.argsort(-counts, kind="stable")]:
            mask = dealt & (families == one)
            size = np.bincount(crops.labels[mask], minlength=2)
            least = min(order, key=lambda f: (held[f] * (size > 0)).sum())
            fold[mask], held[least] = least, held[least] + size
    return fold


def fold_crops(crops: CropSet, fold: np.ndarray, number: int, k: int) -> tuple[CropSet, CropSet]:
    """What fold `number` trains on (with the old sets' validation split), and what it scores."""
    rows, scored = [], []
    of_valid = 0
    for row, f in zip(crops.rows, fold, strict=True):
        if f == number:
            scored.append(replace(row, split="unseen"))
        elif f >= 0:
            rows.append(replace(row, split="train"))
        elif row.split != "test":
            rows.append(row)
            if row.split == "valid":
                of_valid += 1
                if of_valid % k == number:
                    scored.append(replace(row, split="seen"))
    return CropSet(crops.folder, rows), CropSet(crops.folder, scored)


def thin(crops: CropSet, each: int) -> CropSet:
    """The training split, and every so-manyth crop of the validation split."""
    valid = np.cumsum(crops.splits == "valid")
    return crops.select((crops.splits != "valid") | (valid % each == 0))


def clip_of(path: str) -> str:
    """The clip that a frame is of; a still is its own."""
    match = _CLIP.fullmatch(Path(path).stem)
    return match[1] if match else Path(path).stem


def scores(network, crops: CropSet) -> list[dict]:
    """Rows of FIELDS: logits of all crops from either side, by OpenVINO."""
    from aiface.models.openvino_runtime import OpenVinoRuntime, convert, unpack

    runtime = OpenVinoRuntime(unpack(convert(network)), "f32")
    rows, of_set = [], sets(crops)
    for i, row in enumerate(crops.rows):
        crop = crops[i]
        left, right = runtime(np.stack((crop, crop[:, ::-1])))
        rows.append({"sha256": row.sha256, "set": of_set[i], "source": row.source,
                     "clip": clip_of(row.path),
                     "label": row.label, "split": row.split,
                     "left": f"{left:.5f}", "right": f"{right:.5f}"})  # fmt: skip
    return rows


def read(path: Path) -> Scores:
    """What `scores` gave, as a CSV file."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    text = {name: np.array([row[name] for row in rows], str) for name in ("set", "source", "clip", "split")}
    logits = np.array([(float(row["left"]) + float(row["right"])) / 2 for row in rows])
    label = np.array([int(row["label"]) for row in rows])
    return Scores(text["set"], text["source"], text["clip"], label, text["split"] == "unseen", logits)


def run_fold(
    trial: Trial, config: TrainConfig, crops: CropSet, fold: np.ndarray, number: int, run: Path, weights: Path
) -> None:
    """Train without one fold's sources (in the folder `weights`, if that wasn't done), and score them into `run`."""
    if (run / "scores.csv").exists():
        return
    from aiface.models.keras_import import keras
    from aiface.training.trainer import train

    training, scored = fold_crops(crops, fold, number, fold.max() + 1)
    began = time.perf_counter()
    network, _ = train(config, thin(training, 8), weights, verbose=2)
    blend(network, config, trial.start)
    trained = time.perf_counter()
    write_csv(run / "scores.csv", scores(network, scored), FIELDS)
    print(f"{run}: trained in {trained - began:.0f} s, scored in {time.perf_counter() - trained:.0f}", flush=True)
    keras.backend.clear_session()


def blend(network, config: TrainConfig, start: float) -> None:
    """Mix the start's weights in by so much (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models")."""
    if start:
        from aiface.models.bundle import load_network

        pairs = zip(load_network(config.init).get_weights(), network.get_weights(), strict=True)
        network.set_weights([start * a + (1 - start) * b for a, b in pairs])


def plain(init: str, size: int, epochs: int, steps: int) -> TrainConfig:
    """The recipe that trials change: pairs within a set, the last epoch's average."""
    backbone = read_card(init)["backbone"] if (Path(init) / CARD).is_file() else TrainConfig.backbone
    return TrainConfig(
        backbone, init, phases=(Phase(epochs, 2.5e-4, size),), steps_per_epoch=steps, batch_size=32, average=0.3,
        patience=epochs, shares=SHARES, by_set=True, keep_last=True,
    )  # fmt: skip


def length_of(config: TrainConfig) -> str:
    """A trial's size and number of windows, which stand in the names of its runs: `160x12800`; `0` without training."""
    windows = config.epochs * config.steps_per_epoch * config.batch_size
    return f"{config.phases[0].size}x{windows}" if windows else "0"


TRIALS = {
    "shipped": Trial("the start as it is", {"phases": ()}),
    "plain": Trial("groups by set alone"),
    "swaps": Trial("self-blended images as their authors make them", {"twins": {"swap": 0.25}}),
    "late": Trial("blocks from 6 on alone: what lies before learns by heart, too", {"learns_from": "block_6_expand"}),
    "even": Trial("sources drawn alike, whatever their size", {"even": 0.0}),
    "rebuilt": Trial("reconstructions by autoencoders", {"twins": {REBUILT: 0.25}}),
    "rebuilt-half": Trial("and half of the start's weights", start=0.5, of="rebuilt"),
    "rebuilt-third": Trial("and two thirds of the start's weights", start=0.67, of="rebuilt"),
    "muted": Trial("and a third of the pictures muted", {"twins": {REBUILT: 0.25}, "muted": 0.3}),
    "muted-half": Trial("and half of the start's weights", start=0.5, of="muted"),
    "rebuilt-swaps": Trial("reconstructions and swaps", {"twins": {REBUILT: 0.2, "swap": 0.1}}),
    "half": Trial("half of the start's weights mixed in", start=0.5, of="plain"),
    "swaps-half": Trial("both", start=0.5, of="swaps"),
    "smooth": Trial("labels smoothed by 0.1", {"smoothing": 0.1}),
}


def main() -> None:
    """Train and score what is missing of the trials named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops", help="shards made by python -m aiface prepare")
    parser.add_argument("trials", nargs="+", metavar="TRIAL", help=", ".join(TRIALS))
    parser.add_argument("--runs", default="runs/unseen", type=Path)
    parser.add_argument("--start", default=str(START), help="a bundle, or as TrainConfig.init")
    parser.add_argument("--sets", nargs="+", default=SETS, help="whose sources are left out in turn")
    parser.add_argument("--folds", default=3, type=int)
    parser.add_argument("--only", type=int, nargs="*", help="these folds")
    parser.add_argument("--size", default=160, type=int)
    parser.add_argument("--epochs", default=2, type=int)
    parser.add_argument("--steps", default=200, type=int, help="batches of 32 an epoch")
    options = parser.parse_args()
    crops = CropSet(options.crops)
    fold = deal(crops, options.sets, options.folds)
    for name in options.trials:
        trial = TRIALS[name]
        trial = replace(trial, options=TRIALS[trial.of].options) if trial.of else trial
        config = replace(plain(options.start, options.size, options.epochs, options.steps), **trial.options)
        length = length_of(config)
        for number in options.only or range(options.folds):
            run, weights = (options.runs / f"{n}-{length}" / f"fold-{number}" for n in (name, trial.of or name))
            run_fold(trial, config, crops, fold, number, run, weights)


if __name__ == "__main__":
    main()
