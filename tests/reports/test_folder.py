"""Folders of reports: each input accounted for, none judged twice, whatever ended the work."""

import json
import os
import re
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from html import escape
from pathlib import Path
from unittest import mock

import pytest
import scene
from clips import seconds, write_clip
from mixed import index, mixed, reports_of
from PIL import Image
from scene import BLUE, HEIGHT, RED, WIDTH, picture

from aiface.analysis import stills
from aiface.analysis.pipeline import analyze
from aiface.analysis.result import Analysis, Settings
from aiface.io.files import shown
from aiface.io.sources import expand
from aiface.paths import ROOT
from aiface.reports.folder import Reports, counted, plan
from aiface.reports.index import ORDER, SKIPPED, Rows
from aiface.reports.page import write_report
from aiface.reports.report import VERSION
from aiface.reports.wording import people_lines

COMMAND = [sys.executable, str(ROOT / "tests" / "helpers" / "judge_by_colour.py"), "analyze"]


DEFAULT = Settings()


def judge(out, *names, settings=DEFAULT, detector=None, **options):
    """What `analyze --out` does: the rows of the index, and the inputs that were judged for it."""
    reports = Reports(out, scene.Finder(), detector or scene.detector(), settings, **options)
    todo, rows = plan(expand(map(str, names)), reports)
    rows.extend(reports.add(each)["row"] for each in analyze(todo, scene.Finder(), scene.detector(), settings))
    reports.write_index(rows)
    return list(rows), [str(each) for each in todo]


def test_every_file_is_accounted_for(files, tmp_path):
    out = tmp_path / "out"
    rows, todo = judge(out, mixed(files, 24))
    there = sorted(str(path) for path in files.rglob("*") if path.is_file())
    assert len(there) == 24
    assert sorted(row["path"] for row in index(out)) == there
    found = [row["verdict"] for row in index(out)]
    assert found == sorted(found, key=ORDER.index)
    assert {kind: found.count(kind) for kind in ORDER} == {
        "ai": 6, "inconclusive": 3, "real": 3, "error": 9, SKIPPED: 3,
    }  # fmt: skip
    assert all(row["why"] for row in rows if row["verdict"] in ("error", SKIPPED))
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "6 looks AI-generated, 3 inconclusive, 3 looks real, 9 error, 3 skipped" in page
    links = re.findall(r'href="([^"]+)"', page)
    assert len(links) == len(todo) == 21
    assert all((out / link).is_file() and (out / link).with_suffix(".json").is_file() for link in links)


def test_nothing_is_judged_twice(files, tmp_path):
    out = tmp_path / "out"
    rows, todo = judge(out, mixed(files, 8))
    again, nothing = judge(out, files)
    assert (len(todo), nothing) == (7, [])
    assert sorted(again, key=str) == sorted(rows, key=str)


def test_what_is_told_comes_from_the_report_and_equals_its_json(files, tmp_path):
    """Nothing that was written is read back; what was judged before is told as it was then."""
    reports = Reports(tmp_path / "out", scene.Finder(), scene.detector(), DEFAULT)
    for analysis in analyze([mixed(files, 8)], scene.Finder(), scene.detector()):
        with mock.patch("pathlib.Path.read_text", side_effect=AssertionError("read back")):
            told = reports.add(analysis)
        found = json.loads(reports.path(analysis.path).with_suffix(".json").read_text(encoding="utf-8"))
        said = found["provenance"] and found["provenance"]["says_generated"]
        assert told["line"] == analysis.row() | {"says_generated": said}
        assert told["people"] == found["summary"] == people_lines(analysis)
        assert told["warnings"] == analysis.warnings
        assert told["row"] == {
            "path": found["path"],
            "verdict": "error" if found["error"] else found["verdict"],
            "score": found["score"],
            "people": len(found["people"]),
            "why": found["error"] or "; ".join((*found["reasons"], *found["warnings"])),
            "says_generated": said,
            "report": reports.path(analysis.path).name,
            "json": reports.path(analysis.path).with_suffix(".json").name,
            "warnings": found["warnings"],
            "each_person": told["line"]["people"],
        }
        assert reports.done(analysis.path) == told
        assert not told["again"]


