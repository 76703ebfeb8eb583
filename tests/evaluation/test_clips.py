import unicodedata

import numpy as np
import pytest
import scene
from clips import seconds, text, write_clip
from PIL import Image
from scene import BETWEEN, BLUE, HEIGHT, RED, WIDTH, picture
from sklearn.metrics import roc_auc_score

from aiface.errors import DataError
from aiface.evaluation.clips import clip_figures, judge_clips, list_clips
from aiface.labels import AI, REAL

PEOPLE = {
    "red": [(100, 40, 100, RED)],
    "blue": [(100, 40, 100, BLUE)],
    "between": [(100, 40, 100, BETWEEN)],
    "none": [],
}


def person_clip(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_clip(path, seconds(8), lambda _: picture(*PEOPLE[colour]), (WIDTH, HEIGHT))


def table(folder, text, encoding="utf-8"):
    (folder / "clips.csv").write_bytes(text.encode(encoding))
    return folder


@pytest.fixture
def folder(tmp_path):
    """With three files that are there, as a table may name them; listing does not open them."""
    for name in ("a.mp4", "b.mp4", "sub/c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("file,label\na.mp4,real\nb.mp4,ai\n", [("a.mp4", REAL), ("b.mp4", AI)]),
        ("label,kind,file\nai,a swap,sub/c.mp4\n", [("sub/c.mp4", AI)]),
        ("file,label\nb.mp4, Real \n\na.mp4,fake", [("b.mp4", REAL), ("a.mp4", AI)]),
        ("\ufefffile,label\r\na.mp4,real\r\n", [("a.mp4", REAL)]),  # as Excel writes it
        ("\ufeffFile;Label\r\na.mp4;0\r\nsub\\c.mp4;1\r\n;\r\n", [("a.mp4", REAL), ("sub/c.mp4", AI)]),
        ("FILE,LABEL,note\na.mp4,1,;\nb.mp4,Fake,\n", [("a.mp4", AI), ("b.mp4", AI)]),
        ("sep=;\nfile;label\na.mp4;real\n", [("a.mp4", REAL)]),
        ("label\t file \r0\ta.mp4\r1\tb.mp4", [("a.mp4", REAL), ("b.mp4", AI)]),
        ("filename,label\na.mp4,FALSE\nb.mp4,TRUE\n", [("a.mp4", REAL), ("b.mp4", AI)]),
        ("Path;Is Fake\na.mp4;FALSCH\nb.mp4;WAHR\n", [("a.mp4", REAL), ("b.mp4", AI)]),
        ("id,name,real\n7,a.mp4,TRUE\n8,b.mp4,0\n", [("a.mp4", REAL), ("b.mp4", AI)]),
        ("name,file,target\nAnn,a.mp4,1\n", [("a.mp4", AI)]),
        ("video,class\na.mp4,ai\n", [("a.mp4", AI)]),
        ('"File";"Label"\n"a.mp4";"1_fake"\n', [("a.mp4", AI)]),
    ],
)
def test_a_table_names_clips(folder, rows, expected):
    found = list_clips(table(folder, rows))
    assert [(clip.file, clip.label) for clip in found] == expected
    assert all(clip.path == folder / clip.file for clip in found)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", r"clips.csv: expected the columns file and label, found none; name them"),
        ("file,note\na.mp4,real\n", r"expected the columns file and label, found file, note"),
        ("file|label\na.mp4|real\n", r"expected the columns file and label, found file\|label"),
        ("file;label\na.mp4;2\n", r"line 2: expected the label real or ai \(0 or 1\), found '2'"),
        ("sep=;\nfile;label\na.mp4;2\n", r"line 3: expected the label"),
        ("file,label\n", r"expected a row for each clip, found none"),
        (
            "file,label\na.mp4,real\nb.mp4,maybe\n",
            r"clips.csv, line 3: expected the label real .*, found 'maybe'",
        ),
        ("file,label\na.mp4\n", r"line 2: expected the label real or ai .*, found ''; correct it"),
        (
            "file,label\nmissing.mp4,ai\n",
            r"line 2: expected a clip named 'missing.mp4' in .*, found no such file; correct",
        ),
        ("file,label\n,ai\n", r"line 2: expected a clip named ''"),
        ("file,label\nsub,ai\n", r"line 2: expected a clip named 'sub'"),
        ("file,label\na.mp4,ai\na.mp4,real\n", r"expected each clip once, found a.mp4 more than once"),
    ],
)
def test_a_bad_table_is_refused(folder, rows, message):
    with pytest.raises(DataError, match=message):
        list_clips(table(folder, rows))


