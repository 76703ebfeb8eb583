"""From logits to probabilities that mean what they say, and to thresholds with stated error rates."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from aiface.errors import DataError
from aiface.labels import AI, REAL, Answer, right_answers
from aiface.models.views import spread

FALSE_POSITIVE_RATES = (0.05, 0.01, 0.001)
AI_RATE = 0.01  # the verdict "ai" is given at this false-positive rate
MISS_RATE = 0.10  # the verdict "real" is given below the score that at most this share of any set's AI faces is under
CONFIDENCE = 0.95  # that these rates hold for faces like the validation faces, not for those alone
RESAMPLES = 1000  # of the sources that faces come from
STABLE_RATE = 0.95  # of the validation faces that are decided rightly, this share passes for stable
_ANSWERS = np.array(list(Answer), object)


# In NumPy: `scipy.special` has both, but takes a quarter of a second to import
def expit(logits: np.ndarray | float) -> np.ndarray:
    """The logistic function, float64 of any shape: 1 / (1 + exp(-x)), written such that nothing overflows.

    >>> expit(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return 0.5 + 0.5 * np.tanh(0.5 * np.asarray(logits, np.float64))


def logit(probabilities: np.ndarray | float) -> np.ndarray:
    """Its inverse, float64, of probabilities above 0 and below 1.

    >>> float(logit(0.5))
    0.0
    """
    return np.log(probabilities) - np.log1p(-np.asarray(probabilities, np.float64))


class Likelihood(NamedTuple):
    """How many times likelier a score is if AI made the face than if not, and between what it lies with 95 %."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """How to read a detector's logits.

    temperature: divides the logits (Guo et al. 2017, "On Calibration of Modern Neural Networks").
    thresholds: P(AI) at and above which at most that share of real faces lies, by false-positive rate.
    real_below: P(AI) below which a face is called real; from there to the AI threshold it is inconclusive. The hardest
    set's: over all together, face swaps that are missed would hide behind generated portraits that are easy.
    unstable_above: difference in P(AI) between a face and its views (`aiface.models.views`) above which it is
    inconclusive, whatever its score.
    ratios: steps of the likelihood ratio, measured on sources that were left out of training
    (`aiface.evaluation.likelihood`): P(AI) from which each holds, ascending from 0, then log10 of the ratio and of its
    bounds. None: the detector tells no ratio.
    stills: `thresholds`, `real_below` and `ratios` of pictures, where they have their own (`of`): the figures above are
    then those of clips, in which faces are harder to tell.
    """

    temperature: float
    thresholds: Mapping[str, float]
    real_below: float
    unstable_above: float
    ratios: Sequence[Sequence[float]] = ()
    stills: Mapping | None = None

    def __post_init__(self) -> None:
        if not (0 < self.temperature < np.inf and 0 <= self.real_below <= self.ai_from):
            raise ValueError(f"expected a positive temperature and 0 <= real_below <= the AI threshold, found {self}")
        if not 0 <= self.unstable_above <= 1:
            raise ValueError(f"expected 0 <= unstable_above <= 1, found {self}")
        object.__setattr__(self, "ratios", tuple(tuple(step) for step in self.ratios))  # as JSON has it: lists
        starts = [float(start) for start, _, _, _ in self.ratios]
        self.of(moving=False)  # raises for what can't be
        if starts and (starts[0] != 0 or starts != sorted(starts)):
            raise ValueError(f"expected ratios whose scores ascend from 0, found {starts}")

    def of(self, moving: bool) -> "Calibration":
        """The calibration of clips, or of pictures."""
        return self if moving or self.stills is None else replace(self, **self.stills, stills=None)

    @property
    def ai_from(self) -> float:
        """P(AI) from which a face is called AI-generated."""
        return self.thresholds[str(AI_RATE)]

    def probability(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated P(AI), float32, of logits of any shape."""
        return _probability(logits, self.temperature)

    def stable(self, spreads: np.ndarray | float) -> np.ndarray:
        """Whether scores with these spreads (`aiface.models.views`), of any shape, can be relied on."""
        return np.asarray(spreads) <= self.unstable_above

    def answers(self, scores: np.ndarray, spreads: np.ndarray | None = None) -> np.ndarray:
        """The `Answer` that each score P(AI) stands for, an object array of their shape. No other place decides this.

        spreads: of the scores' shape, where they were measured: what is not `stable` is inconclusive.

        >>> Calibration(1.0, {"0.01": 0.8}, 0.3, 0.2).answers(np.array([0.1, 0.3, 0.8])).tolist()
        [<Answer.REAL: 'real'>, <Answer.INCONCLUSIVE: 'inconclusive'>, <Answer.AI: 'ai'>]
        """
        scores = np.asarray(scores)
        lean = (scores >= self.ai_from).astype(np.int8) - (scores < self.real_below)  # of no number: neither
        return _ANSWERS[1 + (lean if spreads is None else lean * self.stable(spreads))]

    def answer(self, score: float, spread: float | None = None) -> Answer:
        """The same of one score."""
        return self.answers(np.array([score]), None if spread is None else np.array([spread]))[0]

    def likelihood(self, score: float) -> Likelihood | None:
        """What a score P(AI) is worth as evidence; None if that was not measured.

        >>> Calibration(1.0, {"0.01": 0.8}, 0.3, 0.2, [(0.0, -1, -2, 0), (0.5, 1, 0, 2)]).likelihood(0.7)
        Likelihood(ratio=10.0, low=1.0, high=100.0)
        """
        if not self.ratios:
            return None
        step = self.ratios[bisect_right(self.ratios, score, key=lambda step: step[0]) - 1]
        return Likelihood(*(float(10.0**power) for power in step[1:]))


def _probability(logits: np.ndarray, temperature: float) -> np.ndarray:
    return expit(np.asarray(logits, np.float64) / temperature).astype(np.float32)


def fit(
    logits: np.ndarray, labels: np.ndarray, view_logits: np.ndarray, groups: np.ndarray | None = None
) -> Calibration:
    """Calibrate on validation logits `(n,)` with labels `(n,)` of REAL and AI.

    logits, view_logits: of the same faces, as `aiface.models.views.measured` gives them. groups: which set each belongs
    to, `(n,)`, as `aiface.data.groups.groups` has it; None: all to one.
    Raises `DataError` if a class is missing, or if a logit is not finite, as after a training that diverged.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if set(labels.tolist()) != {REAL, AI}:
        raise DataError(f"expected validation faces of both classes, found labels {sorted(set(labels.tolist()))}")
    if others := np.sum(~np.isfinite(logits)) + np.sum(~np.isfinite(view_logits)):
        raise DataError(f"expected finite logits, found {others} others; train with a lower rate")
    temperature = fit_temperature(logits, labels)
    scores = _probability(logits, temperature)
    thresholds = {str(rate): threshold_at(scores[labels == REAL], rate) for rate in FALSE_POSITIVE_RATES}
    ai_from = thresholds[str(AI_RATE)]
    of_ai = labels == AI
    real_below = min(real_until(scores[of_ai], None if groups is None else np.asarray(groups)[of_ai]), ai_from)
    fitted = Calibration(temperature, thresholds, real_below, unstable_above=1.0)
    right = fitted.answers(scores) == right_answers(labels)
    spreads = spread(scores, _probability(view_logits, temperature))[right]
    return replace(fitted, unstable_above=stable_until(spreads))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the log loss, each class weighing the same."""
    from scipy.optimize import minimize_scalar  # here, as `binom`: a second to import, which judging doesn't need

    signs = np.where(labels == AI, 1.0, -1.0)
    weights = np.where(labels == AI, 0.5 / np.mean(labels == AI), 0.5 / np.mean(labels == REAL))

    def loss(log_temperature: float) -> float:
        return float(np.mean(weights * np.logaddexp(0, -signs * logits / np.exp(log_temperature))))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 5), method="bounded").x))


