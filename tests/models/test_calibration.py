import numpy as np
import pytest
from scipy import special
from scipy.stats import binom, norm

from aiface.errors import DataError
from aiface.labels import AI, REAL, Answer, right_answers
from aiface.models.calibration import (
    FALSE_POSITIVE_RATES,
    MISS_RATE,
    STABLE_RATE,
    Calibration,
    allowed_errors,
    expit,
    fit,
    fit_temperature,
    logit,
    missed_until,
    real_until,
    stable_until,
    threshold_at,
    tolerance,
)

THRESHOLDS = {"0.05": 0.6, "0.01": 0.7, "0.001": 0.8}


def faces(n=4000, temperature=1.0, seed=0):
    """Logits `temperature` times too large, and labels that follow the probabilities before that."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, n)
    labels = np.where(rng.random(n) < expit(logits), AI, REAL)
    return logits * temperature, labels


def fit_still(logits, labels):
    """Calibrated on faces that score the same in every view."""
    return fit(logits, labels, np.stack((logits, logits)))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 20.0])
def test_temperature_is_found_again(temperature):
    assert fit_temperature(*faces(20_000, temperature)) == pytest.approx(temperature, rel=0.07)


def test_temperature_weighs_both_classes_the_same():
    """Nine times as many reals as there were must not change it."""
    logits, labels = faces(20_000, 2.0)
    repeats = np.where(labels == REAL, 9, 1)
    expected = fit_temperature(logits, labels)
    assert fit_temperature(logits.repeat(repeats), labels.repeat(repeats)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("logits", "temperature"),
    [((-1, -1, 1, 1), np.exp(-3)), ((1, 1, -1, -1), np.exp(5))],
    ids=["no error at all", "all wrong"],
)
def test_temperature_stays_within_its_bounds(logits, temperature):
    """Sharper than certain, or flatter than a coin, would say no more; and the scores stay in order."""
    labels = np.array((REAL, REAL, AI, AI))
    calibration = fit_still(np.array(logits), labels)
    assert calibration.temperature == pytest.approx(temperature, rel=0.01)
    scores = calibration.probability(np.array((-1.0, 0.0, 1.0)))
    assert np.all(np.diff(scores) > 0)
    assert np.all((scores > 0) & (scores <= 1))


@pytest.mark.parametrize("n", [3, 40, 200, 3001])
@pytest.mark.parametrize("rounded", [False, True])
def test_thresholds_keep_their_false_positive_rates(n, rounded):
    logits, labels = faces(2 * n, seed=n)
    logits = logits.round(1) if rounded else logits  # ties
    calibration = fit_still(logits, labels)
    reals = calibration.probability(logits[labels == REAL])
    assert set(calibration.thresholds) == {str(rate) for rate in FALSE_POSITIVE_RATES}
    for rate in FALSE_POSITIVE_RATES:
        threshold = calibration.thresholds[str(rate)]
        assert np.mean(reals >= threshold) <= rate
        if not rounded:  # and are no more careful than they need to be: one face more would be too many
            with_it = np.sum(reals >= np.nextafter(np.float32(threshold), np.float32(0)))
            assert with_it == allowed_errors(len(reals), rate) + 1


@pytest.mark.parametrize(
    ("scores", "rate", "below", "above"),
    [
        ((0.1, 0.2, 0.3, 0.4), 0.8, 0.3, 0.4),  # one of four in at most one of twenty samples
        ((0.1, 0.2, 0.3, 0.4), 0.74, 0.4, 0.5),  # too few to allow one
        ((0.1, 0.4, 0.4, 0.4), 0.5, 0.4, 0.5),  # the tied would all lie above
        ((0.7,), 0.001, 0.7, 0.8),
        ((1.0, 0.5), 0.01, 1.0, 1.1),  # no score reaches it: better silent than wrong
    ],
)
def test_threshold_at(scores, rate, below, above):
    threshold = threshold_at(np.array(scores), rate)
    assert np.float32(below) < threshold < above
    assert np.mean(np.float32(scores) >= threshold) <= rate


@pytest.mark.parametrize(
    ("n", "rate", "allowed"), [(591, 0.01, 1), (591, 0.05, 20), (100, 0.01, 0), (299, 0.01, 0), (4, 0.5, 0)]
)
def test_allowed_errors_are_the_most_that_leave_the_rate_likely(n, rate, allowed):
    assert allowed_errors(n, rate) == allowed
    if allowed:
        assert binom.cdf(allowed, n, rate) <= 0.05 < binom.cdf(allowed + 1, n, rate)


def test_stated_rates_hold_for_faces_that_were_not_calibrated_on():
    """In nineteen of twenty calibrations, where a plain quantile would hold in about half of them."""
    kept = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        kept += np.mean(rng.random(20_000) >= threshold_at(rng.random(600), 0.05)) <= 0.052
    assert kept >= 90


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shift", [-3.0, 0.0, 4.0])
def test_the_band_between_real_and_ai(seed, shift):
    """A share of AI faces at most passes for real, and "real" never reaches into "ai", however bad the detector."""
    logits, labels = faces(600, seed=seed)
    calibration = fit_still(logits + shift * (labels == AI), labels)
    assert 0 <= calibration.real_below <= calibration.ai_from == calibration.thresholds["0.01"]
    missed = calibration.probability((logits + shift)[labels == AI]) < calibration.real_below
    assert np.mean(missed) <= MISS_RATE + 1e-9


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ({"swaps": [0.25] * 4 + [0.75] * 36, "portraits": [0.75] * 200}, 0.25),  # few among all, many among swaps
        ({"swaps": [0.25] * 4 + [0.75] * 24, "portraits": [0.75] * 200}, 0.75),  # 28 prove nothing by themselves
        ({"swaps": [0.25] * 1 + [0.75] * 60, "portraits": [0.75] * 200}, 0.75),  # one in 61 is no tenth
        ({"swaps": [0.25] * 9, "portraits": [0.75] * 28}, 0.25),  # all together: none of 37 may lie below
    ],
)  # fmt: skip
def test_real_holds_within_each_set(sets, expected):
    scores, groups = np.concatenate(list(sets.values())), np.repeat(list(sets), list(map(len, sets.values())))
    assert real_until(scores, groups) == expected
    order = np.random.default_rng(0).permutation(len(scores))
    assert real_until(scores[order], groups[order]) == expected


def test_fit_looks_at_the_groups_of_ai_faces():
    logits, labels = faces(4000)
    hard = (np.arange(4000) % 4 == 0) & (labels == AI)
    logits = logits - 3.0 * hard
    groups = np.where(np.arange(4000) % 4 == 0, "hard", "easy")
    pooled = fit_still(logits, labels)
    apart = fit(logits, labels, np.stack((logits, logits)), groups)
    missed = apart.probability(logits[hard]) < apart.real_below
    assert np.mean(apart.probability(logits[hard]) < pooled.real_below) > 0.2 > MISS_RATE >= np.mean(missed) > 0
    assert (apart.thresholds, apart.temperature) == (pooled.thresholds, pooled.temperature)


def test_high_logits_are_ai():
    """The direction of labels: what looks like the faces labelled 1 is called AI."""
    logits, labels = faces(2000)
    calibration = fit_still(3 * logits, labels)
    scores = calibration.probability(np.array([-30.0, 30.0]))
    assert scores[0] < 0.01 < 0.99 < scores[1]
    assert calibration.answers(scores).tolist() == [Answer.REAL, Answer.AI]


@pytest.mark.parametrize("size", [(), (3,), (2, 3)])
def test_probability_of_extreme_logits(size):
    """Warnings are errors here: no overflow."""
    calibration = Calibration(0.05, THRESHOLDS, 0.3, 0.2)
    for extreme, expected in ((-1e30, 0.0), (-1e4, 0.0), (0.0, 0.5), (1e4, 1.0), (3e38, 1.0)):
        scores = calibration.probability(np.full(size, extreme, np.float32))
        assert scores.dtype == np.float32
        assert scores.shape == size
        assert np.all(scores == np.float32(expected))


def test_fit_takes_extreme_logits():
    calibration = fit_still(np.array((-1e4, -1e3, 1e3, 1e4) * 5), np.array((REAL, REAL, AI, AI) * 5))
    assert np.isfinite([calibration.temperature, calibration.real_below, *calibration.thresholds.values()]).all()


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ((1.0, 2.0), (AI, AI), r"both classes, found labels \[1\]"),
        ((1.0, 2.0), (REAL, REAL), r"both classes, found labels \[0\]"),
        ((), (), r"both classes, found labels \[\]"),
        ((1.0, 2.0, 3.0), (REAL, AI, 2), r"found labels \[0, 1, 2\]"),
        ((1.0, np.nan), (REAL, AI), "finite logits, found 1 others"),
        ((-np.inf, np.inf), (REAL, AI), "finite logits, found 2 others"),
    ],
)
def test_fit_refuses(logits, labels, message):
    with pytest.raises(DataError, match=message):
        fit(np.array(logits), np.array(labels), np.zeros((2, len(logits))))


@pytest.mark.parametrize(
    ("temperature", "thresholds", "real_below"),
    [
        (0.0, THRESHOLDS, 0.3),
        (-1.0, THRESHOLDS, 0.3),
        (np.inf, THRESHOLDS, 0.3),
        (np.nan, THRESHOLDS, 0.3),
        (1.0, THRESHOLDS, 0.71),  # the answers "real" and "ai" would overlap
        (1.0, THRESHOLDS, -0.1),
        (1.0, THRESHOLDS, np.nan),
        (1.0, THRESHOLDS | {"0.01": np.nan}, 0.3),
    ],
)
def test_a_calibration_makes_sense_or_is_none(temperature, thresholds, real_below):
    with pytest.raises(ValueError, match="expected a positive temperature and 0 <= real_below"):
        Calibration(temperature, thresholds, real_below, 0.2)


WORDS = {"r": Answer.REAL, "?": Answer.INCONCLUSIVE, "a": Answer.AI}


@pytest.mark.parametrize(
    ("scores", "spreads", "expected"),
    [
        ((), None, ""),
        ((0.0, 0.299, 0.3, 0.5, 0.799, 0.8, 1.0), None, "rr???aa"),  # P(AI): the higher, the more suspicious
        ((0.0, 0.3, 0.8), (0.0, 0.0, 0.0), "r?a"),
        ((0.0, 0.3, 0.8), (0.2, 0.2, 0.2), "r?a"),
        ((0.0, 0.3, 0.8), (0.21, 0.21, 0.21), "???"),
        ((0.0, 0.0, 1.0, 1.0), (0.1, 1.0, 0.1, 1.0), "r?a?"),
        ((np.nan, -np.inf, np.inf), None, "?ra"),  # of no number nothing is said
        ((0.0, 1.0), (np.nan, np.nan), "??"),
    ],
)
@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_answers(scores, spreads, expected, number):
    calibration = Calibration(1.0, {"0.05": 0.7, "0.01": 0.8, "0.001": 0.9}, 0.3, 0.2)
    scores, spreads = np.array(scores, number), None if spreads is None else np.array(spreads, number)
    found = calibration.answers(scores, spreads)
    assert found.dtype == object
    assert [*found] == [WORDS[letter] for letter in expected]
    assert all(type(answer) is Answer for answer in found)


@pytest.mark.parametrize(
    ("score", "spread", "expected"),
    [(0.1, None, Answer.REAL), (0.1, 0.3, Answer.INCONCLUSIVE), (0.5, 0.1, Answer.INCONCLUSIVE), (0.9, 0.2, Answer.AI)],
)
def test_one_answer(score, spread, expected):
    assert Calibration(1.0, {"0.01": 0.8}, 0.3, 0.2).answer(score, spread) is expected


def test_answers_have_the_scores_shape():
    calibration = Calibration(1.0, THRESHOLDS, 0.3, 0.2)
    assert calibration.answers(np.zeros((2, 3))).shape == (2, 3)


@pytest.mark.parametrize("unstable_above", [-0.01, 1.01, np.nan])
def test_a_spread_lies_between_0_and_1(unstable_above):
    with pytest.raises(ValueError, match="expected 0 <= unstable_above <= 1"):
        Calibration(1.0, THRESHOLDS, 0.3, unstable_above)


@pytest.mark.parametrize(
    ("spreads", "expected"),
    [
        ((), 1.0),  # nothing was right: nothing to lose by trusting, nothing to learn either
        ((0.25,), 0.25),
        ((0.5, 0.25), 0.5),
        ((0.0,) * 18 + (0.25, 0.5), 0.25),  # one in twenty may lie above
        ((0.0,) * 17 + (0.25, 0.5), 0.5),  # of nineteen none
        ((0.25,) * 40, 0.25),
    ],
)
def test_stable_until(spreads, expected):
    assert stable_until(np.array(spreads)) == expected


def right(logits, labels, calibration):
    """Which faces are decided as they are labelled."""
    return calibration.answers(calibration.probability(logits)) == right_answers(labels)


def spreads(logits, view_logits, calibration):
    return np.abs(calibration.probability(view_logits) - calibration.probability(logits)).max(axis=0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [200, 1000])
def test_the_stability_check_costs_few_right_answers(n, seed):
    logits, labels = faces(n, 3.0, seed)
    view_logits = logits + np.random.default_rng(seed).normal(0, 2, (2, n))
    calibration = fit(logits, labels, view_logits)
    of_right = spreads(logits, view_logits, calibration)[right(logits, labels, calibration)]
    assert len(of_right) > 10
    assert np.sum(of_right > calibration.unstable_above) == int(np.round((1 - STABLE_RATE) * len(of_right), 6))


def test_faces_that_are_not_decided_rightly_do_not_count():
    logits, labels = faces(1000, 3.0)
    steady = fit_still(logits, labels)
    decided_rightly = right(logits, labels, steady)
    assert 0 < np.sum(~decided_rightly) < 1000
    restless = np.where(decided_rightly, logits, -logits)
    assert fit(logits, labels, restless[None]).unstable_above == steady.unstable_above == 0
    others = np.where(decided_rightly, -logits, logits)
    assert fit(logits, labels, others[None]).unstable_above > 0.5


def test_where_no_face_is_decided_rightly_none_is_unstable():
    assert fit_still(np.array((1.0, 1.0, -1.0, -1.0)), np.array((REAL, REAL, AI, AI))).unstable_above == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_fit_refuses_views_that_diverged(bad):
    logits = np.array((-1.0, 1.0))
    with pytest.raises(DataError, match="finite logits, found 1 others"):
        fit(logits, np.array((REAL, AI)), np.array((logits, (bad, 1.0))))


# Logits, against SciPy's


def test_as_scipy_has_them():
    x = np.concatenate((np.linspace(-30, 30, 1001), (-1e6, -745.0, 745.0, 1e6)))
    np.testing.assert_allclose(expit(x), special.expit(x), rtol=1e-6, atol=1e-15)
    p = special.expit(np.linspace(-15, 15, 1001))
    np.testing.assert_allclose(logit(p), special.logit(p), rtol=1e-9)


def test_they_undo_each_other():
    np.testing.assert_allclose(logit(expit(np.linspace(-15, 15, 101))), np.linspace(-15, 15, 101), atol=1e-8)


@pytest.mark.parametrize(
    "ratios",
    [[(0.1, 0, 0, 0)], [(0.0, 0, 0, 0), (0.6, 1, 1, 1), (0.4, 2, 2, 2)], [(0.0, 0, 0)]],
    ids=["not from 0", "not ascending", "a bound too few"],
)
def test_steps_of_the_likelihood_ratio_start_at_0_and_ascend(ratios):
    with pytest.raises(ValueError, match=r"expected (ratios whose scores ascend from 0, found|4)|not enough values"):
        Calibration(1.0, THRESHOLDS, 0.1, 0.2, ratios)


@pytest.mark.parametrize(("score", "power"), [(0.0, -1), (0.399, -1), (0.4, 0.5), (1.0, 0.5)])
def test_the_likelihood_ratio_is_that_of_the_step_a_score_lies_on(score, power):
    told = Calibration(1.0, THRESHOLDS, 0.1, 0.2, [[0.0, -1, -2, 0], [0.4, 0.5, 0, 1]])
    assert told.likelihood(score).ratio == pytest.approx(10**power)
    assert Calibration(1.0, THRESHOLDS, 0.1, 0.2).likelihood(score) is None


def test_pictures_may_have_thresholds_of_their_own():
    stills = {"thresholds": {"0.01": 0.6}, "real_below": 0.5, "ratios": []}
    both = Calibration(2.0, THRESHOLDS, 0.1, 0.2, stills=stills)
    assert both.of(moving=True) is both
    assert both.of(moving=False) == Calibration(2.0, {"0.01": 0.6}, 0.5, 0.2)
    assert Calibration(2.0, THRESHOLDS, 0.1, 0.2).of(moving=False).real_below == 0.1
    with pytest.raises(ValueError, match="real_below <= the AI threshold"):
        Calibration(2.0, THRESHOLDS, 0.1, 0.2, stills=stills | {"real_below": 0.7})


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_a_tolerance_bound_holds_in_nineteen_of_twenty_samples(rate):
    bounds = [tolerance(np.random.default_rng(seed).normal(size=60), rate) for seed in range(400)]
    beyond = norm.sf(bounds)  # the true share above each
    assert np.mean(beyond <= rate) == pytest.approx(0.95, abs=0.03)
    assert tolerance(5 * np.random.default_rng(0).normal(size=60) + 7, rate) == pytest.approx(5 * bounds[0] + 7)


def test_real_is_said_below_what_other_generators_stay_above():
    """The more generators differ, the lower: that others of the same kind will be found, faces of one can't show."""
    rng = np.random.default_rng(0)
    source = np.repeat(np.arange(30), 20)
    alike = expit(rng.normal(size=600))
    apart = expit(rng.normal(size=600) + np.repeat(2 * rng.normal(size=30), 20))
    assert np.mean(alike < missed_until(alike, source)) == pytest.approx(0.08, abs=0.02)
    assert np.mean(apart < missed_until(apart, source)) < 0.06
    assert missed_until(alike, source) == missed_until(alike[::-1], source[::-1])
