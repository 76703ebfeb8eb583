"""Likelihood ratios: right where they can be known, never beyond what the sources support, honest on what they cost."""

import numpy as np
import pytest

from aiface.evaluation.likelihood import cllr, fit_ratios
from aiface.labels import AI, REAL
from aiface.models.calibration import Calibration

SOURCES = 40  # of each class


def faces(seed=0, each=25, apart=2.0, sources=SOURCES):
    """Scores of two normal distributions `apart`, `each` faces of each source, labels and sources."""
    rng = np.random.default_rng(seed)
    n = sources * each
    scores = np.r_[rng.normal(-apart / 2, 1, n), rng.normal(apart / 2, 1, n)]
    labels = np.repeat((REAL, AI), n)
    names = np.char.add(np.repeat(("r", "a"), n), np.tile(np.repeat(np.arange(sources), each), 2).astype(str))
    return 1 / (1 + np.exp(-scores)), labels, names


def read(ratios, scores):
    told = Calibration(1.0, {"0.01": 0.9}, 0.1, 0.2, ratios)
    return np.array([np.log10(told.likelihood(score).ratio) for score in scores])


def test_ratios_are_those_of_the_densities():
    """Of two normal distributions, `apart` times the logit, in nats."""
    ratios = fit_ratios(*faces())
    at = np.array([-0.75, 0.0, 0.75])
    np.testing.assert_allclose(read(ratios, 1 / (1 + np.exp(-at))), 2 * at / np.log(10), atol=0.15)


def test_ratios_ascend_and_lie_within_their_bounds():
    ratios = np.array(fit_ratios(*faces()))
    assert ratios[0, 0] == 0
    assert (np.diff(ratios[:, :2], axis=0) >= 0).all()
    assert (ratios[:, 2] <= ratios[:, 1] + 1e-9).all()
    assert (ratios[:, 1] <= ratios[:, 3] + 1e-9).all()


@pytest.mark.parametrize("sources", [5, 20])
def test_no_ratio_exceeds_what_the_sources_support(sources):
    """However far apart the classes are: five sources can't tell a ratio of a thousand."""
    found = np.array(fit_ratios(*faces(apart=20.0, sources=sources)))[:, 1]
    np.testing.assert_allclose(found[[0, -1]], [-np.log10(sources), np.log10(sources)], atol=1e-3)


def test_a_source_weighs_the_same_whatever_its_size():
    scores, labels, names = faces(each=10)
    twice = np.where(names == "r0", 5, 1)
    more = [np.repeat(column, twice) for column in (scores, labels, names)]
    np.testing.assert_allclose(fit_ratios(*more), fit_ratios(scores, labels, names), atol=2e-3)


def test_the_same_seed_gives_the_same_bounds():
    assert fit_ratios(*faces(), seed=3) == fit_ratios(*faces(), seed=3)


@pytest.mark.parametrize(
    ("ratios", "cost"),
    [((0, 0, 0, 0), 1.0), ((-9, -9, 9, 9), 0.0), ((9, 9, -9, -9), 9 * np.log2(10)), ((-1, -1, 1, 1), np.log2(1.1))],
    ids=["says nothing", "an oracle", "misleads", "ten times either way"],
)
def test_cllr(ratios, cost):
    assert cllr(np.array(ratios), np.array((REAL, REAL, AI, AI))) == pytest.approx(cost, abs=1e-6)
