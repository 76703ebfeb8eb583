"""What a score is worth as evidence: likelihood ratios, from sources that no training saw.

As the guideline of the European forensic institutes (ENFSI 2015) has it: how many times likelier is this score if AI
made the face than if not? Monotone in the score by isotonic regression (Zadrozny and Elkan 2002), judged by Cllr
(Bruemmer and du Preez 2006).
"""

from collections.abc import Sequence

import numpy as np
from sklearn.isotonic import IsotonicRegression

from aiface.labels import AI, REAL

RESAMPLES = 200
BOUNDS = (0.025, 0.975)


def fit_ratios(scores: np.ndarray, labels: np.ndarray, sources: Sequence[str] | np.ndarray, seed: int = 0) -> list:
    """Steps for `Calibration.ratios`, `[score, log10 ratio, low, high]`, of scores `(n,)` of left-out sources.

    Every source weighs the same, whatever its number of faces, since it is a new source that will be judged. One
    source more of each class is taken to mislead as far as can be, so that no ratio exceeds what so many sources can
    support. The bounds hold for other samples of sources (bootstrap).
    """
    scores, labels, sources = np.asarray(scores, np.float64), np.asarray(labels), np.asarray(sources)
    names, of_source, sizes = np.unique(
        np.char.add(sources.astype(str), labels.astype(str)), return_inverse=True, return_counts=True
    )
    classes = np.array([labels[of_source == number][0] for number in range(len(names))])
    grid = np.unique(scores)
    ratios = _isotonic(scores, labels, 1 / sizes[of_source], grid)
    rng = np.random.default_rng(seed)
    drawn = [_resampled(classes, rng) for _ in range(RESAMPLES)]
    others = [_isotonic(scores, labels, times[of_source] / sizes[of_source], grid) for times in drawn]
    low, high = np.quantile(others, BOUNDS, axis=0)
    starts = np.flatnonzero(np.diff(ratios, prepend=-np.inf))
    ends = np.append(starts[1:], len(grid))
    steps = [[float(grid[a]), float(ratios[a]), float(np.median(low[a:b])), float(np.median(high[a:b]))]
             for a, b in zip(starts, ends, strict=True)]  # fmt: skip
    return [[round(value, 3) for value in step] for step in [[0.0, *steps[0][1:]], *steps[1:]]]


def _resampled(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How often each source is drawn, with replacement within its class."""
    times = np.zeros(len(classes))
    for label in (REAL, AI):
        own = np.flatnonzero(classes == label)
        np.add.at(times, rng.choice(own, len(own)), 1)
    return times


def _isotonic(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """log10 of the ratio at each score of the grid, with a source more of each class at the wrong end."""
    x = np.r_[scores, scores.min(), scores.max()]
    y = np.r_[labels == AI, True, False].astype(float)
    w = np.r_[weights, 1.0, 1.0]
    share = IsotonicRegression(out_of_bounds="clip").fit(x, y, sample_weight=w).predict(grid)
    prior = w[y == 1].sum() / w[y == 0].sum()
    return np.log10(share / (1 - share) / prior)


def cllr(ratios: np.ndarray, labels: np.ndarray) -> float:
    """The cost of log10 likelihood ratios `(n,)`, in bits: 0 for an oracle, 1 for one who says nothing.

    Above 1 they mislead. Each class weighs the same.
    """
    natural = np.asarray(ratios, np.float64) * np.log(10)
    labels = np.asarray(labels)
    missed = np.logaddexp(0, -natural[labels == AI]).mean() + np.logaddexp(0, natural[labels == REAL]).mean()
    return float(missed / 2 / np.log(2))
