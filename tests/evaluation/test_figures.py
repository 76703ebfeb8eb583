import numpy as np
from rendered import rendered

from aiface.evaluation.figures import performance
from aiface.models.calibration import Calibration

CALIBRATION = Calibration(1.0, {"0.05": 0.7, "0.01": 0.8, "0.001": 0.9}, 0.3, 1.0)
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 300)
SCORES = np.clip(RNG.normal(0.3 + 0.4 * LABELS, 0.2), 0, 1).astype(np.float32)


def test_performance_renders():
    assert rendered(performance(SCORES, LABELS, CALIBRATION))


def test_performance_counts_and_names():
    roc, matrix, histogram = performance(SCORES, LABELS, CALIBRATION).axes
    called = SCORES >= 0.8
    counts = {(row, column): np.sum((row == LABELS) & (called == column)) for row in (0, 1) for column in (0, 1)}
    shown = {(text.get_position()[1], text.get_position()[0]): int(text.get_text()) for text in matrix.texts}
    assert shown == counts
    assert [label.get_text() for label in matrix.get_yticklabels()] == ["real", "ai"]
    assert roc.get_title().startswith("ROC, AUC 0.9")
    tallest = [max(bars, key=lambda bar: bar.get_height()).get_x() for bars in histogram.containers]
    assert tallest[0] < 0.4 < 0.6 < tallest[1]  # AI lies to the right
