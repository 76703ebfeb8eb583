import base64
import io

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from aiface.analysis.look import Look
from aiface.analysis.person import GALLERY, Person
from aiface.analysis.result import Analysis
from aiface.analysis.verdict import Verdict
from aiface.drawing import CLASS_COLOURS, HEX, data_url, png
from aiface.labels import Answer
from aiface.models.calibration import Calibration
from aiface.reports import figures as plots

CALIBRATION = Calibration(1.0, {"0.05": 0.7, "0.01": 0.8, "0.001": 0.9}, 0.3, 1.0)
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 300)
SCORES = np.clip(RNG.normal(0.3 + 0.4 * LABELS, 0.2), 0, 1).astype(np.float32)
CROPS = RNG.integers(0, 255, (9, 32, 32, 3)).astype(np.uint8)


def person(looks, tone=128):
    found = Person(0)
    for index in range(looks):
        crop = np.full((8, 8, 3), tone, np.uint8)
        found.see(Look(index / 5, (0, 0, 9, 9), 0.1 + 0.01 * index, 200, 9, crop=crop))
    return found


def clip(*looks, verdict=Answer.REAL):
    people, verdicts = [person(number) for number in looks], [Verdict(verdict, 0.2)] * len(looks)
    return Analysis("clip.mp4", True, people, verdicts, seconds=max(looks, default=0))


@pytest.mark.parametrize(
    ("figure", "visible"),
    [
        pytest.param(lambda: plots.grid(CROPS, [""] * 9, 4), True, id="grid"),
        pytest.param(lambda: plots.grid([], []), False, id="empty grid"),
        pytest.param(lambda: plots.samples(CROPS, [0, 1] * 4 + [1], ["wild"] * 9), True, id="samples"),
        pytest.param(lambda: plots.history([{"epoch": i, "loss": 1, "auc": 1} for i in (0, 1)]), True, id="history"),
        pytest.param(
            lambda: plots.history([{"epoch": 0, "loss": 0.7, "auc": 0.5, "auc/x": 0.6}]), True, id="one epoch"
        ),
        pytest.param(lambda: plots.performance(SCORES, LABELS, CALIBRATION), True, id="performance"),
        pytest.param(lambda: plots.timeline(clip(20, 3), CALIBRATION), True, id="timeline"),
        pytest.param(lambda: plots.timeline(clip(*range(1, 60)), CALIBRATION), True, id="timeline of many"),
        pytest.param(lambda: plots.timeline(clip(), CALIBRATION), True, id="timeline of nobody"),
        pytest.param(lambda: plots.gallery([person(9), person(2)], [Verdict(Answer.AI, 0.9)] * 2), True, id="gallery"),
        pytest.param(lambda: plots.gallery([], []), False, id="gallery of nobody"),
    ],
)
def test_figures_render(figure, visible):
    """Warnings are errors: among them that a layout did not fit."""
    image = np.asarray(Image.open(io.BytesIO(png(figure()))).convert("L"))
    assert min(image.shape) > 100
    assert (image.min() < 255) == visible


@pytest.mark.parametrize("columns", [1, 3, 4, 20])
def test_grid_shows_every_picture(columns):
    figure = plots.grid(CROPS, [f"number {i}" for i in range(9)], columns, ["red"] * 9)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == [f"number {i}" for i in range(9)]
    for axes, crop in zip(shown, CROPS, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), crop)
        assert axes.title.get_color() == "red"
    assert not any(axes.axison for axes in figure.axes)


def test_samples_carry_class_and_source():
    figure = plots.samples(CROPS[:2], [0, 1], ["photos", "gan"])
    titles = [(axes.get_title(), axes.title.get_color()) for axes in figure.axes if axes.images]
    assert titles == [("real: photos", CLASS_COLOURS[0]), ("ai: gan", CLASS_COLOURS[1])]


def test_history():
    rows = [{"epoch": i, "loss": 1.0 - i / 10, "auc": 0.8, "auc/wild": 0.7} for i in range(4)]
    loss, auc = plots.history(rows).axes
    np.testing.assert_allclose(loss.lines[0].get_xydata(), [(1, 1.0), (2, 0.9), (3, 0.8), (4, 0.7)])
    assert [line.get_label() for line in auc.lines] == ["auc", "wild"]