@pytest.mark.parametrize(
    "name", [os.fsdecode(b"caf\xe9"), os.fsdecode(b"fold\xe9r/a"), "会" * 78, "😀" * 60, "new\nline", "-dash"]
)
def test_any_name_is_judged_and_the_rest_goes_on(tmp_path, name):
    write_clip(tmp_path / "clip.mp4", seconds(8), lambda _: picture((20, 30, 100, RED)), (WIDTH, HEIGHT))
    (tmp_path / "words").write_text("not to be judged")
    for suffix in (".png", ".mp4", ".txt"):
        path = tmp_path / "in" / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture((100, 40, 100, RED))).save(tmp_path / "a.png")
        path.write_bytes((tmp_path / {".png": "a.png", ".mp4": "clip.mp4", ".txt": "words"}[suffix]).read_bytes())
    Image.fromarray(picture((100, 40, 100, BLUE))).save(tmp_path / "in" / "z.png")
    judge(tmp_path / "out", tmp_path / "in")
    seen = {row["path"]: row["verdict"] for row in index(tmp_path / "out")}
    odd = shown(tmp_path / "in" / name)
    assert seen == {f"{odd}.png": "ai", f"{odd}.mp4": "ai", f"{odd}.txt": SKIPPED, str(tmp_path / "in/z.png"): "real"}
    assert judge(tmp_path / "out", tmp_path / "in")[1] == []  # and is known again
    assert escape(odd) in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_links_are_followed_and_leftovers_are_none_of_it(tmp_path, monkeypatch):
    """What can't be opened is named, and the rest is judged."""
    for name in ("in/a.png", "pool/b.png", "in/._a.png", "in/__MACOSX/a.png", "in/.ipynb_checkpoints/a.png",
                 "in/@eaDir/a.png", "in/.DS_Store", "in/Thumbs.db", "in/closed/c.png", "in/d.png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture((100, 40, 100, RED))).save(tmp_path / name, "PNG")
    (tmp_path / "in/linked").symlink_to(tmp_path / "pool")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "pool/back").symlink_to(tmp_path / "in")
    scandir = os.scandir

    def scanning(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def opening(path, mode):
        if Path(path).name == "d.png":
            raise PermissionError(13, "Permission denied", str(path))
        return open(path, mode)

    monkeypatch.setattr(os, "scandir", scanning)
    monkeypatch.setattr("aiface.io.files.open", opening, raising=False)
    judge(tmp_path / "out", tmp_path / "in")
    rows = {Path(row["path"]).relative_to(tmp_path / "in").as_posix(): row for row in index(tmp_path / "out")}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "a.png": "ai", "linked/b.png": "ai", "closed": "error", "d.png": "error",
    }  # fmt: skip
    assert "expected a folder that can be opened, found: Permission denied" in rows["closed"]["why"]
    assert "expected a file that may be read, found: Permission denied" in rows["d.png"]["why"]
    found = list(analyze([tmp_path / "in"], scene.Finder(), scene.detector()))
    assert sorted(bool(analysis.error) for analysis in found) == [False, False, True, True]


def test_no_input_ends_the_run(tmp_path, monkeypatch):
    """Whatever it raises, in judging it or in reporting on it."""
    for name in "abcd":
        Image.fromarray(picture((100, 40, 100, RED))).save(tmp_path / f"{name}.png")
    read, write = stills.read_image, write_report

    def reading(path):
        return read(path) if Path(path).stem != "b" else 1 / 0

    def writing(report, page, *more):
        return write(report, page, *more) if "c-png" not in page.name or report.analysis.error else 1 / 0

    monkeypatch.setattr(stills, "read_image", reading)
    monkeypatch.setattr("aiface.reports.folder.write_report", writing)
    rows, _ = judge(tmp_path / "out", tmp_path / "*.png")
    assert [row["verdict"] for row in rows] == ["ai", "error", "error", "ai"]
    assert all("ZeroDivisionError" in row["why"] for row in rows[1:3])


