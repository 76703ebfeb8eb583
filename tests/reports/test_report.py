import json
import os
import re
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import cv2
import jsonschema
import numpy as np
import pytest
import scene
from clips import FakeFinder, seconds, write_clip
from pages import Page
from PIL import Image
from scene import BLUE, HEIGHT, RED, WIDTH, picture

import aiface
from aiface.analysis.person import Person
from aiface.analysis.pipeline import analyze, analyze_video
from aiface.analysis.result import Analysis
from aiface.analysis.verdict import BETWEEN, NO_FACE, NOT_A_PHOTOGRAPH, Verdict
from aiface.apps.web import answer_page
from aiface.io.files import sha256, shown
from aiface.io.images import read_image
from aiface.labels import Answer
from aiface.models.detector import Detector
from aiface.provenance import inspector
from aiface.reports.faces import marked
from aiface.reports.figures import timeline
from aiface.reports.page import HARDLY, _about_maps, _heated, as_html, write_report
from aiface.reports.report import VERSION, Report, heat_maps
from aiface.reports.wording import LIMITS, MEANING, NOT_PROOF, PLAIN, people_lines, performance_line, sentence

SCHEMA = json.loads((Path(aiface.__file__).parent / "reports/report.schema.json").read_text(encoding="utf-8"))
STILL = ["data:image/jpeg;base64"] * 2  # the picture, the face
EVIL = "<img src=x onerror=alert(1)>.png"


def save(path, *people):
    Image.fromarray(picture(*people)).save(path)
    return path


def judge_image(path):
    (analysis,) = analyze([path], scene.Finder(), scene.detector())
    return analysis


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "two.mp4"
    write_clip(path, seconds(19), lambda _: picture((20, 30, 100, RED), (180, 40, 90, BLUE)), (WIDTH, HEIGHT))
    return analyze_video(path, scene.Finder(), scene.detector())


@pytest.fixture(scope="module")
def page(clip):
    return Page(as_html(Report.of(clip, scene.detector())))


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict(Answer.AI, 0.974, (0.9, 0.99), 12), "from 12 usable faces, the middle 80 % between 0.90 and 0.99"),
        (Verdict(Answer.REAL, 0.021, None, 1), "score 0.02 (0 real, 1 AI), from 1 usable face"),
        (Verdict(Answer.INCONCLUSIVE, 0.5, None, 0, (BETWEEN, "x")), f"from 0 usable faces; {BETWEEN}, x"),
        (Verdict(Answer.INCONCLUSIVE, None, None, 0, (NO_FACE,)), NO_FACE),
        (Verdict(Answer.INCONCLUSIVE, None), "nothing was judged"),
    ],
)
def test_sentence(verdict, expected):
    assert sentence(verdict).endswith(expected)
    assert sentence(verdict).startswith("score") == (verdict.score is not None)


def test_the_page_of_a_clip(clip, page):
    assert page.tags[1] == ("head", {})
    assert "two.mp4 Looks AI-generated" in page.text
    assert "The score is 1.00, on a scale of 0 (real) to 1 (AI-generated)." in page.text
    assert "person 1, 0.0 to 1.8 s, found 10 times: looks AI-generated, score 1.00" in page.text
    assert "person 2, 0.0 to 1.8 s, found 10 times: looks real, score 0.00" in page.text
    for part in (
        "Scores over time",
        "Faces",
        LIMITS,
        MEANING[Answer.AI],
        "computed by a function, samples per second 5.0, best looks 16, faces by by colour",
        performance_line(clip),
        NOT_PROOF,
        sha256(clip.path),
        "0" * 64,
        "by-colour",
    ):
        assert part in page.text
    assert "Made by <the> tests." in page.text
    assert page.sources == ["data:image/jpeg;base64"] * 16  # of each of the two the best eight faces
    assert "Where the detector looked" not in page.text


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ((), "from 9 usable faces"),
        (((0.0, 4.0),), "; 0:00-0:04 looks generated"),
        (((1.2, 1.8), (59.5, 3601.0)), "; 0:01-0:02, 0:59-60:01 looks generated"),
    ],
)
def test_spans_are_told(spans, expected):
    people, verdicts = [Person(0, looks=1)], [Verdict(Answer.AI, 0.9, None, 9, ai_spans=spans)]
    (line,) = people_lines(Analysis("clip.mp4", True, people, verdicts))
    assert line.startswith("person 1, 0.0 to 0.0 s, found once: looks AI-generated, score 0.90")
    assert line.endswith(expected)


def test_the_page_of_an_image(tmp_path):
    page = Page(as_html(Report(judge_image(save(tmp_path / "face.png", (100, 40, 100, BLUE))), scene.detector())))
    assert "person 1: looks real, score 0.00" in page.text
    assert page.sources == STILL
    assert "Scores over time" not in page.text
    assert "Performance" not in page.text


