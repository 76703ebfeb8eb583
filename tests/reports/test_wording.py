"""What a score is worth as evidence, in the words of forensic reports."""

import pytest

from aiface.analysis.verdict import Verdict
from aiface.labels import Answer
from aiface.models.calibration import Calibration, Likelihood
from aiface.reports.wording import evidence, sentence, sureness


def verdict(*likelihood):
    told = Likelihood(*likelihood) if likelihood else None
    return Verdict(
        Answer.INCONCLUSIVE, 0.5, faces=1, reasons=("the score lies between the thresholds",), likelihood=told
    )


@pytest.mark.parametrize(
    ("likelihood", "words"),
    [
        ((5.0, 2.0, 12.0), "5 times likelier of an AI face than of a real one (2 to 12): weak support"),
        ((0.25, 0.1, 0.5), "4 times likelier of a real face than of an AI one (2 to 10): weak support"),
        ((1.9, 0.7, 4.0), "about as likely of a real face as of an AI one: no support either way"),
        ((0.6, 0.4, 1.1), "about as likely of a real face as of an AI one: no support either way"),
        ((10.0, 5.0, 20.0), "10 times likelier of an AI face than of a real one (5 to 20): moderate support"),
        (
            (1 / 300, 1 / 500, 0.01),
            "300 times likelier of a real face than of an AI one (100 to 500): moderately strong support",
        ),
        ((2e6, 1e6, 3e6), "extremely strong support"),
        ((), ""),
    ],
)
def test_evidence(likelihood, words):
    assert words in evidence(verdict(*likelihood))


def test_evidence_stands_beside_the_answer():
    words = evidence(verdict(5.0, 2.0, 12.0))
    calibration = Calibration(1.0, {"0.01": 0.9}, 0.1, 0.2)
    assert sentence(verdict(5.0, 2.0, 12.0)).endswith(words)
    assert words in sureness(verdict(5.0, 2.0, 12.0), calibration)
    assert "evidence" not in sureness(verdict(), calibration)