ANOTHER_FOR_CLIPS = scene.ByColour(
    scene.detector().runtime, scene.CARD, load_clips=lambda: scene.detector(sha256="1" * 64)
)


def rewrite(path):
    Image.fromarray(picture((100, 40, 100, BLUE))).save(path)


@pytest.mark.parametrize(
    ("change", "options", "anew"),
    [
        (lambda file, page: None, {}, 0),
        (lambda file, page: rewrite(file), {}, 1),
        (lambda file, page: os.utime(file, (1, 1)), {}, 1),
        (lambda file, page: page.unlink(), {}, 1),
        (lambda file, page: page.with_suffix(".json").unlink(), {}, 1),
        (lambda file, page: page.with_suffix(".json").write_text('{"half":'), {}, 1),
        (lambda file, page: page.with_suffix(".json").write_text("[]"), {}, 1),
        (lambda file, page: None, {"detector": scene.detector(sha256="1" * 64)}, 2),
        (lambda file, page: None, {"detector": ANOTHER_FOR_CLIPS}, 1),
        (lambda file, page: None, {"settings": Settings(10.0)}, 1),  # the clip: settings are of no matter for a picture
    ],
)
def test_what_changed_is_judged_again(tmp_path, change, options, anew):
    (tmp_path / "in").mkdir()
    picture_path, out = tmp_path / "in" / "a.png", tmp_path / "out"
    Image.fromarray(picture((100, 40, 100, RED))).save(picture_path)
    write_clip(tmp_path / "in" / "b.mp4", seconds(8), lambda _: picture((20, 30, 100, RED)), (WIDTH, HEIGHT))
    judge(out, tmp_path / "in")
    change(picture_path, Reports(out, scene.Finder(), scene.detector(), Settings()).path(picture_path))
    assert len(judge(out, tmp_path / "in", **options)[1]) == anew


def test_files_of_one_name_have_reports_of_their_own(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        Image.fromarray(picture((100, 40, 100, RED))).save(tmp_path / folder / "a.png")
    rows, _ = judge(tmp_path / "out", tmp_path / "one", tmp_path / "two" / "a.png")
    assert len({row["report"] for row in rows}) == 2


def test_reports_among_the_pictures_are_no_inputs(tmp_path):
    Image.fromarray(picture((100, 40, 100, RED))).save(tmp_path / "a.png")
    (tmp_path / "notes.html").touch()
    judge(tmp_path, tmp_path)
    (tmp_path / ".a-png-0123456789-abcd_123.html").touch()  # half written when it was killed
    _, todo = judge(tmp_path, tmp_path)
    assert todo == []
    assert [Path(row["path"]).name for row in index(tmp_path)] == ["a.png", "notes.html"]


def test_clips_among_the_reports_are_no_inputs(tmp_path):
    """Nor is one that a kill left half written."""
    write_clip(tmp_path / "a.mp4", seconds(8), lambda _: picture((20, 30, 100, RED)), (WIDTH, HEIGHT))
    judge(tmp_path, tmp_path)
    (played,) = tmp_path.glob("a-mp4-*.mp4")
    played.with_name(f".{played.stem}-0123abcd.mp4").write_bytes(b"half")
    _, todo = judge(tmp_path, tmp_path)
    assert todo == []
    assert [Path(row["path"]).name for row in index(tmp_path)] == ["a.mp4"]


def test_a_file_named_twice_is_judged_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture((100, 40, 100, RED))).save("a.png")
    rows, todo = judge(tmp_path / "out", "a.png", tmp_path / "a.png", "*.png", tmp_path)
    assert (len(rows), len(todo)) == (1, 1)


