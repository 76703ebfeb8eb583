"""`python -m benchmarks.quality.unseen_final CROPS TRIAL BUNDLE`: a trial on every source, read by left-out scores.

The network is trained as the trial's folds were, on all of them; scale, shift and thresholds come from the scores that
the folds gave to sources they never saw, since for its own sources the final network's scores say nothing.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from aiface.data.crop_sets import CropSet
from aiface.data.groups import sets
from aiface.labels import NAMES, right_answers
from aiface.models.calibration import stable_until
from aiface.models.card import read_card
from benchmarks.quality.unseen import SETS, START, TRIALS, Scores, blend, length_of, plain, read, thin
from benchmarks.quality.unseen_figures import calibrate, figures


def of_all_sources(crops: CropSet, left_out: Sequence[str]) -> CropSet:
    """All splits of the sets that folds left out to train on; of the others train and validation as they are."""
    new = np.isin(sets(crops), left_out)
    kept = [
        replace(row, split="train") if is_new else row
        for row, is_new in zip(crops.rows, new, strict=True)
        if is_new or row.split != "test"
    ]
    return CropSet(crops.folder, kept)


def shifted(network, by: float) -> None:
    """Add to a network's logits."""
    kernel, bias = network.get_layer("logit").get_weights()
    network.get_layer("logit").set_weights([kernel, bias + np.float32(by)])


def counts(crops: CropSet) -> dict:
    """Faces by split, source and class, as a card has them."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for row in sorted(crops.rows, key=lambda row: (row.split, row.source)):
        by_class = found.setdefault(row.split, {}).setdefault(row.source, {})
        by_class[NAMES[row.label]] = by_class.get(NAMES[row.label], 0) + 1
    return found


def summary(crops: CropSet, backbone: str, how: str, start: Mapping) -> str:
    """What the network was made from, in a sentence or two."""
    names = ", ".join(np.unique(sets(crops)).tolist())
    return (
        f"{backbone}, trained on the sets {names}: parts of Kaggle's 140k Real and Fake Faces, of public sets of real "
        "and generated portraits and of DFDC face swaps, and faces cut from public pictures and clips of 43 generators "
        f"and 30 cameras or collections; {how}. It started from an earlier detector (sha256 {start['sha256'][:8]}), "
        "which parts of the first three sets made."
    )


def ship(
    network,
    crops: CropSet,
    folds: Sequence[Scores],
    training: Mapping,
    bundle: Path,
    more: Sequence[Scores] = (),
    of_clips=None,
) -> None:
    """Calibrate a network by what folds gave to sources they never saw, measure it on the old test splits, save it.

    It is shifted and rounded on the way. more: what else such a network gave to sources that it never saw. of_clips:
    the network for clips, if that is another: the folds' scores of these are of its kind.
    """
    from aiface.models.bundle import round_to_half, save_bundle
    from aiface.models.openvino_runtime import OpenVinoRuntime, convert, unpack
    from aiface.models.views import both_sides, measured, spread
    from aiface.training.recalibrate import card_figures

    fitted, by = calibrate([scores.where(scores.unseen) for scores in (*folds, *more)])
    for each in filter(None, (network, of_clips)):
        shifted(each, by)
        round_to_half(each)
    runtime = OpenVinoRuntime(unpack(convert(network)), "f32")
    part = thin(crops.select((crops.splits == "valid") & ~np.isin(sets(crops), SETS)), 3).split("valid")
    logits, of_views = measured(runtime, part.batches())
    scores = fitted.probability(logits)
    right = fitted.of(moving=False).answers(scores) == right_answers(part.labels)
    fitted = replace(fitted, unstable_above=stable_until(spread(scores, fitted.probability(of_views))[right]))
    test = crops.split("test")
    logits = np.concatenate([both_sides(runtime, batch) for batch in test.batches()])
    metrics = {"test": card_figures(logits, test, fitted.of(moving=False)), "unseen": figures(folds)}
    save_bundle(network, bundle, fitted, training, metrics, of_clips)
    print(read_card(bundle)["calibration"], metrics, sep="\n")


def main() -> None:
    """Train, and ship."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops")
    parser.add_argument("trial", help="a trial whose folds are scored")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--runs", default="runs/unseen", type=Path)
    parser.add_argument("--start", default=str(START))
    parser.add_argument("--size", default=160, type=int)
    parser.add_argument("--epochs", default=2, type=int)
    parser.add_argument("--steps", default=200, type=int)
    options = parser.parse_args()
    from aiface.training.trainer import train

    crops, trial = CropSet(options.crops), TRIALS[options.trial]
    recipe = TRIALS[trial.of] if trial.of else trial
    config = replace(plain(options.start, options.size, options.epochs, options.steps), **recipe.options)
    length = length_of(config)
    folds = [read(path) for path in sorted((options.runs / f"{options.trial}-{length}").glob("fold-*/scores.csv"))]
    run = options.runs / f"{trial.of or options.trial}-{length}" / "all"
    network, _ = train(config, thin(of_all_sources(crops, SETS), 8), run, verbose=2)
    blend(network, config, trial.start)
    start = read_card(options.start)
    how = f"{TRIALS[trial.of or 'plain'].why}, {trial.why} (benchmarks/quality/unseen.py)"
    training = {"summary": summary(crops, config.backbone, how, start), "config": asdict(config), "start": trial.start,
                "manifest": crops.manifest(), "faces": counts(crops)}  # fmt: skip
    ship(network, crops, folds, training if config.epochs else start["training"], options.bundle)


if __name__ == "__main__":
    main()
