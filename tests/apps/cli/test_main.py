import csv
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import scene
from clips import FakeFinder, noise, seconds, text, write_clip
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scene import BLUE, HEIGHT, RED, WIDTH, picture
from trees import close_folder

from aiface.__main__ import main
from aiface.apps.cli import info
from aiface.apps.notebooks.runner import read_parameters
from aiface.data.crop_sets import CropSet
from aiface.io.files import shown
from aiface.models.calibration import Calibration
from aiface.models.detector import Detector
from aiface.paths import ROOT
from aiface.training.devices import HOSTS

KEYS = ["path", "verdict", "score", "likelihood_ratio", "people", "reasons", "error", "says_generated"]
PERSON_KEYS = [
    "verdict", "score", "likelihood_ratio", "looks", "scored", "faces", "first_s", "last_s", "ai_intervals_s",
    "reasons",
]  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A detector on disk whose logit is high for red crops and low for blue ones."""
    from aiface.models.bundle import save_bundle
    from aiface.models.keras_import import keras

    image = keras.Input((256, 256, 3), dtype="uint8")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(1)(x), name="by_colour")
    model.layers[-1].set_weights([np.array([[12.0], [0.0], [-12.0]]), np.zeros(1)])
    folder = tmp_path_factory.mktemp("bundles") / "by-colour"
    return save_bundle(model, folder, Calibration(**scene.CALIBRATION), {"summary": "by colour"}, {})


@pytest.fixture
def finder(monkeypatch):
    found = scene.Finder()
    monkeypatch.setattr("aiface.faces.finder.load_finder", lambda folder: found)
    monkeypatch.setattr(Detector, "is_art", scene.ByColour.is_art)  # people here are drawn
    return found


@pytest.fixture
def run(bundle, finder, capsys):
    """`run("analyze", ...)` gives the exit code and what was printed on stdout and stderr."""

    def run(command, *arguments):
        code = main([command, *map(str, arguments), "--detector", str(bundle)])
        return code, *capsys.readouterr()

    return run


def save(path, *people):
    Image.fromarray(picture(*people)).save(path)
    return path


def real(path):
    return save(path, (100, 40, 100, BLUE))


def rows_of(printed):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    assert printed.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in printed.removesuffix("\n").split("\n")]


def test_json_lines(tmp_path, run):
    couple = picture((20, 30, 100, RED), (180, 40, 90, BLUE))
    write_clip(tmp_path / "a.mp4", seconds(9), lambda _: couple, (WIDTH, HEIGHT))
    real(tmp_path / "b.png")
    save(tmp_path / "c.png")
    save(tmp_path / "d.png", (100, 40, 50, RED))  # too small
    text(tmp_path, "e.mp4")
    code, printed, told = run("analyze", tmp_path, tmp_path / "missing.png", "--json")
    rows = rows_of(printed)
    assert code == 1
    assert [Path(row["path"]).name for row in rows] == ["a.mp4", "b.png", "c.png", "d.png", "e.mp4", "missing.png"]
    assert [row["verdict"] for row in rows] == ["ai", "real"] + ["inconclusive"] * 4
    for row in rows:
        assert list(row) == KEYS
        assert all(list(person) == PERSON_KEYS for person in row["people"])
    assert rows[0]["score"] > 0.9 > 0.1 > rows[1]["score"]  # P(AI)
    assert [person["verdict"] for person in rows[0]["people"]] == ["ai", "real"]
    assert [row["score"] is None for row in rows] == [False, False, True, False, True, True]
    assert (rows[2]["reasons"], rows[2]["error"]) == (["no face found"], None)
    assert rows[3]["reasons"][0].startswith("face too small")
    assert "expected a video" in rows[4]["error"]
    assert "check the path" in rows[5]["error"]
    assert told == ""


def test_lines_for_people(tmp_path, run):
    code, printed, told = run("analyze", real(tmp_path / "a.png"), tmp_path / "missing.png")
    assert code == 1
    assert printed.startswith(f"{tmp_path / 'a.png'}: looks real\n  person 1: looks real, score 0.0")
    assert printed.count("\n") == 2
    assert told == f"aiface: {tmp_path / 'missing.png'}: expected an image, found no such file; check the path\n"


def says_so(path):
    """A real face in a file that says AI made it."""
    says = PngInfo()
    says.add_text("parameters", "a woman\nSteps: 20, Sampler: Euler a, CFG scale: 7")
    Image.fromarray(picture((100, 40, 100, BLUE))).save(path, pnginfo=says)
    return path


SAYS = "text parameters: a woman Steps: 20, Sampler: Euler a, CFG scale: 7"


@pytest.mark.parametrize("out", [False, True])
def test_what_a_file_says_of_its_origin_is_told_in_each_form(tmp_path, run, out):
    path, folder = says_so(tmp_path / "a.png"), iter(tmp_path / name for name in "xyz")

    def printed(*form):
        return run("analyze", path, real(tmp_path / "b.png"), *form, *(["--out", next(folder)] if out else []))[1]

    assert f"\n  the file says that AI made it, or a part of it: {SAYS}\n{tmp_path / 'b.png'}: " in printed()
    assert [row["says_generated"] for row in rows_of(printed("--json"))] == [[SAYS], []]
    assert [row["says_generated"] for row in table(printed("--csv"))] == [SAYS, ""]


def table(printed):
    assert printed.startswith("\ufeffpath,person,verdict,score,likelihood_ratio,")
    return list(csv.DictReader(io.StringIO(printed.removeprefix("\ufeff"), newline=""), strict=True))


def test_csv_has_a_row_for_all_that_lies_there(tmp_path, run):
    couple = picture((20, 30, 100, RED), (180, 40, 90, BLUE))
    write_clip(tmp_path / "a.mp4", seconds(9), lambda _: couple, (WIDTH, HEIGHT))
    text(tmp_path, "b.mp4")
    (tmp_path / "c.txt").touch()
    code, printed, told = run("analyze", tmp_path, tmp_path / "=d.png", "--csv")
    assert (code, told) == (1, "")
    assert [(Path(row["path"]).name, row["person"], row["verdict"]) for row in table(printed)] == [
        ("a.mp4", "1", "ai"), ("a.mp4", "2", "real"), ("b.mp4", "", "error"), ("=d.png", "", "error"),
        ("c.txt", "", "skipped"),
    ]  # fmt: skip


def test_all_went_well(tmp_path, run):
    assert run("analyze", real(tmp_path / "a.png"))[0] == 0


def test_an_empty_folder_gets_a_row(tmp_path, run):
    code, printed, _ = run("analyze", tmp_path, "--json")
    (row,) = rows_of(printed)
    assert code == 1
    assert "expected images or videos in this folder, found none" in row["error"]


def test_the_rate_is_used(tmp_path, run, finder):
    write_clip(tmp_path / "a.mp4", seconds(20), lambda _: picture(), (WIDTH, HEIGHT))
    assert run("analyze", tmp_path / "a.mp4", "--rate", "10")[0] == 0
    assert finder.seen == 20


def test_warnings_go_to_stderr(tmp_path, run):
    path = write_clip(tmp_path / "a.mp4", seconds(60), noise, movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    code, printed, told = run("analyze", path, "--json")
    assert code == 0
    assert len(rows_of(printed)) == 1
    assert told.startswith(f"aiface: {path}: read ")


ODD_NAMES = (
    "new\nline.png",
    "quotes \"'`.png",
    "Zoë 写真 \U0001f600.png",
    " -x.png",
    os.fsdecode(b"bytes \xff\xfe.png"),
)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_survive(tmp_path, run, name):
    try:
        path = real(tmp_path / name)
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system takes no such name")
    code, printed, _ = run("analyze", path, "--json")
    assert code == 0
    assert [row["path"] for row in rows_of(printed)] == [shown(path)]
    assert run("analyze", path)[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["judge"],
        ["analyze"],
        ["analyze", "a.png", "--rate", "0"],
        ["analyze", "a.png", "--rate", "1.9"],
        ["analyze", "a.png", "--rate", "nan"],
        ["analyze", "a.png", "--rate", "inf"],
        ["analyze", "a.png", "--rate", "fast"],
        ["analyze", "a.png", "--unknown"],
        ["analyze", "a.png", "--explain"],
        ["analyze", "a.png", "--json", "--csv"],
        ["live", "0", "1"],
        ["prepare", "data"],
        ["audit"],
        ["prepare", "data", "out", "--valid", "1"],
        ["prepare", "data", "out", "--valid", "-0.1"],
    ],
)
def test_wrong_use(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    printed, told = capsys.readouterr()
    assert printed == ""
    assert told.startswith("usage: python -m aiface")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze", "a.png"], "card.json: expected a bundle's card, found no file"),
        (["live"], "card.json: expected a bundle's card, found no file"),
    ],
)
def test_a_detector_that_is_missing(tmp_path, finder, capsys, arguments, message):
    assert main([*arguments, "--detector", str(tmp_path / "nothing")]) == 1
    printed, told = capsys.readouterr()
    assert printed == ""
    assert told.startswith("aiface: ")
    assert message in told


def test_an_interrupt_prints_what_was_done_and_stops(tmp_path, bundle, finder, monkeypatch, capsys):
    def interrupted(image):
        if finder.seen == 5:
            raise KeyboardInterrupt
        return finder(image)

    monkeypatch.setattr("aiface.faces.finder.load_finder", lambda folder: interrupted)
    for name in "ab":
        write_clip(tmp_path / f"{name}.mp4", seconds(20), lambda _: picture((20, 30, 100, RED)), (WIDTH, HEIGHT))
    assert main(["analyze", str(tmp_path), "--json", "--detector", str(bundle)]) == 130
    printed, told = capsys.readouterr()
    (row,) = rows_of(printed)
    assert (row["verdict"], row["people"][0]["faces"]) == ("ai", 5)
    assert told.splitlines() == [
        f"aiface: {tmp_path / 'a.mp4'}: stopped by hand, 0.8 s were judged",
        "aiface: stopped",
    ]


def test_a_reader_that_has_had_enough(tmp_path, bundle, finder, monkeypatch, capfd):
    """As `| head -1` closes the pipe."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert main(["analyze", str(real(tmp_path / "a.png")), "--json", "--detector", str(bundle)]) == 1
    assert capfd.readouterr().err == ""


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(
    "command",
    [[], *([name] for name in ("analyze", "live", "app", "prepare", "audit", "train", "evaluate", "export", "info"))],
    ids=lambda command: " ".join(command),
)
def test_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert "usage: python -m aiface" in capsys.readouterr().out


