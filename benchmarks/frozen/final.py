"""`python -m benchmarks.frozen.final CROPS FEATURES BUNDLE`: a head for all sources, read by left-out scores.

As `benchmarks.quality.unseen_final` does with whole networks: thresholds come from the scores that the folds of
`benchmarks.frozen.heads` gave to sources they never saw.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np

from aiface.data.crop_sets import CropSet
from aiface.models.card import read_card
from benchmarks.frozen.features import seeing
from benchmarks.frozen.heads import NAME, RUN, Recipe, fit, load, trained_on, weights_of
from benchmarks.quality.unseen import SETS, SHARES, START, deal, read
from benchmarks.quality.unseen_final import counts, ship, summary

HOW = (
    "one hidden layer alone was trained, on what two networks that were not see of a face and of its middle, enlarged: "
    "that earlier detector, and MobileNetV2 as ImageNet made it (benchmarks/frozen)"
)


def main() -> None:
    """Fit, and ship."""
    from aiface.models.network import with_head

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops")
    parser.add_argument("features", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--clips", help="a folder of labelled clips, no real one of which is to be called AI")
    parser.add_argument("--run", default=RUN, type=Path)
    options = parser.parse_args()
    crops, copies = CropSet(options.crops), load(options.features)
    folds = [read(path) for path in sorted(options.run.glob("fold-*/scores.csv"))]
    every = trained_on(crops, deal(crops, SETS, len(folds)), len(folds))  # no fold has that number: none is left out
    head = fit(copies, crops.labels, weights_of(crops, every), Recipe())
    network = with_head(seeing(np.load(options.features / "usual.npy")), head, NAME)
    config = asdict(Recipe()) | {"shares": SHARES, "copies": len(copies)}
    training = {"summary": summary(crops, NAME, HOW, read_card(START)), "config": config,
                "manifest": crops.manifest(), "faces": counts(crops)}  # fmt: skip
    ship(network, crops, folds, training, options.bundle, options.clips)


if __name__ == "__main__":
    main()