def test_a_drawing_is_told_everywhere(tmp_path, astronaut, face):
    sketch = cv2.pencilSketch(astronaut, sigma_s=60, sigma_r=0.07, shade_factor=0.05)[0]
    Image.fromarray(sketch).save(tmp_path / "sketch.png")
    detector = scene.detector(kind=Detector)
    (analysis,) = analyze([tmp_path / "sketch.png"], FakeFinder([face]), detector)
    report = Report.of(analysis, detector)
    written = json.loads(json.dumps(report.json))
    (person,) = written["people"]
    jsonschema.validate(written, SCHEMA)
    assert written["reasons"] == person["reasons"] == [NOT_A_PHOTOGRAPH]
    assert (person["verdict"], person["faces"]) == (Answer.INCONCLUSIVE, 1)
    assert people_lines(analysis)[0].endswith(NOT_A_PHOTOGRAPH)
    assert PLAIN[NOT_A_PHOTOGRAPH] in Page(as_html(report)).text


def test_the_page_of_nobody(tmp_path):
    page = Page(as_html(Report(judge_image(save(tmp_path / "empty.png")), scene.detector())))
    assert PLAIN[NO_FACE] in page.text
    assert "nobody: inconclusive, no face found" in page.text
    assert page.sources == []


def test_the_page_of_what_cant_be_judged(tmp_path):
    page = Page(as_html(Report(judge_image(tmp_path / "missing.png"), scene.detector())))
    assert "This could not be judged" in page.text
    assert "nconclusive" not in page.text
    assert "missing.png: expected an image, found no such file; check the path" in page.text


def test_warnings_stand_on_the_page():
    analysis = Analysis("clip.mp4", moving=True, warnings=["it <ends> early"])
    assert "Note: it <ends> early" in Page(as_html(Report(analysis, scene.detector()))).text


def test_a_name_is_text_and_nothing_else(tmp_path):
    analysis = judge_image(save(tmp_path / EVIL, (100, 40, 100, RED)))
    detector = scene.detector(name="<b>bold</b>", training={"summary": "<script>alert(1)</script>"})
    page = Page(as_html(Report(analysis, detector)))
    assert not {tag for tag, _ in page.tags} & {"script", "b"}
    assert page.sources == STILL
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.text.count(EVIL) == 2  # title and heading


def test_the_page_needs_no_other_file(page):
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "video"}
    links = [value for _, attributes in page.tags for key, value in attributes.items() if key in ("src", "href")]
    assert all(link.startswith("data:") for link in links)
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_json_holds_what_the_page_says(clip, tmp_path):
    report, out = Report.of(clip, scene.detector()), tmp_path / "out" / "report.html"
    assert write_report(report, out) == out
    found = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    page = Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert found["summary"] == people_lines(clip)
    for line in found["summary"]:
        assert line in page.text
    assert found["verdict"] == "ai"
    assert f"score {found['score']:.2f}" in page.text
    assert found["file"]["sha256"] == sha256(clip.path)
    assert found["file"]["sha256"] in page.text
    assert (found["detector"]["name"], found["detector"]["sha256"]) == ("by-colour", "0" * 64)
    assert found["detector"]["thresholds"] == scene.CALIBRATION["thresholds"]
    assert found["settings"] == {
        "samples_per_second": 5.0, "best_looks": 16, "faces_by": "by colour", "computed_by": "a function",
    }  # fmt: skip
    assert found["performance"] == clip.performance
    assert (found["interrupted"], found["warnings"], found["error"]) == (False, [], None)
    first = found["people"][0]["each_look"][0]
    assert first == {
        "time": 0.0,
        "score": clip.people[0].each_look[0].score,
        "box": pytest.approx([20, 30, 100, 100], abs=2),
    }
    assert len(found["people"][1]["each_look"]) == found["people"][1]["faces"] == 10


def test_json_extends_the_row(clip):
    found = Report(clip, scene.detector()).json
    row = clip.row()
    assert {key: found[key] for key in row if key != "people"} == {key: row[key] for key in row if key != "people"}
    for entry, person in zip(found["people"], row["people"], strict=True):
        entry.pop("each_look")
        assert entry.pop("heat_inside_face") is None
        assert entry == person


@pytest.mark.parametrize("kind", ["a clip", "a face"])
def test_a_file_is_read_and_drawn_once(clip, tmp_path, kind):
    """However many renderings there are."""
    path = save(tmp_path / "face.png", (100, 40, 100, RED))
    analysis = clip if kind == "a clip" else judge_image(path)
    watched = {
        "sha256": sha256,
        "provenance": inspector.provenance,
        "faces.marked": marked,
    }
    with ExitStack() as stack:
        calls = {
            name: stack.enter_context(mock.patch(f"aiface.reports.report.{name}", wraps=function))
            for name, function in watched.items()
        }
        report = Report.of(analysis, scene.detector())
        page = write_report(report, tmp_path / "report.html")
        as_html(report)
        with mock.patch("aiface.reports.figures.timeline", wraps=timeline) as drawn:
            answer_page.result(report)
            answer_page.result(report)
    assert page.with_suffix(".json").read_text(encoding="utf-8") == json.dumps(report.json, indent=2) + "\n"
    expected = {"sha256": 1, "provenance": 1, "faces.marked": kind == "a face"}
    assert {name: call.call_count for name, call in calls.items()} == expected
    assert drawn.call_count == (kind == "a clip")