def test_performance_counts_and_names():
    roc, matrix, histogram = plots.performance(SCORES, LABELS, CALIBRATION).axes
    called = SCORES >= 0.8
    counts = {(row, column): np.sum((row == LABELS) & (called == column)) for row in (0, 1) for column in (0, 1)}
    shown = {(text.get_position()[1], text.get_position()[0]): int(text.get_text()) for text in matrix.texts}
    assert shown == counts
    assert [label.get_text() for label in matrix.get_yticklabels()] == ["real", "ai"]
    assert roc.get_title().startswith("ROC, AUC 0.9")
    tallest = [max(bars, key=lambda bar: bar.get_height()).get_x() for bars in histogram.containers]
    assert tallest[0] < 0.4 < 0.6 < tallest[1]  # AI lies to the right


def test_timeline_names_people_as_the_report_does():
    (axes,) = plots.timeline(clip(20, 3, verdict=Answer.AI), CALIBRATION).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["person 1: AI 0.20", "person 2: AI 0.20"]
    np.testing.assert_allclose(axes.lines[1].get_xydata(), [(0, 0.1), (0.2, 0.11), (0.4, 0.12)])


def test_a_timeline_shades_what_looks_generated():
    analysis = clip(10, 3)
    analysis.verdicts[1] = Verdict(Answer.AI, 0.9, ai_spans=((0.1, 0.2), (0.3, 0.4)))
    (axes,) = plots.timeline(analysis, CALIBRATION).axes
    _, *spans = axes.patches
    assert [(span.get_x(), span.get_x() + span.get_width()) for span in spans] == [
        pytest.approx((0.1, 0.2)), pytest.approx((0.3, 0.4)),
    ]  # fmt: skip
    assert {to_hex(span.get_facecolor()) for span in spans} == {to_hex(axes.lines[1].get_color())}


def test_a_timeline_of_many_names_twelve():
    analysis = clip(*range(1, 31))
    analysis.verdicts[0] = Verdict(Answer.AI, 0.95)  # seen once, and yet what matters most
    (axes,) = plots.timeline(analysis, CALIBRATION).axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["person 1: AI 0.95"] + [f"person {number}: real 0.20" for number in range(20, 31)]
    assert len(axes.lines) == 30


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.images and axes.get_title()]


def test_gallery_is_a_row_a_person():
    figure = plots.gallery(
        [person(2 * GALLERY, 50), person(3, 200)], [Verdict(Answer.AI, 0.9), Verdict(Answer.REAL, 0.1)]
    )
    assert len(figure.axes) == 2 * GALLERY
    assert titles(figure)[:2] == ["1: 0.0 s, 0.10", "1: 0.2 s, 0.11"]
    assert titles(figure)[GALLERY:] == ["2: 0.0 s, 0.10", "2: 0.2 s, 0.11", "2: 0.4 s, 0.12"]
    second = figure.axes[GALLERY]
    assert second.images[0].get_array().max() == 200
    assert second.title.get_color() == HEX[Answer.REAL]


def test_gallery_of_an_image_stands_side_by_side():
    figure = plots.gallery([person(1)] * 10, [Verdict(Answer.INCONCLUSIVE, 0.5)] * 10)
    assert titles(figure) == [f"{number}: 0.10" for number in range(1, 11)]
    assert len(figure.axes) == 16


def test_gallery_of_many_shows_twelve_of_whom_crops_were_kept():
    people = [person(looks) for looks in range(2, 32)]
    people[-1].drop_crops()
    verdicts = [Verdict(Answer.REAL, 0.1)] * 29 + [Verdict(Answer.AI, 0.9)]
    shown = {int(title.split(":")[0]) for title in titles(plots.gallery(people, verdicts))}
    assert shown == set(range(18, 30))


def test_data_url():
    url = data_url(plots.grid(CROPS[:1], [""]))
    kind, content = url.split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content).startswith(b"\x89PNG")
