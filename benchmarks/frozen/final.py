"""`python -m benchmarks.frozen.final CROPS FEATURES BUNDLE`: heads for all sources, read by left-out scores.

As `benchmarks.quality.unseen_final` does with whole networks: thresholds come from the scores that the folds of
`benchmarks.frozen.heads` gave to sources they never saw. Real clips at hand count among these; one that is called AI is
somebody accused, and the head for clips learns from it afterwards.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from aiface.analysis.pipeline import analyze_video
from aiface.data.crop_sets import CropSet
from aiface.data.groups import sets
from aiface.evaluation.clips import list_clips
from aiface.faces.finder import load_finder
from aiface.labels import AI, REAL, Answer
from aiface.models.card import read_card
from aiface.models.detector import Detector
from benchmarks.frozen.features import Runner, seeing, shown
from benchmarks.frozen.heads import NAME, RUN, SHARES_OF_CLIPS, Recipe, fit, load, logits, trained_on, weights_of
from benchmarks.quality.unseen import SETS, SHARES, START, Scores, deal, read
from benchmarks.quality.unseen_figures import MOVING, by_clip, calibrate
from benchmarks.quality.unseen_final import counts, ship, summary

HOW = (
    "one hidden layer alone was trained, for pictures and for clips each, on what two networks that were not see of a "
    "face and of its middle, enlarged: that earlier detector, and MobileNetV2 as ImageNet made it (benchmarks/frozen)"
)


def real_clips(folder: str) -> dict[str, np.ndarray]:
    """Of each real clip in a folder of labelled ones the crops that are scored, `(n, 256, 256, 3)`, by its file."""
    return {clip.file: looks(clip.path) for clip in list_clips(folder) if clip.label == REAL}


def looks(clip: Path) -> np.ndarray:
    """The crops whose scores a verdict on a clip rests on."""
    seen: list[np.ndarray] = []

    def keep(crops: np.ndarray) -> np.ndarray:
        seen.append(crops)
        return np.zeros(len(crops), np.float32)  # inconclusive: nothing is asked of it but these

    analyze_video(clip, load_finder(), Detector(keep, read_card(START)))
    return np.concatenate(seen)


def scores_of(clips: Mapping[str, np.ndarray], runner: Runner, head: Sequence[np.ndarray]) -> Scores:
    """What a head that never saw some real clips makes of them."""
    names = np.repeat(list(clips), [len(crops) for crops in clips.values()])
    found = np.concatenate([logits(runner(crops), head) for crops in clips.values()])
    of_set, label, unseen = (np.full(len(names), value) for value in (MOVING[0], REAL, True))
    return Scores(of_set, names, names, label, unseen, found)


def called_ai(folds: Sequence[Scores], own: Scores) -> list[str]:
    """Which of our own clips lie above the AI threshold, to which they count as the folds' clips do."""
    fitted, by = calibrate([*folds, own])
    clips = by_clip(own)
    return clips.source[fitted.answers(fitted.probability(clips.logits + by)) == Answer.AI].tolist()


def with_more(
    copies: Sequence[np.ndarray], crops: CropSet, weights: np.ndarray, more: Sequence[np.ndarray], runner: Runner
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Copies of features, labels and weights, to which real clips were added: crops `(n, 256, 256, 3)` of each.

    Each weighs as much as the real sources of clips do in the mean.
    """
    like = np.isin(sets(crops), MOVING) & (crops.labels == REAL) & (weights > 0)
    each = weights[like].sum() / len(np.unique(crops.sources[like]))
    added = np.concatenate(more)
    seen = [
        runner(np.stack([shown(crop, copy, at) for at, crop in enumerate(added)])).astype(np.float16)
        for copy in range(len(copies))
    ]
    of_added = np.concatenate([np.full(len(crops), each / len(crops)) for crops in more])
    all_weights = np.concatenate([weights, of_added])
    labels = np.concatenate([crops.labels, np.full(len(added), REAL)])
    return [np.concatenate(both) for both in zip(copies, seen, strict=True)], labels, all_weights / all_weights.sum()


def main() -> None:
    """Fit, and ship."""
    from aiface.models.network import with_head

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops")
    parser.add_argument("features", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--clips", help="a folder of labelled clips, whose real ones count among those left out")
    parser.add_argument("--run", default=RUN, type=Path)
    options = parser.parse_args()
    crops, copies = CropSet(options.crops), load(options.features)
    folds = [read(path) for path in sorted(options.run.glob("fold-*/scores.csv"))]
    every = trained_on(crops, deal(crops, SETS, len(folds)), len(folds))  # no fold has that number: none is left out
    seen, parts = seeing(np.load(options.features / "usual.npy")), {"pictures": SHARES, "clips": SHARES_OF_CLIPS}
    weights = {part: weights_of(crops, every, shares) for part, shares in parts.items()}
    heads = {part: fit(copies, crops.labels, weights[part], Recipe()) for part in parts}
    own, learnt = [], []
    if options.clips:
        clips, runner = real_clips(options.clips), Runner(seen)
        own = [scores_of(clips, runner, heads["clips"])]
        learnt = called_ai([scores.where(scores.unseen) for scores in folds], own[0])
        if learnt:
            more = with_more(copies, crops, weights["clips"], [clips[name] for name in learnt], runner)
            heads["clips"] = fit(*more, Recipe())
    config = asdict(Recipe()) | {"shares": parts, "copies": len(copies)}
    training = {"summary": summary(crops, NAME, HOW, read_card(START)), "config": config, "faces": counts(crops),
                "manifest": crops.manifest(), "thresholds": told(folds, own, learnt)}  # fmt: skip
    networks = [with_head(seen, heads[part], NAME) for part in parts]
    ship(networks[0], crops, folds, training, options.bundle, own, networks[1])


def told(folds: Sequence[Scores], own: Sequence[Scores], learnt: Sequence[str]) -> str:
    """What a card says of how the thresholds of clips came about."""
    left_out = [by_clip(scores.where(np.isin(scores.set, MOVING))) for scores in folds]
    real, generated = (sum(int((clips.label == label).sum()) for clips in left_out) for label in (REAL, AI))
    sentence = (
        "Those of clips are tolerance bounds, which take the scores of clips for normally distributed, of "
        f"{real} real and {generated} generated clips that folds left out"
    )
    if own:
        sentence += f", and of {len(np.unique(own[0].clip))} real ones at hand that no training had seen"
    return f"{sentence}. Called AI there, {', '.join(learnt)} was learnt from afterwards." if learnt else f"{sentence}."


if __name__ == "__main__":
    main()