def test_a_table_of_unicode_text_is_read(folder):
    found = list_clips(table(folder, "file\tlabel\r\na.mp4\t1\r\n", "utf-16"))
    assert [(clip.file, clip.label) for clip in found] == [("a.mp4", AI)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
@pytest.mark.parametrize("name", ["Österreich é.mp4", unicodedata.normalize("NFD", "é.mp4")])
def test_names_in_any_encoding_of_spreadsheets(folder, encoding, name):
    (folder / name).touch()
    found = list_clips(table(folder, f"file;label\r\n{unicodedata.normalize('NFC', name)};1\r\n", encoding))
    assert [(clip.path, clip.label) for clip in found] == [(folder / name, AI)]


@pytest.mark.parametrize("start", [b"PK\3\4", b"\xd0\xcf\x11\xe0"])
def test_a_workbook_is_no_table(folder, start):
    (folder / "clips.csv").write_bytes(start + bytes(99))
    with pytest.raises(DataError, match=r"clips.csv: expected a table of clips as text, found a workbook; save it as"):
        list_clips(folder)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["real/a.mp4", "fake/b.mov", "ai/c.mp4"], {"real/a.mp4": REAL, "fake/b.mov": AI, "ai/c.mp4": AI}),
        (["fake/deep/real/a.mp4"], {"fake/deep/real/a.mp4": AI}),  # the uppermost folder counts
        (["real/a.png", "real/notes.txt", "other/b.mp4", "c.mp4"], {}),
        (["train/real/a.mp4", "test/real/b.mp4", "test/fake/c.mp4"], {"test/real/b.mp4": REAL, "test/fake/c.mp4": AI}),
        (
            ["Training/real/a.mp4", "Testing/0_real/b.mp4", "Testing/1_fake/c.mp4"],
            {"Testing/0_real/b.mp4": REAL, "Testing/1_fake/c.mp4": AI},
        ),
    ],
)
def test_folders_label_clips(tmp_path, files, expected):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {clip.file: clip.label for clip in list_clips(tmp_path)} == expected


def test_only_a_test_split_of_clips_is_measured(tmp_path):
    (tmp_path / "train" / "real").mkdir(parents=True)
    (tmp_path / "train" / "real" / "a.mp4").touch()
    with pytest.raises(DataError, match="expected clips in a test split, found train only"):
        list_clips(tmp_path)
    assert [clip.file for clip in list_clips(tmp_path / "train")] == ["real/a.mp4"]  # named as such, it was asked for


@pytest.fixture
def judged(tmp_path):
    colours = {"real/blue.mp4": "blue", "real/red.mp4": "red", "real/none.mp4": "none",
               "fake/red.mp4": "red", "fake/blue.mp4": "blue", "fake/between.mp4": "between"}  # fmt: skip
    for name, colour in colours.items():
        person_clip(tmp_path / name, colour)
    text(tmp_path / "fake", "damaged.mp4")
    return judge_clips(list_clips(tmp_path), scene.Finder(), scene.detector(), resamples=20)


def test_clips_are_judged(judged):
    rows = {row["file"]: row for row in judged["rows"]}
    assert {name: (row["label"], row["verdict"]) for name, row in rows.items()} == {
        "fake/between.mp4": ("ai", "inconclusive"), "fake/blue.mp4": ("ai", "real"), "fake/red.mp4": ("ai", "ai"),
        "real/blue.mp4": ("real", "real"), "real/none.mp4": ("real", "inconclusive"), "real/red.mp4": ("real", "ai"),
    }  # fmt: skip
    assert all(list(row) == ["file", "label", "verdict", "score", "people", "reasons"] for row in rows.values())
    assert (rows["real/none.mp4"]["score"], rows["real/none.mp4"]["people"]) == (None, [])
    assert rows["fake/red.mp4"]["people"][0]["verdict"] == "ai"


def test_clips_are_counted(judged):
    counts = {key: judged[key] for key in judged if key.startswith(("n_", "real_", "ai_"))}
    assert counts == {
        "n_real": 3, "n_ai": 3, "real_called_ai": 1, "real_inconclusive": 1, "ai_called_real": 1, "ai_inconclusive": 1,
    }  # fmt: skip
    scored = [row for row in judged["rows"] if row["score"] is not None]
    auc = roc_auc_score([row["label"] == "ai" for row in scored], [row["score"] for row in scored])
    assert judged["auc"] == pytest.approx(auc)
    low, high = judged["intervals"]["auc"]
    assert 0 <= low <= auc <= high <= 1


def test_a_clip_that_cannot_be_judged_is_left_out(judged):
    assert judged["left_out"] == 1
    assert "expected a video" in judged["errors"]["fake/damaged.mp4"]


@pytest.mark.parametrize("labels", [[], ["real"], ["ai", "ai"]])
def test_without_both_classes_there_is_no_auc(labels):
    found = clip_figures([{"label": label, "verdict": "ai", "score": 0.9} for label in labels])
    assert (found["auc"], found["intervals"]) == (None, {"auc": None})
    assert (found["n_real"], found["n_ai"]) == (labels.count("real"), labels.count("ai"))


def test_an_interrupt_ends_it_all(tmp_path):
    def interrupted(image):
        raise KeyboardInterrupt

    person_clip(tmp_path / "real" / "a.mp4", "blue")
    with pytest.raises(KeyboardInterrupt):
        judge_clips(list_clips(tmp_path), interrupted, scene.detector())


def test_progress_is_told(tmp_path):
    person_clip(tmp_path / "real" / "a.mp4", "blue")
    told = []
    judge_clips(list_clips(tmp_path), scene.Finder(), scene.detector(), lambda clips: told.extend(clips) or clips)
    assert [clip.file for clip in told] == ["real/a.mp4"]


def test_pictures_are_no_clips(tmp_path):
    (tmp_path / "real").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "real" / "a.png")
    assert list_clips(tmp_path) == []