def stable_until(spreads: np.ndarray) -> float:
    """The lowest of the spreads `(n,)` above which at most a share 1 - STABLE_RATE of them lies; 1 if there are none.

    >>> stable_until(np.array([0.0] * 18 + [0.25, 0.5]))
    0.25
    """
    return float(np.quantile(spreads, STABLE_RATE, method="inverted_cdf")) if len(spreads) else 1.0


def real_until(ai_scores: np.ndarray, groups: np.ndarray | None = None) -> float:
    """The highest score below which at most MISS_RATE of AI faces lie, with 95 % confidence: of all, and in each group.

    A group with so few AI faces that even none below would prove nothing (under 29) counts among all alone.

    >>> scores, groups = np.array([0.25] * 4 + [0.75] * 236), np.array(["swaps"] * 40 + ["portraits"] * 200)
    >>> real_until(scores), real_until(scores, groups)
    (0.75, 0.25)
    """
    ai_scores = np.asarray(ai_scores, np.float32)
    parts = [] if groups is None else [ai_scores[groups == name] for name in np.unique(groups)]
    enough = [part for part in parts if (1 - MISS_RATE) ** len(part) <= 1 - CONFIDENCE]
    return min(float(np.sort(part)[allowed_errors(len(part), MISS_RATE)]) for part in (ai_scores, *enough))


