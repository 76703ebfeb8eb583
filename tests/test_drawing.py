"""Colours that everybody can read, each written in one place."""

from pathlib import Path

import pytest

from aiface import drawing
from aiface.apps.web import answer_page as answer
from aiface.drawing import COLOURS, HEX, html_page
from aiface.labels import Answer
from aiface.reports import folder as index

SOURCES = [path for path in Path(drawing.__file__).parent.iterdir() if path.suffix in (".py", ".js")]


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


@pytest.mark.parametrize("answer_", Answer)
def test_pages_have_the_colours_of_answers(answer_):
    assert f".aiface-{answer_} {{ background: {HEX[answer_]} }}" in answer.CSS
    assert f".{answer_} {{ color: {HEX[answer_]} }}" in index._as_html([])


def test_a_page():
    made = html_page("T", "\n<p>{text}</p>\n", "p { color: red }\n", width=10)
    assert made.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
    assert made.endswith("p { color: red }\n</style></head><body>\n<p>{text}</p>\n</body></html>\n")
    assert "<title>T</title>" in made
    assert "max-width: 10rem" in made
