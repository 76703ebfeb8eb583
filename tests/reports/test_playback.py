"""What a report's page plays, and what it says where it plays nothing."""

import json

import pytest
import scene
from clips import seconds, text, write_clip
from pages import Page
from PIL import Image
from scene import BLUE, HEIGHT, RED, WIDTH, picture

from aiface.analysis.pipeline import analyze
from aiface.analysis.result import Analysis, Settings
from aiface.errors import VideoError
from aiface.reports import playback
from aiface.reports.folder import Reports
from aiface.reports.playback import SMALLER
from aiface.reports.player import LINES, OTHERS, _scale, clip_parts
from aiface.reports.report import Report


def reported(folder, *inputs, play=True):
    """The page and the JSON of each input that was judged into the folder."""
    reports = Reports(folder / "out", scene.Finder(), scene.detector(), Settings(), play=play)
    for analysis in analyze(inputs, scene.Finder(), scene.detector()):
        page = reports.path(analysis.path)
        reports.add(analysis)
        found = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
        yield Page(page.read_text(encoding="utf-8")), found, page


def clip(path, **options):
    couple = picture((20, 30, 100, RED), (180, 40, 90, BLUE))
    return write_clip(path, seconds(19), lambda _: couple, (WIDTH, HEIGHT), **options)


@pytest.mark.parametrize(("name", "codec", "anew"), [("a.mp4", "libx264", False), ("a.avi", "mpeg4", True)])
def test_a_clip_lies_beside_its_page(tmp_path, name, codec, anew):
    ((page, found, path),) = reported(tmp_path, clip(tmp_path / name, codec=codec))
    assert found["plays"] == path.with_suffix(".mp4").name
    assert path.with_suffix(".mp4").samefile(tmp_path / name) is not anew
    assert (SMALLER in page.text) == anew
    (video,) = [attributes for tag, attributes in page.tags if tag == "video"]
    assert video["src"] == found["plays"]  # beside it
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert {link.partition("#")[0] for link in links} == {found["plays"]}
    assert len(links) == 2 + 16  # people and their faces


def test_any_name_is_played(tmp_path):
    ((_, found, path),) = reported(tmp_path, clip(tmp_path / "Zoë 50% #1 写真?.mp4"))
    assert (path.parent / found["plays"]).is_file()
    assert 'src="Zo%C3%AB-50-1-%E5%86%99%E7%9C%9F-mp4-' in path.read_text(encoding="utf-8")


def test_what_is_no_clip_at_hand_has_no_player(tmp_path):
    Image.fromarray(picture((100, 40, 100, RED))).save(tmp_path / "a.png")
    inputs = (tmp_path / "a.png", text(tmp_path), "http://127.0.0.1:9/a.mp4", tmp_path / "missing.mp4")
    for page, found, _ in reported(tmp_path, *inputs):
        assert found["plays"] is None
        assert not {tag for tag, _ in page.tags} & {"video", "script"}
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".html", ".json"}


def test_clips_can_be_left_out(tmp_path):
    ((page, found, _),) = reported(tmp_path, clip(tmp_path / "a.mp4"), play=False)
    assert found["plays"] is None
    assert not {tag for tag, _ in page.tags} & {"video", "script", "a"}
    assert "Person 2: real 0.00" in page.text


@pytest.mark.parametrize("error", [VideoError("a.mp4: too <long>"), OSError(28, "No space left on device")])
def test_the_report_is_worth_more_than_its_player(tmp_path, monkeypatch, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(playback, "place", fail)
    ((page, found, _),) = reported(tmp_path, clip(tmp_path / "a.mp4"))
    assert (found["verdict"], found["plays"]) == ("ai", None)
    assert f"There is no player here: {error}" in page.text


def test_a_clip_without_people_is_played(tmp_path):
    ((page, found, _),) = reported(tmp_path, write_clip(tmp_path / "a.mp4", seconds(9), lambda _: picture()))
    assert found["plays"]
    assert [tag for tag, _ in page.tags if tag in ("video", "img", "a")] == ["video"]
    assert "Faces" not in page.text


def test_many_people_have_colours_of_their_own_and_the_rest_is_grey(tmp_path):
    people = [(x, y, 36, RED) for y in range(8, 140, 58) for x in range(10, 280, 55)]
    path = write_clip(tmp_path / "a.mp4", seconds(19), lambda _: picture(*people), (WIDTH, HEIGHT))
    (analysis,) = analyze([path], scene.Finder(), scene.detector())
    assert len(analysis.people) == len(people) == 15
    (parts,) = clip_parts(Report(analysis, scene.detector()))
    assert "and 3 more, in grey" in parts
    assert all(parts.count(f'stroke="{colour}"') == 2 * (3 if colour == OTHERS else 1) for colour in (*LINES, OTHERS))


@pytest.mark.parametrize("end", [0.1, 0.35, 1, 7.4, 12, 59, 60, 61, 599, 3600, 9000, 100_000])
def test_marks_of_time_are_few_and_reach_the_end(end):
    marks = [mark for mark in _scale(end) if "left" in mark]
    assert 2 <= len(marks) <= 7
    assert ("0:00" if end >= 60 else "0 s") in marks[0]
    assert float(marks[-1].split("left: ")[1].split("%")[0]) > 55


def test_a_name_is_text_in_what_is_said_of_the_player():
    evil = Analysis("<b>.mp4", moving=True)
    (parts,) = clip_parts(Report(evil, scene.detector(), playback=playback.Playback(None, "<b>.mp4: no")))
    assert parts == '<p class="hint">&lt;b&gt;.mp4: no</p>'