def missed_until(ai_scores: np.ndarray, source: np.ndarray) -> float:
    """As `real_until`, but with 95 % confidence for faces of other generators: from RESAMPLES of the sources.

    ai_scores: `(n,)`. source: the generator of each, `(n,)`.
    """
    rng = np.random.default_rng(0)
    parts = [ai_scores[source == name] for name in np.unique(source)]
    drawn = rng.integers(len(parts), size=(RESAMPLES, len(parts)))
    limits = [np.quantile(np.concatenate([parts[at] for at in row]), MISS_RATE, method="inverted_cdf") for row in drawn]
    return float(np.quantile(limits, 1 - CONFIDENCE, method="inverted_cdf"))


def threshold_at(real_scores: np.ndarray, rate: float) -> float:
    """The lowest score above which at most a share `rate` of real faces lies, with 95 % confidence.

    So few faces give a careful threshold. It is the next float32, as scores are: a float64 step would be lost when a
    score is rounded.

    >>> threshold_at(np.array([0.1, 0.2, 0.3, 0.4]), 0.25) > 0.4
    True
    """
    descending = np.sort(np.asarray(real_scores, np.float32))[::-1]
    return float(np.nextafter(descending[allowed_errors(len(descending), rate)], np.float32(2)))


def tolerance(values: np.ndarray, rate: float) -> float:
    """The bound above which at most a share `rate` of a normal population lies, with 95 % confidence, from a sample.

    A one-sided tolerance bound, by the noncentral t distribution (Hahn and Meeker 1991, "Statistical Intervals"), where
    values `(n,)` are too few to count those beyond, as by `threshold_at`.
    """
    from scipy.stats import nct, norm

    root = np.sqrt(len(values))
    factor = nct.ppf(CONFIDENCE, len(values) - 1, norm.isf(rate) * root) / root
    return float(np.mean(values) + factor * np.std(values, ddof=1))


def allowed_errors(n: int, rate: float) -> int:
    """How many of n faces may be judged wrongly for the true rate to be below `rate` with 95 % confidence.

    Clopper and Pearson 1934: the most that would be seen in at most one of twenty samples if the true rate were `rate`.
    Where even none would be too many, as of few faces, it is 0 and the confidence is less.

    >>> allowed_errors(591, 0.01), allowed_errors(100, 0.01)
    (1, 0)
    """
    from scipy.stats import binom

    return max(0, int(binom.ppf(1 - CONFIDENCE, n, rate)) - 1)
