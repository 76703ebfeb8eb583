import numpy as np
import pytest
from matplotlib.colors import to_hex
from people import person
from rendered import rendered

from aiface.analysis.person import GALLERY
from aiface.analysis.result import Analysis
from aiface.analysis.verdict import Verdict
from aiface.drawing import HEX
from aiface.labels import Answer
from aiface.models.calibration import Calibration
from aiface.reports import figures

CALIBRATION = Calibration(1.0, {"0.05": 0.7, "0.01": 0.8, "0.001": 0.9}, 0.3, 1.0)
VERDICTS = [Verdict(Answer.AI, 0.9)] * 2


def clip(*looks, verdict=Answer.REAL):
    people, verdicts = [person(number) for number in looks], [Verdict(verdict, 0.2)] * len(looks)
    return Analysis("clip.mp4", True, people, verdicts, seconds=max(looks, default=0))


@pytest.mark.parametrize(
    ("figure", "visible"),
    [
        pytest.param(lambda: figures.timeline(clip(20, 3), CALIBRATION), True, id="timeline"),
        pytest.param(lambda: figures.timeline(clip(*range(1, 60)), CALIBRATION), True, id="timeline of many"),
        pytest.param(lambda: figures.timeline(clip(), CALIBRATION), True, id="timeline of nobody"),
        pytest.param(
            lambda: figures.gallery([person(9), person(2)], [Verdict(Answer.AI, 0.9)] * 2), True, id="gallery"
        ),
        pytest.param(lambda: figures.gallery([], []), False, id="gallery of nobody"),
    ],
)
def test_figures_render(figure, visible):
    assert rendered(figure()) == visible


def test_timeline_names_people_as_the_report_does():
    (axes,) = figures.timeline(clip(20, 3, verdict=Answer.AI), CALIBRATION).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["person 1: AI 0.20", "person 2: AI 0.20"]
    np.testing.assert_allclose(axes.lines[1].get_xydata(), [(0, 0.1), (0.2, 0.11), (0.4, 0.12)])


def test_a_timeline_shades_what_looks_generated():
    analysis = clip(10, 3)
    analysis.verdicts[1] = Verdict(Answer.AI, 0.9, ai_spans=((0.1, 0.2), (0.3, 0.4)))
    (axes,) = figures.timeline(analysis, CALIBRATION).axes
    _, *spans = axes.patches
    assert [(span.get_x(), span.get_x() + span.get_width()) for span in spans] == [
        pytest.approx((0.1, 0.2)), pytest.approx((0.3, 0.4)),
    ]  # fmt: skip
    assert {to_hex(span.get_facecolor()) for span in spans} == {to_hex(axes.lines[1].get_color())}


def test_a_timeline_of_many_names_twelve():
    analysis = clip(*range(1, 31))
    analysis.verdicts[0] = Verdict(Answer.AI, 0.95)  # seen once, and yet what matters most
    (axes,) = figures.timeline(analysis, CALIBRATION).axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["person 1: AI 0.95"] + [f"person {number}: real 0.20" for number in range(20, 31)]
    assert len(axes.lines) == 30


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.images and axes.get_title()]


def test_gallery_is_a_row_a_person():
    figure = figures.gallery(
        [person(2 * GALLERY, 50), person(3, 200)], [Verdict(Answer.AI, 0.9), Verdict(Answer.REAL, 0.1)]
    )
    assert len(figure.axes) == 2 * GALLERY
    assert titles(figure)[:2] == ["1: 0.0 s, 0.10", "1: 0.2 s, 0.11"]
    assert titles(figure)[GALLERY:] == ["2: 0.0 s, 0.10", "2: 0.2 s, 0.11", "2: 0.4 s, 0.12"]
    second = figure.axes[GALLERY]
    assert second.images[0].get_array().max() == 200
    assert second.title.get_color() == HEX[Answer.REAL]


def test_gallery_of_an_image_stands_side_by_side():
    figure = figures.gallery([person(1)] * 10, [Verdict(Answer.INCONCLUSIVE, 0.5)] * 10)
    assert titles(figure) == [f"{number}: 0.10" for number in range(1, 11)]
    assert len(figure.axes) == 16


def test_gallery_of_many_shows_twelve_of_whom_crops_were_kept():
    people = [person(looks) for looks in range(2, 32)]
    people[-1].drop_crops()
    verdicts = [Verdict(Answer.REAL, 0.1)] * 29 + [Verdict(Answer.AI, 0.9)]
    shown = {int(title.split(":")[0]) for title in titles(figures.gallery(people, verdicts))}
    assert shown == set(range(18, 30))
