"""`python -m benchmarks.quality.photograph CROPS`: what tells drawings from photographs, by kind of art and source.

CROPS is a folder of `python -m aiface prepare`. Photographs, real and generated, are measured as they are and
re-shipped (`SHIPPED`); art is made of those that are no video frames (`benchmarks.quality.renderings`). Whole kinds of
art and whole sources of photographs are left out in turn, for tables of what is found and of false alarms. `--write`
fits on the training split and saves the network in the package.
"""

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier

from aiface.data import degrade
from aiface.data.crop_sets import CropSet
from aiface.errors import AifaceError
from aiface.evaluation.report import markdown_table
from aiface.faces.crop import CROP_SIZE
from aiface.faces.photograph import WEIGHTS, Network, load_network, measure
from benchmarks.quality.renderings import KINDS, render

AS_IT_IS, BY_CHANCE = "as it is", "as in training"
FRAMES = {"deepfake"}  # sources of small, dark video frames, of which nobody would make a drawing
SEPIA = np.array(((0.393, 0.349, 0.272), (0.769, 0.686, 0.534), (0.189, 0.168, 0.131)))
FOLDS = 5
ALARMS = 0.002  # share of photographs of left-out sources that may be taken for art...
ALARMS_SHIPPED = 0.0075  # ...and of those re-shipped in any one way
HIDDEN, DECAY, DRAWN = 32, 0.5, 20_000
BLANK = np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _grey(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


SHIPPED: dict[str, Change] = {
    AS_IT_IS: lambda image, rng: image,
    "JPEG 15": lambda image, rng: degrade.jpeg(image, 15),
    "JPEG 40": lambda image, rng: degrade.jpeg(image, 40),
    "beauty filter": degrade.smooth,
    "denoised": lambda image, rng: cv2.bilateralFilter(image, 9, 40, 5),
    "64 px enlarged": lambda image, rng: degrade.rescale(image, 64),
    "sepia": lambda image, rng: np.clip(np.rint(image @ SEPIA), 0, 255).astype(np.uint8),
    "grey": _grey,
    "blur of 2 px": lambda image, rng: degrade.blur(image, 2),
    "H.264 crf 35": lambda image, rng: degrade.h264(image, 35),
    BY_CHANCE: degrade.degrade,
}


@dataclass(frozen=True)
class Measured:
    """Pictures by their `numbers` `(n, m)`, and of each the name in KINDS or SHIPPED, its source and its split."""

    numbers: np.ndarray
    names: np.ndarray
    sources: np.ndarray
    splits: np.ndarray

    @property
    def art(self) -> np.ndarray:
        """Which are, `(n,)`."""
        return np.isin(self.names, list(KINDS))

    def where(self, kept: np.ndarray) -> "Measured":
        """Those that an index or a boolean mask `(n,)` names."""
        return Measured(self.numbers[kept], self.names[kept], self.sources[kept], self.splits[kept])


def measure_one(crops: CropSet, job: tuple[str, int]) -> np.ndarray:
    """What is measured of a crop after what `job` names in KINDS or SHIPPED was done to it, always alike."""
    name, index = job
    rng = np.random.default_rng([index, *name.encode()])
    image = render(KINDS[name], crops[index], rng) if name in KINDS else SHIPPED[name](crops[index], rng)
    return np.array(list(measure(image).values()))


_OF_WORKER: list[CropSet] = []  # what a worker measures: sent once, not with each job


def _start(crops: CropSet) -> None:
    cv2.setNumThreads(1)
    _OF_WORKER[:] = [crops]


def _measure_next(job: tuple[str, int]) -> np.ndarray:
    return measure_one(_OF_WORKER[0], job)


def measure_all(crops: CropSet, of_kind: int, of_shipped: int, seed: int = 0) -> Measured:
    """All crops as they are, `of_shipped` for each entry of SHIPPED, and `of_kind` for each of KINDS."""
    rng = np.random.default_rng(seed)
    drawable = np.flatnonzero(~np.isin(crops.sources, list(FRAMES)))
    jobs = [(AS_IT_IS, index) for index in range(len(crops))]
    jobs += [(name, i) for name in SHIPPED if name != AS_IT_IS for i in rng.permutation(len(crops))[:of_shipped]]
    jobs += [(name, index) for name in KINDS for index in rng.permutation(drawable)[:of_kind]]
    with get_context("spawn").Pool(initializer=_start, initargs=(crops,)) as pool:
        numbers = np.stack(pool.map(_measure_next, jobs, chunksize=16))
    index = np.array([index for _, index in jobs])
    return Measured(numbers, np.array([name for name, _ in jobs]), crops.sources[index], crops.splits[index])


def fit(found: Measured, seed: int = 0) -> Network:
    """A small network, for which art and photographs weigh the same, and so does each kind of art.

    Photographs as they are weigh like those of all ways of shipping together.
    """
    centre, scale = found.numbers.mean(axis=0), found.numbers.std(axis=0) + 1e-6
    blank = Network(centre, scale, np.zeros((len(centre) + 1, HIDDEN)), np.zeros(HIDDEN + 1))
    drawn = np.random.default_rng(seed).choice(len(found.names), DRAWN, p=_shares(found))
    model = MLPClassifier(
        (HIDDEN,), alpha=DECAY, learning_rate_init=3e-3, batch_size=256, max_iter=30, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it stops early by intent
        model.fit(blank.scaled(found.numbers[drawn]), found.art[drawn])
    hidden, output = (np.vstack(pair) for pair in zip(model.coefs_, model.intercepts_, strict=True))
    return Network(centre, scale, hidden, output[:, 0])


def _shares(found: Measured) -> np.ndarray:
    """How likely each picture is drawn to learn from, `(n,)`."""
    names, at, counts = np.unique(found.names, return_inverse=True, return_counts=True)
    shares = (np.where(names == AS_IT_IS, len(SHIPPED) - 1, 1) / counts)[at]
    for side in (found.art, ~found.art):
        shares[side] /= 2 * shares[side].sum()
    return shares


def left_out_sources(found: Measured, kind: str | None = None) -> np.ndarray:
    """Logits `(n,)`, each from a network that saw no picture of its source, nor any of a `kind` of art."""
    logits = np.empty(len(found.names))
    for train, test in GroupKFold(FOLDS).split(found.numbers, groups=found.sources):
        logits[test] = fit(found.where(train[found.names[train] != kind]))(found.numbers[test])
    return logits


def found_of(found: Measured, logits: np.ndarray, kind: str) -> float:
    """The share of a kind of art above the threshold of these logits."""
    return float((logits[found.names == kind] > threshold(found, logits)).mean())


def threshold(found: Measured, logits: np.ndarray) -> float:
    """The lowest logit above which lie no more photographs than ALARMS as they are, ALARMS_SHIPPED in any other way."""
    allowed = {name: ALARMS if name == AS_IT_IS else ALARMS_SHIPPED for name in SHIPPED if name != BY_CHANCE}
    return max(float(np.quantile(logits[found.names == name], 1 - share)) for name, share in allowed.items())


def tables(found: Measured, logits: np.ndarray, bar: float) -> str:
    """What is taken for art of photographs and of art, by sources left out and by kinds left out, in Markdown."""
    taken = {name: logits[found.names == name] > bar for name in (*SHIPPED, *KINDS)}
    alarms = [[name, len(taken[name]), f"{taken[name].mean():.2%}"] for name in SHIPPED]
    drawn = [
        [
            kind,
            len(taken[kind]),
            f"{taken[kind].mean():.0%}",
            f"{found_of(found, left_out_sources(found, kind), kind):.0%}",
        ]
        for kind in KINDS
    ]
    return "\n\n".join((
        markdown_table(["photographs of sources left out", "number", "taken for art"], alarms),
        markdown_table(["kind of art", "number", "found", "found when the kind was left out, too"], drawn),
    ))  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 1 if there are no crops."""
    parser = argparse.ArgumentParser(description="Fit and check what tells drawings from photographs.")
    parser.add_argument("crops", type=Path, metavar="CROPS", help="a folder of crops")
    parser.add_argument("--of-kind", type=int, default=160, metavar="N", help="pictures of each kind of art")
    parser.add_argument("--of-shipped", type=int, default=400, metavar="N", help="photographs shipped in each way")
    parser.add_argument("--write", action="store_true", help="save the network, of the training split, in the package")
    options = parser.parse_args(arguments)
    try:
        found = measure_all(CropSet(options.crops), options.of_kind, options.of_shipped)
    except AifaceError as error:
        print(f"aiface: {error}", file=sys.stderr)
        return 1
    report(found, options.write)
    return 0


def report(found: Measured, write: bool) -> None:
    """Print the tables, and those figures that the package's own network has; `write` it before."""
    logits = left_out_sources(found)
    bar = threshold(found, logits)
    print(tables(found, logits, bar))
    if write:
        fit(found.where(found.splits == "train")).above(bar).save(WEIGHTS, list(measure(BLANK)))
        load_network.cache_clear()
    taken, unseen = load_network(WEIGHTS)(found.numbers) > 0, found.splits != "train"
    plain = found.names == AS_IT_IS
    rows = [
        [split, *(f"{taken[mask & what].mean():.2%}" for what in (plain, ~plain & ~found.art, found.art))]
        for split, mask in (("training", ~unseen), ("others", unseen))
    ]
    heads = ["splits, by the package's network", "photographs taken for art", "re-shipped ones", "art found"]
    print("\n" + markdown_table(heads, rows))


if __name__ == "__main__":
    sys.exit(main())