def test_another_finder_judges_anew(tmp_path):
    Image.fromarray(picture((100, 40, 100, RED))).save(tmp_path / "a.png")
    judge(tmp_path / "out", tmp_path / "a.png")
    other = scene.Finder()
    other.name = "another"
    reports = Reports(tmp_path / "out", other, scene.detector(), Settings())
    todo, rows = plan([str(tmp_path / "a.png")], reports)
    assert (todo, list(rows)) == ([str(tmp_path / "a.png")], [])


@pytest.mark.parametrize("name", ["x" * 5000 + ".png", "missing.png", "nul\0.png"])
def test_a_name_that_is_no_file_has_its_row(tmp_path, name):
    rows, _ = judge(tmp_path / "out", name)
    assert [(row["path"], row["verdict"]) for row in rows] == [(name, "error")]


def test_a_file_that_may_not_be_read_has_its_row(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    Image.fromarray(picture((100, 40, 100, RED))).save(tmp_path / "a.png")
    monkeypatch.setattr("aiface.reports.report.sha256", denied)
    reports = Reports(tmp_path / "out", scene.Finder(), scene.detector(), Settings())
    row = reports.add(Analysis(str(tmp_path / "a.png"), error="it may not be read"))["row"]
    assert (row["verdict"], row["why"]) == ("error", "it may not be read")
    assert reports.done(tmp_path / "a.png") is None  # it may be readable by now


def test_an_address_that_failed_is_tried_again(tmp_path):
    reports = Reports(tmp_path, scene.Finder(), scene.detector(), Settings())
    address = "http://127.0.0.1:9/a.mp4"
    assert reports.add(Analysis(address, error="no answer"))["again"]
    todo, rows = plan([address], reports)
    assert (todo, list(rows)) == ([address], [])
    reports.add(Analysis("http://127.0.0.1:9/b.mp4"))
    assert plan(["http://127.0.0.1:9/b.mp4"], reports)[0] == []


def test_one_that_was_interrupted_is_not_done(tmp_path):
    reports = Reports(tmp_path, scene.Finder(), scene.detector(), Settings())
    assert reports.add(Analysis("a.mp4", interrupted=True))["again"]
    assert plan(["a.mp4"], reports)[0] == ["a.mp4"]


def test_a_report_of_an_earlier_version_is_made_anew(tmp_path):
    Image.fromarray(picture((100, 40, 100, RED))).save(tmp_path / "a.png")
    judge(tmp_path / "out", tmp_path / "a.png")
    (page,) = (tmp_path / "out").glob("a-png-*.json")
    page.write_text(page.read_text().replace(f'"report_version": {VERSION}', '"report_version": 2'))
    assert judge(tmp_path / "out", tmp_path / "a.png")[1] == [str(tmp_path / "a.png")]
    assert judge(tmp_path / "out", tmp_path / "a.png")[1] == []


# Which inputs have pages


def mixed_answers(folder):
    """Pictures of somebody AI, of somebody real, of nobody, and one real that says AI made it."""
    folder.mkdir()
    for name, people in (("ai", [RED]), ("real", [BLUE]), ("nobody", []), ("says", [BLUE])):
        image = Image.fromarray(picture(*[(100, 40, 100, colour) for colour in people]))
        image.getexif()[0x0131] = "Midjourney 7" if name == "says" else "a camera"  # Software
        image.save(folder / f"{name}.png", exif=image.getexif())
    return folder


def with_pages(out):
    """The inputs that have one, and that their rows and no others lead there."""
    rows = index(out)
    named = {row["report"] for row in rows if row["report"]}
    assert named == {path.name for path in out.glob("*.html")} - {"index.html"}
    links = set(re.findall(r'href="([^"]+)"', (out / "index.html").read_text(encoding="utf-8")))
    assert links == {row["report"] or row["json"] for row in rows}
    assert all((out / link).is_file() and (out / row["json"]).is_file() for link in links for row in rows)
    return sorted(Path(row["path"]).stem for row in rows if row["report"])


@pytest.mark.parametrize(
    ("pages", "many", "expected"),
    [
        ("all", 1, ["ai", "nobody", "real", "says"]),
        ("few", 4, ["ai", "nobody", "real", "says"]),  # four are no more than many
        ("few", 3, ["ai", "says"]),
        ("none", 100, []),
    ],
)
def test_pages_are_as_asked_for(tmp_path, monkeypatch, pages, many, expected):
    """Every input is accounted for in any case, and none judged twice."""
    monkeypatch.setattr("aiface.reports.folder.MANY", many)
    out, there = tmp_path / "out", mixed_answers(tmp_path / "in")
    rows, todo = judge(out, there, pages=pages)
    assert (len(todo), len(index(out)), len(list(out.glob("*-*.json")))) == (4, 4, 4)
    assert with_pages(out) == expected
    again, nothing = judge(out, there, pages=pages)
    assert (nothing, sorted(again, key=str)) == ([], sorted(rows, key=str))
    assert counted(Rows(again), 4).startswith("0 judged now, 4 known before")


@pytest.mark.parametrize(
    ("first", "then", "judged", "expected"),
    [("none", "all", 2, ["ai", "real"]), ("none", "few", 1, ["ai"]), ("few", "all", 1, ["ai", "real"]),
     ("all", "none", 0, ["ai", "real"]), ("all", "few", 0, ["ai", "real"])],
)  # fmt: skip
def test_what_lacks_a_page_that_is_asked_for_is_judged_again(tmp_path, monkeypatch, first, then, judged, expected):
    """And what has one keeps it."""
    monkeypatch.setattr("aiface.reports.folder.MANY", 1)
    folder = mixed_answers(tmp_path / "in")
    there = [folder / "ai.png", folder / "real.png"]
    judge(tmp_path / "out", *there, pages=first)
    assert len(judge(tmp_path / "out", *there, pages=then)[1]) == judged
    assert with_pages(tmp_path / "out") == expected


def test_no_page_tells_of_what_a_file_was(tmp_path):
    """Nor does the clip beside it stay."""
    (tmp_path / "in").mkdir()
    clip = write_clip(tmp_path / "in/a.mp4", seconds(8), lambda _: picture((20, 30, 100, RED)), (WIDTH, HEIGHT))
    judge(tmp_path / "out", clip)
    assert {path.suffix for path in (tmp_path / "out").glob("a-mp4-*")} == {".html", ".json", ".mp4"}
    os.utime(clip, (1, 1))
    judge(tmp_path / "out", clip, pages="none")
    assert {path.suffix for path in (tmp_path / "out").glob("a-mp4-*")} == {".json"}


def row_of(path, verdict="real", score=None):
    return {"path": path, "verdict": verdict, "score": score, "people": 1, "says_generated": None, "why": "",
            "report": None, "json": None, "warnings": ["a long one, " * 20], "each_person": []}  # fmt: skip


MIXED = [
    row_of("b", "real", 0.1), row_of("\udcff\u2028", "skipped"), row_of("a10", "ai", 0.9), row_of("a2", "ai", 0.9),
    row_of("c", "real", 0.25), row_of("d", "error"), row_of("e", "inconclusive"), row_of("f", "ai", 0.99),
]  # fmt: skip


@pytest.mark.parametrize("rows", [[], MIXED[:1], MIXED, MIXED[::-1]])
def test_an_index_has_the_worst_first(tmp_path, rows):
    kept = Rows(rows)
    assert (len(kept), list(kept), kept.counts) == (len(rows), rows, Counter(row["verdict"] for row in rows))
    Reports(tmp_path, scene.Finder(), scene.detector(), Settings()).write_index(kept)
    expected = sorted(rows, key=lambda row: (ORDER.index(row["verdict"]), -(row["score"] or 0), row["path"]))
    assert list(kept.worst_first()) == expected
    told = {"report_version": VERSION, "inputs": expected}
    assert (tmp_path / "index.json").read_text("utf-8") == shown(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def test_rows_lie_on_disk():
    tracemalloc.start()
    rows = Rows(row_of(f"a{number}.png", score=number / 2000) for number in range(2000))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / len(rows) < 100  # bytes


def test_the_page_lists_as_many_as_can_be_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("aiface.reports.index.MOST", 3)
    reports = Reports(tmp_path, scene.Finder(), scene.detector(), Settings())
    page = reports.write_index(MIXED[:3]).read_text("utf-8")
    assert "Listed here" not in page
    page = reports.write_index(MIXED).read_text("utf-8")
    assert "first 3 of them" in page
    assert re.findall(r"<td>(\w+)</td><td class", page) == ["f", "a10", "a2"]
    assert "8 inputs: 6 judged, 1 could not be judged, 1 skipped." in page


def test_names_are_text_on_the_page(tmp_path):
    reports = Reports(tmp_path, scene.Finder(), scene.detector(), Settings())
    row = reports.add(Analysis("<b>&.png", error="<i>broken"))["row"]
    page = reports.write_index([row]).read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;.png" in page
    assert "<b>" not in page
    assert "<i>" not in page


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a*.png"], ["a1.png", "a2.png"]),
        (["**/*.jpg"], ["sub/c.jpg"]),
        (["a[1].png"], ["a1.png"]),
        (["[x].png"], ["[x].png"]),  # called so
        (["none*"], ["none*"]),
        (["http://host/a*.mp4"], ["http://host/a*.mp4"]),
        (["sub", "a2.png"], ["sub", "a2.png"]),
    ],
)
def test_patterns(tmp_path, monkeypatch, names, expected):
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    for name in ("a1.png", "a2.png", "[x].png", "sub/c.jpg"):
        Path(name).touch()
    assert [name.replace(os.sep, "/") for name in expand(names)] == expected