def test_help_comes_before_tensorflow_is_loaded():
    code = "import runpy, sys\nsys.argv = ['aiface', '--help']\ntry: runpy.run_module('aiface', run_name='__main__')\n"
    code += "except SystemExit: print(sorted({'keras', 'tensorflow', 'cv2', 'av'} & set(sys.modules)))"
    assert python("-c", code).stdout.endswith("\n[]\n")


def test_nothing_but_the_window_needs_pygame():
    code = "import importlib, pkgutil, sys, aiface\n"
    code += "for module in pkgutil.walk_packages(aiface.__path__, 'aiface.'): importlib.import_module(module.name)\n"
    code += "print('aiface.apps.live.live' in sys.modules, 'pygame' in sys.modules)"
    assert python("-c", code).stdout == "True False\n"


def test_prepare(tmp_path, make_tree, fake_finder, monkeypatch, capsys):
    monkeypatch.setattr("aiface.faces.finder.load_finder", lambda folder: fake_finder)
    tree = make_tree(tmp_path / "faces", splits=("train", "test"), count=4)
    (tree / "train" / "real" / "0000.png").write_bytes(b"no image")
    arguments = ["prepare", str(tree), str(tmp_path / "crops"), "--valid", "0.3"]
    assert main(arguments) == 0
    printed, _ = capsys.readouterr()
    table, last = printed.rsplit("\n}\n", 1)
    counts = json.loads(table + "\n}")
    assert sum(sum(classes.values()) for sources in counts.values() for classes in sources.values()) == 16
    assert last.startswith(f"15 crops in {tmp_path / 'crops'}; left out: ")
    crops = CropSet(tmp_path / "crops")
    assert np.bincount(crops.labels).tolist() == [7, 8]
    assert main(arguments) == 0
    assert fake_finder.calls == 15  # what was done is not done again


