"""The answers: one order of suspicion, one rule from score to answer."""

import ast
import json

import numpy as np
import pytest

from aiface.labels import AI, REAL, Answer, right_answers
from aiface.paths import ROOT

SOURCES = sorted([*ROOT.glob("aiface/**/*.py"), *ROOT.glob("benchmarks/**/*.py")])
THRESHOLDS = {"ai_from", "real_below", "unstable_above"}


def test_answers_are_the_words_of_json():
    assert json.dumps([*Answer]) == '["real", "inconclusive", "ai"]'


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((Answer.REAL, Answer.INCONCLUSIVE), Answer.INCONCLUSIVE),
        ((Answer.AI, Answer.INCONCLUSIVE), Answer.AI),
        ((Answer.REAL, Answer.AI), Answer.AI),
        ((Answer.REAL,), Answer.REAL),
    ],
)
def test_the_most_suspicious(answers, expected):
    assert max(answers, key=Answer.suspicion) is expected
    assert max(answers[::-1], key=Answer.suspicion) is expected


@pytest.mark.parametrize("shape", [(0,), (4,), (2, 2)])
def test_right_answers(shape):
    labels = np.array([REAL, AI, AI, REAL])[: np.prod(shape)].reshape(shape)
    expected = [(Answer.REAL, Answer.AI)[label] for label in labels.ravel()]
    assert right_answers(labels).shape == shape
    assert right_answers(labels).ravel().tolist() == expected


def comparisons(tree):
    """The names of thresholds that a source compares something with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            names = {getattr(part, "attr", getattr(part, "id", None)) for part in ast.walk(node)}
            yield from names & THRESHOLDS


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_rule_from_score_to_answer_is_written_once(path):
    """Only a calibration compares with its thresholds; all else asks it."""
    found = set(comparisons(ast.parse(path.read_text(encoding="utf-8"))))
    assert found == (THRESHOLDS if path.name == "calibration.py" else set())