@pytest.mark.parametrize("moment", [1, 9, 20])
def test_killed_it_goes_on(files, tmp_path, moment):
    mixed(files, 64)
    out = tmp_path / "out"
    command = [*COMMAND, str(files), "--out", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as working:
        while len(done := reports_of(out)) < moment:
            assert working.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        working.kill()
    done = reports_of(out)
    assert moment <= len(done) < 56
    for path in done:
        json.loads(path.read_text(encoding="utf-8"))
        assert path.with_suffix(".html").is_file()
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr  # some could not be judged
    now, before, failed = map(
        int, re.search(r"(\d+) judged now, (\d+) known before, (\d+) could", ended.stderr).groups()
    )
    assert (now + before + failed, before <= len(done)) == (56, True)
    after = reports_of(out)
    assert {path: after[path] for path in done} == done  # not written anew
    assert len(index(out)) == 64


def test_stills_are_reported_without_matplotlib(files, tmp_path):
    """It takes a third of a second to import, and each of its figures as long as judging a picture."""
    Image.fromarray(picture((100, 40, 100, RED))).save(files / "a.png")
    arguments = ["analyze", str(files / "a.png"), "--out", str(tmp_path / "out")]
    code = (
        f"import sys; sys.path.insert(0, {str(Path(COMMAND[1]).parent)!r})\n"
        f"import judge_by_colour\nassert judge_by_colour.main({arguments!r}) == 0\n"
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert with_pages(tmp_path / "out") == ["a"]


def test_ctrl_c_keeps_what_was_judged(files, tmp_path):
    mixed(files, 160)
    out = tmp_path / "out"
    command = [*COMMAND, str(files), "--out", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as working:
        while len(reports_of(out)) < 3:
            time.sleep(0.005)
        working.send_signal(2)
        told = working.communicate(timeout=60)[1]
    assert working.returncode == 130
    assert told.endswith("aiface: stopped\n")
    assert 3 <= len([row for row in index(out) if row["report"]]) < 140