def test_prepare_nothing(tmp_path, capsys):
    assert main(["prepare", str(tmp_path), str(tmp_path / "crops")]) == 1
    assert "expected pictures in folders real/ and fake/" in capsys.readouterr().err


def test_live_plays_a_clip_to_its_end(tmp_path, run, finder, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    path = write_clip(tmp_path / "a.mp4", seconds(4), lambda _: picture((20, 30, 100, RED)), (WIDTH, HEIGHT))
    assert run("live", path) == (0, "", "")
    assert finder.seen >= 1


def test_live_without_a_camera(run):
    code, printed, told = run("live", "97")
    assert (code, printed) == (1, "")
    assert told.startswith("aiface: camera 97: expected a frame")


def test_evaluate_measures_a_set(make_tree, tiny_detector, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("aiface.faces.finder.load_finder", lambda *arguments: FakeFinder())
    root, bundle = make_tree(tmp_path / "faces", count=3), tiny_detector(tmp_path / "bundle", kernel=0.05)
    arguments = ["evaluate", str(bundle), str(root), "--json", "--no-curves", "--resamples", "5"]
    assert main([*arguments, "--out", str(tmp_path / "docs")]) == 0
    found = json.loads(capsys.readouterr().out)
    keys = {"auc", "ap", "eer", "accuracy", "ece", "tpr_at_fpr_1", "fpr_at_1", "n_real", "n_ai", "left_out", "sources"}
    assert keys <= set(found["sets"]["faces"])
    assert found["sets"]["faces"]["n_real"] == 3  # of the test split alone
    text = (tmp_path / "docs" / "RESULTS.md").read_text(encoding="utf-8")
    assert "| faces | 3 | 3 |" in text
    assert f"`python -m aiface evaluate {bundle} {root}`" in text


def test_evaluate_judges_clips(bundle, finder, tmp_path, capsys):
    write_clip(tmp_path / "a.mp4", seconds(8), lambda _: picture((20, 30, 100, RED)), (WIDTH, HEIGHT))
    (tmp_path / "clips.csv").write_text("file,label\na.mp4,real\n")
    assert main(["evaluate", str(bundle), str(tmp_path), "--json"]) == 0
    (clips,) = json.loads(capsys.readouterr().out)["clips"].values()
    assert (clips["n_real"], clips["real_called_ai"], clips["left_out"]) == (1, 1, 0)


@pytest.mark.parametrize("name", ["unsorted", os.fsdecode(b"caf\xe9")])
def test_evaluate_lists_and_counts_what_it_leaves_out(bundle, finder, tmp_path, capsys, name):
    root = tmp_path / name
    for place in ("real", "fake", name, "more/deep"):
        (root / place).mkdir(parents=True)
        Image.fromarray(picture((100, 40, 100, RED if place == "fake" else BLUE))).save(root / place / "a.png")
    write_clip(root / name / "a.mp4", seconds(2), lambda _: picture(), (WIDTH, HEIGHT))
    arguments = ["evaluate", str(bundle), str(root), "--no-curves", "--resamples", "5", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    where = "aiface: left out, in a folder that names no class: "
    counts = (("more/deep", "1 file"), (name, "2 files"))
    assert sorted(told[:-1]) == sorted(f"{where}{shown(root / place)}: {count}" for place, count in counts)
    assert "left out in all, in a folder that names no class: 3 files" in told[-1]
    assert f"| {shown(name)} | 1 | 1 |" in (tmp_path / "out" / "RESULTS.md").read_text(encoding="utf-8")


def test_evaluate_leaves_out_nothing_that_a_table_names(bundle, finder, tmp_path, capsys):
    (tmp_path / "all").mkdir()
    write_clip(tmp_path / "all" / "a.mp4", seconds(8), lambda _: picture((20, 30, 100, RED)), (WIDTH, HEIGHT))
    (tmp_path / "clips.csv").write_text("file,label\nall/a.mp4,ai\n")
    assert main(["evaluate", str(bundle), str(tmp_path)]) == 0
    assert "left out, " not in capsys.readouterr().err


def test_evaluate_says_what_is_wrong_with_a_table(bundle, finder, tmp_path, capsys):
    (tmp_path / "clips.csv").write_text("file,label\na.mp4,real\n")
    assert main(["evaluate", str(bundle), str(tmp_path)]) == 1
    assert "clips.csv, line 2: expected a clip named 'a.mp4'" in capsys.readouterr().err


@pytest.mark.parametrize("json_wanted", [False, True])
def test_audit(make_tree, tmp_path, capsys, json_wanted):
    root = make_tree(tmp_path / "faces", splits=("train", "test"), count=3)
    (root / "train" / "real" / "0000.png").write_bytes((root / "test" / "fake" / "0000.png").read_bytes())
    (root / "test" / "real" / "0000.png").write_bytes(b"no image")
    arguments = ["audit", str(root), "--out", str(tmp_path / "out"), *(["--json"] if json_wanted else [])]
    assert main(arguments) == 0
    printed, told = capsys.readouterr()
    assert told == "".join(f"aiface: wrote {tmp_path / 'out' / name}\n" for name in ("audit.html", "audit.json"))
    assert (tmp_path / "out" / "audit.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    saved = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert "exact_duplicates_across_splits" in {finding["trait"] for finding in saved["findings"]}
    if json_wanted:
        assert rows_of(printed) == [saved]
    else:
        *findings, last = printed.splitlines()
        assert [line.split(": ", 1)[1] for line in findings] == [finding["sentence"] for finding in saved["findings"]]
        assert findings[0].startswith("problem: ")
        assert last == "No score: too few pictures of a class."


def test_audit_names_paths_that_exist(make_tree, tmp_path, capsys):
    root = make_tree(tmp_path / "faces", splits=("train", "Testing"), count=2)
    (root / "train" / "real" / "0000.png").write_bytes((root / "Testing" / "fake" / "0000.png").read_bytes())
    (root / "Testing" / "real" / "0000.png").write_bytes(b"no image")
    assert main(["audit", str(root), "--out", str(tmp_path / "out")]) == 0
    for told in (capsys.readouterr().out, (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")):
        named = set(re.findall(rf"{root}/[\w/]+\.png", told))
        assert len(named) >= 3
        assert all(map(os.path.isfile, named))


def test_prepare_tells_what_is_left_out(make_tree, tmp_path, capsys, monkeypatch, fake_finder):
    monkeypatch.setattr("aiface.faces.finder.load_finder", lambda folder: fake_finder)
    root = make_tree(tmp_path / "faces", splits=("train",), count=2)
    (root / "train" / "fake").rename(root / "train" / "Fakes")
    (root / "train" / "other").mkdir()
    (root / "train" / "other" / "a.png").touch()
    assert main(["prepare", str(root), str(tmp_path / "none")]) == 1
    assert (
        f"none labelled ai; put them into a folder named fake/; left out: {root}/train/Fakes" in capsys.readouterr().err
    )
    assert main(["prepare", str(root), str(tmp_path / "out"), "--fake", "fakes"]) == 0
    printed, told = capsys.readouterr()
    assert f"aiface: left out, in a folder that names no class: {root}/train/other: 1 picture\n" in told
    assert "'in a folder that names no class': 1" in printed
    close_folder(monkeypatch, "other")
    assert main(["prepare", str(root), str(tmp_path / "out"), "--fake", "fakes"]) == 1
    told = capsys.readouterr().err
    assert f"aiface: {root}/train/other: expected a folder that can be opened, found: Permission denied" in told
    assert "aiface: folders that could not be opened: 1;" in told


def test_audit_of_nothing(tmp_path, capsys):
    assert main(["audit", str(tmp_path)]) == 1
    assert "expected pictures in folders real/ and fake/" in capsys.readouterr().err


def test_a_folder_that_cannot_be_opened_is_named_with_out_too(tmp_path, run, monkeypatch):
    (tmp_path / "in" / "closed").mkdir(parents=True)
    real(tmp_path / "in" / "a.png")
    close_folder(monkeypatch, "closed")
    for known in (0, 1):
        code, _, told = run("analyze", tmp_path / "in", "--out", tmp_path / "out")
        assert code == 1
        assert told.count(f"aiface: {tmp_path}/in/closed: expected a folder that can be opened, found: ") == 1
        assert f"aiface: {1 - known} judged now, {known} known before, 1 could not be judged: " in told


def test_a_name_stays_in_its_line(tmp_path, run):
    real(tmp_path / "a\nb.png: looks AI-generated.png")
    (tmp_path / "c\rd.txt").write_text("c")
    real(tmp_path / "e\x1b[31mf\u202egnp.png")
    _, printed, told = run("analyze", tmp_path)
    assert f"{tmp_path}/e\ufffd[31mf\ufffdgnp.png: looks real\n" in printed
    assert printed.startswith(f"{tmp_path}/a\ufffdb.png: looks AI-generated.png: looks real\n")
    assert told == f"aiface: skipped, neither a picture nor a clip: 1 ({tmp_path}/c\ufffdd.txt)\n"


def test_what_is_skipped_is_told(tmp_path, run):
    (tmp_path / "in").mkdir()
    real(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "in" / "c.txt").write_text("c")
    dead, other = "a link to what is not there", "neither a picture nor a clip"
    code, _, told = run("analyze", tmp_path / "in")
    lines = [
        f"aiface: skipped, {why}: 1 ({tmp_path / 'in' / name})" for why, name in ((dead, "b.jpg"), (other, "c.txt"))
    ]
    assert (code, told.splitlines()) == (0, lines)
    code, _, told = run("analyze", tmp_path / "in", "--out", tmp_path / "out")
    assert (code, told.splitlines()[-1][:59]) == (
        0,
        "aiface: 1 judged now, 0 known before, 2 skipped: " + str(tmp_path)[:10],
    )
    rows = json.loads((tmp_path / "out" / "index.json").read_text(encoding="utf-8"))["inputs"]
    assert [row["why"] for row in rows if row["verdict"] == "skipped"] == [dead, other]


def test_a_folder_of_reports(tmp_path, run):
    for name in "ab":
        real(tmp_path / f"{name}.png")
    code, printed, told = run("analyze", str(tmp_path / "*.png"), "--out", tmp_path / "out", "--json")
    assert code == 0
    assert [row["verdict"] for row in rows_of(printed)] == ["real", "real"]
    assert told == f"aiface: 2 judged now, 0 known before: {tmp_path / 'out' / 'index.html'}\n"
    assert run("analyze", str(tmp_path / "*.png"), "--out", tmp_path / "out")[:2] == (0, "")  # nothing is judged again


def test_the_last_line_counts_what_was_not_judged(tmp_path, run):
    (tmp_path / "in").mkdir()
    real(tmp_path / "in" / "a.png")
    text(tmp_path / "in", "b.mp4")
    (tmp_path / "in" / "c.txt").touch()
    counts = "1 could not be judged, 1 skipped"
    for now, before in ((1, 0), (0, 1)):
        code, _, told = run("analyze", tmp_path / "in", "--out", tmp_path / "out")
        last = f"aiface: {now} judged now, {before} known before, {counts}: {tmp_path / 'out' / 'index.html'}"
        assert (code, told.splitlines()[-1]) == (1, last)


def test_clips_are_left_out_of_reports(tmp_path, run):
    write_clip(tmp_path / "a.mp4", seconds(9), lambda _: picture((20, 30, 100, RED)), (WIDTH, HEIGHT))
    for options, clips in (([], 1), (["--no-clips"], 0)):
        out = tmp_path / f"out{clips}"
        assert run("analyze", tmp_path / "a.mp4", "--out", out, *options)[0] == 0
        assert len(list(out.glob("*.mp4"))) == clips


def test_reports_with_maps(tmp_path, run):
    code, _, _ = run("analyze", real(tmp_path / "a.png"), "--out", tmp_path / "out", "--explain")
    (page,) = (path for path in (tmp_path / "out").glob("*.html") if path.name != "index.html")
    assert code == 0
    assert "Where the detector looked" in page.read_text(encoding="utf-8")


def test_reports_take_no_keras(tmp_path):
    """Neither writing them nor the index, as long as no maps are asked for."""
    code = "import sys; sys.path.insert(0, 'tests/helpers'); import judge_by_colour as judge\n"
    code += f"status = judge.main(['analyze', {str(real(tmp_path / 'a.png'))!r}, '--out', {str(tmp_path / 'out')!r}])\n"
    code += "print(status, sorted({'keras', 'tensorflow', 'jax'} & set(sys.modules)))"
    assert python("-c", code).stdout.endswith("\n0 []\n")


def test_info(bundle, capsys):
    assert main(["info", "--detector", str(bundle), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["detector"]["sha256"] == json.loads((bundle / "card.json").read_text())["sha256"]
    assert found["detector"]["AI from"] == scene.CALIBRATION["thresholds"]["0.01"]
    assert found["versions"]["numpy"] == np.__version__
    assert main(["info", "--detector", str(bundle)]) == 0
    assert found["detector"]["sha256"] in capsys.readouterr().out


def test_info_knows_every_extra_that_runs_something():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(info.EXTRAS) == {name for name in extras if "cuda" not in name} - {"dev"}


def test_info_without_a_detector(tmp_path, capsys):
    assert main(["info", "--detector", str(tmp_path / "none"), "--weights", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "problem" in told
    assert "MTCNN" in told


def test_train_runs_the_notebook_with_a_recipe(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        "aiface.apps.notebooks.runner.execute", lambda *arguments: asked.append(arguments) or arguments[1]
    )
    (tmp_path / "a.yaml").write_text("EPOCHS: 3\nDATA: [one, two]\n")
    out = tmp_path / "done.ipynb"
    assert (
        main(["train", str(tmp_path / "a.yaml"), "--set", "EPOCHS=5", "--set", "AUDIT=false", "--out", str(out)]) == 0
    )
    ((notebook, executed, parameters, _),) = asked
    assert (notebook, executed) == ("train.ipynb", out)
    assert parameters == {"EPOCHS": 5, "DATA": ["one", "two"], "AUDIT": False}
    assert str(out) in capsys.readouterr().err


def test_train_without_what_executes_notebooks(monkeypatch, capsys):
    """As after a bare `pip install .`."""
    monkeypatch.delitem(sys.modules, "aiface.apps.notebooks.runner", raising=False)
    monkeypatch.setitem(sys.modules, "papermill", None)
    assert main(["train"]) == 1
    assert "pip install 'aiface[notebooks]'" in capsys.readouterr().err


@pytest.mark.parametrize(("process", "name"), [("0", "done.ipynb"), ("1", "done-1.ipynb")])
def test_each_of_several_processes_has_its_executed_notebook(tmp_path, monkeypatch, process, name):
    asked = []
    monkeypatch.setattr(
        "aiface.apps.notebooks.runner.execute", lambda *arguments: asked.append(arguments[1]) or arguments[1]
    )
    for variable, value in zip(HOSTS, ("10.0.0.1:1234", "2", process), strict=True):
        monkeypatch.setenv(variable, value)
    assert main(["train", "--set", "DEVICES=all", "--out", str(tmp_path / "done.ipynb")]) == 0
    assert asked == [tmp_path / name]


@pytest.mark.parametrize(
    ("recipe", "change", "message"),
    [
        ("EPOCHS: 3", "EPOCH=5", "expected parameters among DATA, CROPS"),
        ("EPOCH: 3", "EPOCHS=5", "found EPOCH"),
        ("- a list", "EPOCHS=5", "expected a YAML file of parameters"),
        ("{", "EPOCHS=5", "expected a YAML file of parameters"),
        (None, "EPOCHS=5", "expected a YAML file of parameters"),
        ("EPOCHS: three", "SEED=1", "expected EPOCHS of type int, such as 16; found 'three'"),
        ("SEED: 1", "AUDIT=0", "expected AUDIT of type bool, such as True; found 0"),
        ("DATA: data", "SEED=1", "expected DATA of type list"),
        ("SEED: 1", "LEARNING_RATE=true", "expected LEARNING_RATE of type float"),
    ],
)
def test_train_with_wrong_parameters(tmp_path, capsys, recipe, change, message):
    if recipe:
        (tmp_path / "a.yaml").write_text(recipe)
    assert main(["train", str(tmp_path / "a.yaml"), "--set", change, "--out", str(tmp_path / "x.ipynb")]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "number"), [("2e-4", 2e-4), ("2.0e-4", 2e-4), ("1E+1", 10.0), (".5e0", 0.5), ("1", 1)]
)
def test_numbers_are_read_as_people_write_them(tmp_path, text, number):
    (recipe := tmp_path / "a.yaml").write_text(f"LEARNING_RATE: {text}\nRUN: runs/2e-4")
    found = read_parameters("train.ipynb", recipe, [f"CUTMIX={text}"])
    assert found == {"LEARNING_RATE": number, "RUN": "runs/2e-4", "CUTMIX": number}
    assert type(found["CUTMIX"]) is type(number)