def odd_inputs(tmp_path):
    """Analyses of each kind that there is, by name."""
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    yield "a face", judge_image(save(tmp_path / "face.png", (100, 40, 100, RED)))
    yield "nobody", judge_image(save(tmp_path / "empty.png"))
    yield "broken", judge_image(tmp_path / "broken.png")
    yield "missing", judge_image(tmp_path / "missing.png")
    yield "an address", Analysis("https://example.org/a.mp4", error="expected a video, found none")


def test_json_keeps_to_the_schema(clip, tmp_path):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for name, analysis in (("a clip", clip), *odd_inputs(tmp_path)):
        page = write_report(Report.of(analysis, scene.detector()), tmp_path / "out" / f"{name}.html")
        found = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
        jsonschema.validate(found, SCHEMA)
        assert found["report_version"] == VERSION
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(found | {"verdict": "fake"}, SCHEMA)


def test_what_the_file_says_stands_apart(tmp_path):
    image = Image.fromarray(picture((100, 40, 100, BLUE)))
    image.getexif()[0x0131] = "Midjourney 7"  # Software
    image.save(tmp_path / "says.png", exif=image.getexif())
    write_report(Report.of(judge_image(tmp_path / "says.png"), scene.detector()), tmp_path / "report.html")
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert found["verdict"] == Answer.REAL  # whatever it says
    assert found["provenance"]["says_generated"] == ["EXIF Software: Midjourney 7"]
    assert "It says that AI made it, or a part of it:EXIF Software: Midjourney 7" in page.text
    assert "This has no part in the answer above." in page.text


def test_maps_are_drawn_and_their_share_is_stated(tmp_path):
    from bundles import network

    path = save(tmp_path / "face.png", (100, 40, 100, RED))
    detector = Detector(scene.by_colour, scene.detector().card, lambda: network())
    write_report(Report.of(judge_image(path), detector, explain=True), tmp_path / "report.html")
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, SCHEMA)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert found["explained"]
    share = found["people"][0]["heat_inside_face"]
    (heats,) = heat_maps(judge_image(path), detector)
    said = f"{share:.0%} of it lies within the face" if heats.max() >= HARDLY else "There is hardly any here"
    assert said in page.text
    assert page.sources == STILL * 2


@pytest.mark.parametrize(
    ("strength", "said"), [(1.0, "100% of it lies within"), (0.05, "hardly any"), (0, "hardly any")]
)
def test_faint_heat_lies_nowhere(strength, said):
    heats = np.zeros((1, 256, 256), np.float32)
    heats[:, 140:150, 120:130] = strength
    assert said in _about_maps([heats, np.zeros((0, 256, 256), np.float32)])


def test_pictures_have_words_and_headings_go_in_order(page):
    for tag, attributes in page.tags:
        assert tag != "img" or attributes["alt"]
    assert [tag for tag, _ in page.tags if tag in ("h1", "h2", "h3")] == ["h1"] + ["h2"] * 4 + ["h3"] * 2 + ["h2"] * 5
    assert page.tags[0] == ("html", {"lang": "en"})


def test_heat_lies_on_the_picture_where_the_face_is(tmp_path):
    analysis = judge_image(save(tmp_path / "face.png", (100, 40, 100, RED)))
    (look,) = analysis.people[0].gallery
    cold, hot = ([np.full((1, 256, 256), heat, np.float32)] for heat in (0, 1))
    plain = read_image(tmp_path / "face.png")
    np.testing.assert_array_equal(_heated(analysis, cold), plain)
    rows, columns = np.nonzero((_heated(analysis, hot) != plain).any(axis=2))
    low, high = look.quad.corners.min(axis=0), look.quad.corners.max(axis=0)
    size = plain.shape[1::-1]
    assert (columns.min(), rows.min()) == pytest.approx(np.clip(low, 0, size), abs=2)
    assert (columns.max(), rows.max()) == pytest.approx(np.clip(high, 0, size), abs=2)


@pytest.mark.parametrize(
    "name", [EVIL, "new\nline \"quoted\" 'n' {braces}.png", "Zoë 写真.png", os.fsdecode(b"bytes \xff\xfe.png")]
)
def test_any_name_can_be_reported(tmp_path, name):
    try:
        path = save(tmp_path / name, (100, 40, 100, RED))
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system takes no such name")
    write_report(Report.of(judge_image(path), scene.detector()), tmp_path / "report.html")
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert found["path"] == shown(path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    there = re.sub(r"\s+", " ", shown(name))
    assert there in page.text
    assert page.sources == STILL


def test_performance_line(clip):
    stages = ", ".join(rf"{stage} [\d.]+" for stage in ("read", "find", "crop", "score"))
    pattern = rf"10 frames judged, [\d.]+ s of clip per second; ms a frame: {stages}"
    assert re.fullmatch(pattern, performance_line(clip))
