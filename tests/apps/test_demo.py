"""`make demo`: what a stranger's first screen holds. The notebook is stood in for; it has tests of its own."""

import os
import sys

import pytest
import scene
from clips import seconds, write_clip
from PIL import Image
from scene import BLUE, HEIGHT, RED, WIDTH, picture

from aiface.analysis.pipeline import analyze_source
from aiface.analysis.result import Settings
from aiface.apps import demo
from aiface.apps.notebooks.keep import keep
from aiface.errors import AifaceError
from aiface.faces.finder import YUNET_FILE
from aiface.reports.folder import Reports


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """`run("clip.mp4")` gives the exit code, what was printed, and the notebook's parameters."""
    asked = []

    def execute(_, executed, parameters):
        asked.append(parameters)
        finder, detector, settings = scene.Finder(), scene.detector(), Settings(trails=True)
        source = parameters["SOURCE"]
        analyses = [] if "://" in source else analyze_source(source, finder, detector, settings)
        keep(analyses, detector, Reports(parameters["OUT"], finder, detector, settings), source)
        return executed

    monkeypatch.setattr(demo, "execute", execute)
    monkeypatch.setattr(demo, "fetch_yunet", lambda: None)
    monkeypatch.chdir(tmp_path)

    def run(video):
        monkeypatch.setattr(sys, "argv", ["demo", "--video", video, "--out", "out"])
        code = demo.main()
        return code, capsys.readouterr().out.splitlines(), asked[-1] if asked else None

    return run


def save(path, colour):
    Image.fromarray(picture((100, 40, 100, colour))).save(path)


def test_a_clip(run, tmp_path):
    write_clip(tmp_path / "a.mp4", seconds(8), lambda _: picture((100, 40, 100, RED)), (WIDTH, HEIGHT))
    code, lines, parameters = run("a.mp4")
    assert code == 0
    assert parameters == {"SOURCE": str(tmp_path / "a.mp4"), "OUT": str(tmp_path / "out")}
    assert lines[:3] == ["judging a.mp4", "", f"{tmp_path / 'a.mp4'}: looks AI-generated"]
    assert lines[3].startswith("  person 1, 0.0 to ")
    assert lines[4:] == [
        "report            out/a-mp4/report.html",
        "annotated video   out/a-mp4/annotated.mp4",
        "executed notebook out/inference.ipynb",
    ]
    assert (tmp_path / lines[5].split()[-1]).is_file()


def test_a_picture_has_a_picture(run, tmp_path):
    save(tmp_path / "a.png", BLUE)
    code, lines, _ = run("a.png")
    assert (code, lines[-2]) == (0, "annotated image   out/a-png/annotated.png")
    assert (tmp_path / lines[-2].split()[-1]).is_file()


def test_a_folder_has_a_report_on_each_input_and_an_index(run, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    save(tmp_path / "in" / "a.png", BLUE)
    save(tmp_path / "in" / "deep" / "a.png", RED)
    (tmp_path / "in" / "b.png").write_text("no picture")
    (tmp_path / "in" / "c.txt").write_text("notes")
    code, lines, _ = run("in")
    assert code == 1  # one could not be judged
    assert sum(line.endswith(("looks real", "looks AI-generated")) for line in lines) == 2
    assert any(line.startswith("could not be judged: ") and "b.png" in line for line in lines)
    assert f"{tmp_path / 'in' / 'c.txt'}: skipped, neither a picture nor a clip" in lines
    places = {line.split()[-1] for line in lines if line.startswith(("report ", "annotated "))}
    assert len(places) == 4  # two of one name do not share a folder
    assert all((tmp_path / place).is_file() for place in places)
    assert "4 inputs: 2 judged, 1 could not be judged, 1 skipped" in lines
    assert "index of all      out/index.html" in lines
    assert (tmp_path / "out" / "index.html").is_file()


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/a.mp4", "rtsp://camera/1?x=a b", "HTTP://HOST/A.JPG"])
def test_an_address_passes_through(run, address):
    assert run(address)[2]["SOURCE"] == address


def test_a_name_that_is_no_text(run, tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    save(tmp_path / name, BLUE)
    code, lines, parameters = run(name)
    assert code == 0
    assert parameters["SOURCE"] == str(tmp_path / name)
    assert lines[0] == "judging caf\ufffd.png"


@pytest.mark.parametrize(
    ("error", "code", "told"), [(AifaceError("no"), 1, "demo: no"), (KeyboardInterrupt(), 130, "demo: stopped")]
)
def test_what_ends_it_is_named(run, monkeypatch, capsys, error, code, told):
    def execute(*_):
        raise error

    monkeypatch.setattr(demo, "execute", execute)
    monkeypatch.setattr(sys, "argv", ["demo", "--video", "a.mp4"])
    assert demo.main() == code
    assert capsys.readouterr().err == f"{told}\n"


# The face finder


def test_a_finder_that_cannot_be_fetched_is_said_once_with_its_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AIFACE_YUNET_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AIFACE_WEIGHTS_DIR", str(tmp_path))
    demo.fetch_yunet(tmp_path)
    told = capsys.readouterr()
    assert told.err == ""
    fetching, reason, lost, how, _ = told.out.split("\n", 4)
    assert "fetching YuNet" in fetching
    assert f"http://127.0.0.1:1/{YUNET_FILE}: no connection to the server" in reason
    assert "15 times slower" in lost
    assert how.startswith("To mend it: ./fetch.sh faces")


def test_a_finder_that_is_there_is_not_fetched(tmp_path, capsys):
    (tmp_path / YUNET_FILE).touch()
    demo.fetch_yunet(tmp_path)
    assert capsys.readouterr().out == ""
