import numpy as np
import pytest
from rendered import rendered

from aiface.drawing import CLASS_COLOURS
from aiface.training.figures import history, samples

CROPS = np.random.default_rng(0).integers(0, 255, (9, 32, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    "figure",
    [
        pytest.param(lambda: samples(CROPS, [0, 1] * 4 + [1], ["wild"] * 9), id="samples"),
        pytest.param(lambda: history([{"epoch": i, "loss": 1, "auc": 1} for i in (0, 1)]), id="history"),
        pytest.param(lambda: history([{"epoch": 0, "loss": 0.7, "auc": 0.5, "auc/x": 0.6}]), id="one epoch"),
    ],
)
def test_figures_render(figure):
    assert rendered(figure())


def test_samples_carry_class_and_source():
    figure = samples(CROPS[:2], [0, 1], ["photos", "gan"])
    titles = [(axes.get_title(), axes.title.get_color()) for axes in figure.axes if axes.images]
    assert titles == [("real: photos", CLASS_COLOURS[0]), ("ai: gan", CLASS_COLOURS[1])]


def test_history():
    rows = [{"epoch": i, "loss": 1.0 - i / 10, "auc": 0.8, "auc/wild": 0.7} for i in range(4)]
    loss, auc = history(rows).axes
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [(1, 1.0), (2, 0.9), (3, 0.8), (4, 0.7)])
    assert [line.get_label() for line in auc.lines] == ["auc", "wild"]
