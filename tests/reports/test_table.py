"""Verdicts as CSV, as spreadsheets and other programs read it."""

import csv
import io
import json

import pytest
import scene
from clips import seconds, text, write_clip
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scene import BLUE, HEIGHT, RED, WIDTH, picture

from aiface.analysis.pipeline import analyze
from aiface.analysis.result import Settings
from aiface.io.media_kinds import NEITHER
from aiface.reports.folder import Reports, plan
from aiface.reports.index import SKIPPED
from aiface.reports.table import COLUMNS, MARK, header, lines, safe

PERSON = {
    "verdict": "ai", "score": 0.98765, "likelihood_ratio": {"ratio": 12.3456, "low": 1.0, "high": 90.0}, "looks": 9,
    "scored": 8, "faces": 7, "first_s": 0.0, "last_s": 1.8, "ai_intervals_s": [[0.0, 1.0], [1.4, 1.8]],
    "reasons": ["unstable"],
}  # fmt: skip
ROW = {"path": "a.mp4", "verdict": "ai", "score": 0.9, "people": 1, "why": "x", "report": "a.html",
       "says_generated": ["EXIF Software: Sora"], "warnings": ["its end is missing"],
       "each_person": [PERSON]}  # fmt: skip
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1", "=cmd|' /C calc'!A0")


def read(table):
    return list(csv.DictReader(io.StringIO(table.removeprefix(MARK), newline=""), strict=True))


def test_a_row_for_each_person():
    nothing = PERSON | {"score": None, "likelihood_ratio": None}
    first, second = read(f"{header()}\r\n{lines(ROW | {'each_person': [PERSON, nothing]})}\r\n")
    assert first == {
        "path": "a.mp4", "person": "1", "verdict": "ai", "score": "0.9877", "likelihood_ratio": "12.3", "looks": "9",
        "scored": "8", "faces": "7", "first_s": "0", "last_s": "1.8", "ai_intervals_s": "0.0-1.0; 1.4-1.8",
        "why": "unstable; its end is missing", "says_generated": "EXIF Software: Sora", "report": "a.html",
    }  # fmt: skip
    assert second == first | {"person": "2", "score": "", "likelihood_ratio": ""}


@pytest.mark.parametrize("verdict", ["inconclusive", "error", SKIPPED])
def test_a_row_where_there_is_nobody(verdict):
    (row,) = read(f"{header()}\r\n{lines(ROW | {'verdict': verdict, 'score': None, 'each_person': []})}\r\n")
    assert row == dict.fromkeys(COLUMNS, "") | {
        "path": "a.mp4", "verdict": verdict, "why": "x", "says_generated": "EXIF Software: Sora", "report": "a.html",
    }  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("column", ["path", "why", "says_generated"])
def test_no_cell_is_computed(formula, column):
    value = [formula] if column == "says_generated" else formula
    (row,) = read(f"{header()}\r\n{lines(ROW | {column: value, 'each_person': []})}\r\n")
    assert row[column] == f"'{formula}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a,b;\"c\"\nd.png", "a,b;\"c\"\nd.png"), ("Zoë 写真.png", "Zoë 写真.png"), ("b\udcff.png", "b\ufffd.png"),
     ("nul\0.png", "nul\ufffd.png"), ("a=b-c.png", "a=b-c.png")],
)  # fmt: skip
def test_any_name_is_one_cell(name, expected):
    assert safe(name) == expected
    (row,) = read(f"{header()}\r\n{lines(ROW | {'path': name})}\r\n")
    assert row["path"] == expected


def folder(tmp_path):
    """A clip of two, a picture that tells its origin, one without a face, a broken one, and what is no input."""
    (tmp_path / "in").mkdir()
    couple = picture((20, 30, 100, RED), (180, 40, 90, BLUE))
    write_clip(tmp_path / "in" / "a.mp4", seconds(9), lambda _: couple, (WIDTH, HEIGHT))
    says = PngInfo()
    says.add_text("parameters", "a woman\nSteps: 20, Sampler: Euler a, CFG scale: 7")
    Image.fromarray(picture((100, 40, 100, BLUE))).save(tmp_path / "in" / "b.png", pnginfo=says)
    Image.fromarray(picture()).save(tmp_path / "in" / "c.png")
    text(tmp_path / "in", "d.mp4")
    (tmp_path / "in" / "e.txt").write_text("notes")
    return tmp_path / "in"


def test_a_folder_of_reports_has_its_table(tmp_path):
    """With whatever was judged before; what a file says of its origin is told alike in all that is written."""
    names, says = [str(folder(tmp_path))], ["text parameters: a woman Steps: 20, Sampler: Euler a, CFG scale: 7"]
    for _ in range(2):
        reports = Reports(tmp_path / "out", scene.Finder(), scene.detector(), Settings())
        todo, rows = plan(names, reports)
        told = [reports.add(analysis) for analysis in analyze(todo, scene.Finder(), scene.detector())]
        page = reports.write_index([*rows, *(each["row"] for each in told)])
        written = (tmp_path / "out" / "verdicts.csv").read_bytes()
        assert written.startswith(b"\xef\xbb\xbfpath,person,verdict,score,")
        found = {(row["path"][-5:], row["person"]): row for row in read(written.decode("utf-8-sig"))}
        assert {key: row["verdict"] for key, row in found.items()} == {
            ("a.mp4", "1"): "ai", ("a.mp4", "2"): "real", ("b.png", "1"): "real", ("c.png", ""): "inconclusive",
            ("d.mp4", ""): "error", ("e.txt", ""): SKIPPED,
        }  # fmt: skip
        assert found["c.png", ""]["why"] == "no face found"
        assert "expected a video" in found["d.mp4", ""]["why"]
        assert found["e.txt", ""]["why"] == NEITHER
        assert [key for key, row in found.items() if row["says_generated"]] == [("b.png", "1")]
        assert found["b.png", "1"]["says_generated"] == says[0]
        inputs = json.loads((tmp_path / "out" / "index.json").read_text(encoding="utf-8"))["inputs"]
        assert {row["path"][-5:]: row["says_generated"] for row in inputs} == {
            "a.mp4": [], "b.png": says, "c.png": [], "d.mp4": [], "e.txt": None,
        }  # fmt: skip
        assert says[0] in page.read_text(encoding="utf-8")
