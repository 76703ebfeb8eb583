"""Colours that everybody can read, each written in one place, grids of pictures, figures as bytes, pages."""

import base64
from pathlib import Path

import numpy as np
import pytest
from rendered import rendered

from aiface import drawing
from aiface.apps.web import answer_page
from aiface.drawing import COLOURS, HEX, data_url, grid, html_page
from aiface.labels import Answer
from aiface.reports import index

SOURCES = [path for path in Path(drawing.__file__).parent.iterdir() if path.suffix in (".py", ".js")]
CROPS = np.random.default_rng(0).integers(0, 255, (9, 32, 32, 3)).astype(np.uint8)


def luminance(colour):
    """WCAG 2.2, relative luminance of sRGB."""
    parts = [value / 255 for value in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("answer", Answer)
def test_each_answer_has_a_colour_that_stands_out_from_white(answer):
    assert 1.05 / (luminance(COLOURS[answer]) + 0.05) >= 4.5


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_colours_of_answers_are_written_once(path):
    text = path.read_text(encoding="utf-8").lower()
    ways = {answer: (HEX[answer], ", ".join(map(str, colour))) for answer, colour in COLOURS.items()}
    found = {answer for answer in Answer if any(way in text for way in ways[answer])}
    assert found == (set(Answer) if path.name == "drawing.py" else set())


@pytest.mark.parametrize("answer", Answer)
def test_pages_have_the_colours_of_answers(answer):
    assert f".aiface-{answer} {{ background: {HEX[answer]} }}" in answer_page.CSS
    assert f".{answer} {{ color: {HEX[answer]} }}" in index.as_html([])


def test_a_page():
    made = html_page("T", "\n<p>{text}</p>\n", "p { color: red }\n", width=10)
    assert made.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
    assert made.endswith("p { color: red }\n</style></head><body>\n<p>{text}</p>\n</body></html>\n")
    assert "<title>T</title>" in made
    assert "max-width: 10rem" in made


@pytest.mark.parametrize(("crops", "visible"), [(CROPS, True), ([], False)])
def test_a_grid_renders(crops, visible):
    assert rendered(grid(crops, [""] * len(crops), 4)) == visible


@pytest.mark.parametrize("columns", [1, 3, 4, 20])
def test_grid_shows_every_picture(columns):
    figure = grid(CROPS, [f"number {i}" for i in range(9)], columns, ["red"] * 9)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == [f"number {i}" for i in range(9)]
    for axes, crop in zip(shown, CROPS, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), crop)
        assert axes.title.get_color() == "red"
    assert not any(axes.axison for axes in figure.axes)


def test_data_url():
    url = data_url(grid(CROPS[:1], [""]))
    kind, content = url.split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content).startswith(b"\x89PNG")
