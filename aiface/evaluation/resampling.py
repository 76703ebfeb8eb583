"""Bootstrap intervals: a resample is how often each score was drawn, so that a thousand are measured at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from aiface.labels import AI, REAL, Answer
from aiface.models.calibration import Calibration

AT_ONCE = 2_000_000  # counts in an array


@dataclass(frozen=True)
class Resamples:
    """r draws, with replacement and within each class, from scored faces; each figure is float64 `(r,)`.

    scores: the u distinct ones, rising, float64 `(u,)`. real, ai: how often each was drawn, int64 `(r, u)`.
    """

    scores: np.ndarray
    real: np.ndarray
    ai: np.ndarray

    @property
    def sizes(self) -> tuple[int, int]:
        """Faces of each class, real and AI, in each draw."""
        return int(self.real[0].sum()), int(self.ai[0].sum())

    def auc(self) -> np.ndarray:
        """Area under the ROC curve: how often an AI face scores above a real one, ties half (Mann and Whitney 1947)."""
        below = np.cumsum(self.real, axis=1) - self.real / 2
        return (self.ai * below).sum(axis=1) / np.prod(self.sizes)

    def average_precision(self) -> np.ndarray:
        """As scikit-learn has it: precision at each score, weighted by the gain in recall."""
        real, ai = self._from_above()
        return (self.ai[:, ::-1] * (ai / np.maximum(real + ai, 1))).sum(axis=1) / self.sizes[1]

    def equal_error_rate(self) -> np.ndarray:
        """As `aiface.evaluation.metrics.equal_error_rate`."""
        (real, ai), (n_real, n_ai), rows = self._from_above(), self.sizes, np.arange(len(self.real))
        false = np.pad(real / n_real, ((0, 0), (1, 0)))
        gap = 1 - np.pad(ai / n_ai, ((0, 0), (1, 0))) - false
        after = np.argmax(gap <= 0, axis=1)
        (left, right), (start, end) = ((curve[rows, after - 1], curve[rows, after]) for curve in (gap, false))
        return start + (end - start) * left / (left - right)

    def accuracy(self, threshold: float = 0.5) -> np.ndarray:
        """The share of faces on the right side of a threshold, at and above which they are called AI."""
        above = self.scores >= threshold
        return (self.ai[:, above].sum(axis=1) + self.real[:, ~above].sum(axis=1)) / sum(self.sizes)

    def calibration_error(self, bins: int = 15) -> np.ndarray:
        """As `aiface.evaluation.metrics.expected_calibration_error`."""
        index = np.minimum((self.scores * bins).astype(int), bins - 1)
        gaps = ((self.real + self.ai) * self.scores - self.ai) @ np.eye(bins)[index]
        return np.abs(gaps).sum(axis=1) / sum(self.sizes)

    def true_positive_rate(self, false_positive_rate: float) -> np.ndarray:
        """As `aiface.evaluation.metrics.true_positive_rate`."""
        (real, ai), (n_real, n_ai), rows = self._from_above(), self.sizes, np.arange(len(self.real))
        at = np.argmax(real > min(int(false_positive_rate * n_real), n_real - 1), axis=1)
        return (ai[rows, at] - self.ai[:, ::-1][rows, at]) / n_ai

    def false_positive_rate(self, calibration: Calibration) -> np.ndarray:
        """The share of real faces that are called AI."""
        return self.real[:, calibration.answers(self.scores) == Answer.AI].sum(axis=1) / self.sizes[0]

    def _from_above(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each class, how many faces score at least as high, by falling score: `(r, u)`."""
        return np.cumsum(self.real[:, ::-1], axis=1), np.cumsum(self.ai[:, ::-1], axis=1)


def figures(drawn: Resamples, calibration: Calibration) -> dict[str, np.ndarray]:
    """The figures of the evaluation protocol, see `aiface.evaluation.metrics.figures`."""
    return {
        "auc": drawn.auc(),
        "ap": drawn.average_precision(),
        "eer": drawn.equal_error_rate(),
        "accuracy": drawn.accuracy(),
        "ece": drawn.calibration_error(),
        "tpr_at_fpr_1": drawn.true_positive_rate(0.01),
        "tpr_at_fpr_01": drawn.true_positive_rate(0.001),
        "fpr_at_1": drawn.false_positive_rate(calibration),
    }


def bootstrap(
    measure: Callable[[Resamples], Mapping[str, np.ndarray]],
    scores: np.ndarray,
    labels: np.ndarray,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of each figure, drawing faces again within each class (Efron and Tibshirani 1993).

    `scores` `(n,)` P(AI), `labels` `(n,)` of both classes.
    """
    found = [measure(drawn) for drawn in _resampled(np.asarray(scores, np.float64), labels, resamples, seed)]
    each = {key: np.concatenate([part[key] for part in found]) for key in found[0]}
    return {key: tuple(np.quantile(values, (0.025, 0.975)).tolist()) for key, values in each.items()}


def _resampled(scores: np.ndarray, labels: np.ndarray, resamples: int, seed: int) -> Iterator[Resamples]:
    distinct, place = np.unique(scores, return_inverse=True)
    rng, classes = np.random.default_rng(seed), [place[labels == label] for label in (REAL, AI)]
    while resamples > 0:
        count = min(resamples, max(1, AT_ONCE // len(distinct)))
        resamples -= count
        drawn = [[_counts(index, rng, len(distinct)) for index in classes] for _ in range(count)]
        yield Resamples(distinct, *np.swapaxes(drawn, 0, 1))


def _counts(places: np.ndarray, rng: np.random.Generator, length: int) -> np.ndarray:
    return np.bincount(places[rng.integers(0, len(places), len(places))], minlength=length)
