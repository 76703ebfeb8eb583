"""From logits to probabilities that mean what they say, and to thresholds with stated error rates."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from aiface.errors import DataError
from aiface.labels import AI, REAL

FALSE_POSITIVE_RATES = (0.05, 0.01, 0.001)
AI_RATE = 0.01  # the verdict "ai" is given at this false-positive rate
MISS_RATE = 0.10  # the verdict "real" is given below the score that this share of AI faces stays under


@dataclass(frozen=True)
class Calibration:
    """How to read a detector's logits.

    temperature: divides the logits (Guo et al. 2017, "On Calibration of Modern Neural Networks").
    thresholds: P(AI) at and above which that share of real validation faces lies, by false-positive rate.
    real_below: P(AI) below which a face is called real; from there to the AI threshold it is inconclusive.
    """

    temperature: float
    thresholds: Mapping[str, float]
    real_below: float

    def __post_init__(self) -> None:
        if not (0 < self.temperature < np.inf and 0 <= self.real_below <= self.ai_from):
            raise ValueError(f"expected a positive temperature and 0 <= real_below <= the AI threshold, found {self}")

    @property
    def ai_from(self) -> float:
        """P(AI) from which a face is called AI-generated."""
        return self.thresholds[str(AI_RATE)]

    def probability(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated P(AI), float32, of logits of any shape."""
        return _probability(logits, self.temperature)


def _probability(logits: np.ndarray, temperature: float) -> np.ndarray:
    return expit(np.asarray(logits, np.float64) / temperature).astype(np.float32)


def fit(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Calibrate on validation logits `(n,)` with labels `(n,)` of REAL and AI.

    Raises `DataError` if a class is missing, or if a logit is not finite, as after a training that diverged.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if set(labels.tolist()) != {REAL, AI}:
        raise DataError(f"expected validation faces of both classes, found labels {sorted(set(labels.tolist()))}")
    if not np.isfinite(logits).all():
        raise DataError(f"expected finite logits, found {np.sum(~np.isfinite(logits))} others; train with a lower rate")
    temperature = fit_temperature(logits, labels)
    scores = _probability(logits, temperature)
    thresholds = {str(rate): threshold_at(scores[labels == REAL], rate) for rate in FALSE_POSITIVE_RATES}
    missed = float(np.quantile(scores[labels == AI], MISS_RATE, method="lower"))
    return Calibration(temperature, thresholds, min(missed, thresholds[str(AI_RATE)]))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the log loss, each class weighing the same."""
    signs = np.where(labels == AI, 1.0, -1.0)
    weights = np.where(labels == AI, 0.5 / np.mean(labels == AI), 0.5 / np.mean(labels == REAL))

    def loss(log_temperature: float) -> float:
        return float(np.mean(weights * np.logaddexp(0, -signs * logits / np.exp(log_temperature))))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 5), method="bounded").x))


def threshold_at(real_scores: np.ndarray, rate: float) -> float:
    """The lowest score above which at most a share `rate` of real faces lies.

    Of n faces at most floor(rate * n) may lie at or above it, so few faces give a careful threshold. It is the next
    float32, as scores are: a float64 step would be lost when a score is rounded.

    >>> threshold_at(np.array([0.1, 0.2, 0.3, 0.4]), 0.25) > 0.3
    True
    """
    descending = np.sort(np.float32(real_scores))[::-1]
    allowed = int(rate * len(descending))
    return float(np.nextafter(descending[allowed], np.float32(2)))
