import numpy as np
import pytest
from pages import Page
from people import person
from PIL import Image

from aiface.analysis.look import Look
from aiface.analysis.person import GALLERY, Person, Trail
from aiface.analysis.result import Analysis
from aiface.analysis.verdict import Verdict
from aiface.drawing import HEX
from aiface.labels import Answer
from aiface.reports.faces import PEOPLE, SPOKEN, crops, marked

JPEG = "data:image/jpeg;base64"


def of_picture(path, *boxes, answer=Answer.AI):
    """What was found in a picture: somebody at each box."""
    people = [Person(number, trail=Trail()) for number in range(len(boxes))]
    for someone, box in zip(people, boxes, strict=True):
        someone.see(Look(0.0, box, 0.9, 200, 9, crop=np.zeros((8, 8, 3), np.uint8)))
    return Analysis(str(path), people=people, verdicts=[Verdict(answer, 0.9)] * len(boxes))


def marks(page):
    """Of each box on a page: left, top, width and height in hundredths of the picture."""
    found = [attributes["style"] for _, attributes in page.tags if attributes.get("class", "").startswith("mark mark-")]
    return [[float(part.split(": ")[1].rstrip("%")) for part in style.split("; ")] for style in found]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize(
    ("size", "shown"),
    [((320, 200), 320), ((1280, 800), 960), ((1281, 801), 960), ((3000, 2000), 960), ((500, 2000), 240)],
)
def test_boxes_lie_where_the_faces_are(tmp_path, suffix, size, shown):
    """However small the picture was read."""
    path, (width, height) = tmp_path / f"a{suffix}", size
    Image.new("RGB", size, "grey").save(path)
    page = Page(marked(of_picture(path, (width / 4, height / 2, width / 8, height / 4))))
    assert marks(page) == [pytest.approx([25, 50, 12.5, 25], abs=0.2)]
    ((_, picture),) = [tag for tag in page.tags if tag[0] == "img"]
    assert int(picture["width"]) == pytest.approx(shown, abs=1)
    assert page.sources == [JPEG]
    assert page.text == "1: AI 0.90"


def test_a_picture_that_lies_sideways_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (2000, 1000), "grey").save(tmp_path / "a.jpg", exif=exif)
    page = Page(marked(of_picture(tmp_path / "a.jpg", (100, 500, 500, 1000))))
    assert marks(page) == [pytest.approx([10, 25, 50, 50], abs=0.2)]


@pytest.mark.parametrize(
    ("box", "where"),
    [
        ((100, 100, 50, 50), None),
        ((100, 2, 50, 50), "below"),
        ((250, 100, 60, 60), "left"),
        ((-5, -5, 400, 300), "within"),
    ],
)
def test_words_lie_within_the_picture(tmp_path, box, where):
    Image.new("RGB", (320, 200)).save(tmp_path / "a.png")
    page = Page(marked(of_picture(tmp_path / "a.png", box)))
    assert [attributes["class"] or None for tag, attributes in page.tags if tag == "strong"] == [where]
    ((left, top, width, height),) = marks(page)
    assert min(left, top) >= 0
    assert max(left + width, top + height) <= 100


@pytest.mark.parametrize("number", [0, SPOKEN, SPOKEN + 1])
def test_boxes_of_many_bear_numbers(tmp_path, number):
    Image.new("RGB", (320, 200)).save(tmp_path / "a.png")
    page = Page(marked(of_picture(tmp_path / "a.png", *[(9, 9, 50, 50)] * number, answer=Answer.REAL)))
    words = [f"{each}: real 0.90" if number <= SPOKEN else str(each) for each in range(1, number + 1)]
    assert page.text == "".join(words)


def captions(people, verdicts, moving):
    page = Page(crops(people, verdicts, moving))
    assert len(page.sources) == page.sources.count(JPEG)
    return page.texts, [attributes["style"] for tag, attributes in page.tags if tag == "figcaption"]


def test_crops_of_a_clip_tell_the_moment():
    people = [person(2 * GALLERY, 50), person(3, 200)]
    texts, styles = captions(people, [Verdict(Answer.AI, 0.9), Verdict(Answer.REAL, 0.1)], moving=True)
    assert texts[:2] == ["1: 0.0 s, 0.10", "1: 0.2 s, 0.11"]
    assert texts[GALLERY:] == ["2: 0.0 s, 0.10", "2: 0.2 s, 0.11", "2: 0.4 s, 0.12"]
    assert styles == [f"color: {HEX[Answer.AI]}"] * GALLERY + [f"color: {HEX[Answer.REAL]}"] * 3


def test_crops_of_a_picture_are_all_shown():
    texts, _ = captions([person(1)] * 20, [Verdict(Answer.INCONCLUSIVE, 0.5)] * 20, moving=False)
    assert texts == [f"{number}: 0.10" for number in range(1, 21)]


def test_of_many_in_a_clip_those_matter_of_whom_crops_were_kept():
    people = [person(looks) for looks in range(2, 32)]
    people[-1].drop_crops()
    verdicts = [Verdict(Answer.REAL, 0.1)] * 29 + [Verdict(Answer.AI, 0.9)]
    texts, _ = captions(people, verdicts, moving=True)
    assert {int(text.split(":")[0]) for text in texts} == set(range(30 - PEOPLE, 30))
