import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from trees import COUNT, SIZE, first, picture, plain, save

from aiface.audit import shortcut
from aiface.audit.audit import audit, judge
from aiface.audit.duplicates import find_duplicates
from aiface.audit.findings import duplicate_findings, split_findings, unreadable_findings
from aiface.audit.measurements import measure
from aiface.audit.report import to_html, to_json
from aiface.data.folders import scan
from aiface.errors import DataError
from aiface.labels import REAL

# What is planted in a tree that is otherwise clean: name -> (how, the trait that must be found)


def copy_across_splits(root):
    source = first(root, "train", "real")
    (root / "test" / "real" / "copyx.jpg").write_bytes(source.read_bytes())


def near_copy_across_splits(root):
    image = np.asarray(Image.open(first(root, "train", "real")))
    smaller = cv2.resize(image, (SIZE - 9, SIZE - 9), interpolation=cv2.INTER_AREA)
    save(smaller, root / "test" / "real" / "nearx.jpg", quality=60)


def copy_across_classes(root):
    source = first(root, "train", "real")
    (root / "train" / "fake" / "copyx.jpg").write_bytes(source.read_bytes())


def near_copy_across_classes(root):
    save(np.asarray(Image.open(first(root, "train", "real"))), root / "train" / "fake" / "nearx.jpg", quality=60)


def copy_within(root):
    source = first(root, "train", "real")
    source.with_name("copyx.jpg").write_bytes(source.read_bytes())


def unreadable_file(root):
    (root / "train" / "fake" / "brokenx.jpg").write_bytes(b"not a picture")


def source_in_test_only(root):
    rng = np.random.default_rng(9)
    for name in ("real", "fake"):
        for index in range(4):
            save(picture(rng), root / "test" / name / f"webcam_{index}.jpg")


def source_of_one_class(root):
    rng = np.random.default_rng(9)
    for split in ("train", "test"):
        save(picture(rng), root / split / "fake" / f"gan_{split == 'test':d}.jpg")


def name_in_both_splits(root):
    source = first(root, "train", "real")
    save(picture(np.random.default_rng(9)), root / "test" / "real" / source.name)


def few_fakes_in_test(root):
    for path in sorted(Path(root, "test", "fake").iterdir())[10:]:
        path.unlink()


def no_fakes_in_test(root):
    for path in sorted(Path(root, "test", "fake").iterdir()):
        path.write_bytes(b"")  # which scan counts, and nobody can read


PLANTED = {
    "exact_duplicates_across_splits": (copy_across_splits, "copyx.jpg"),
    "near_duplicates_across_splits": (near_copy_across_splits, "nearx.jpg"),
    "exact_duplicates_across_classes": (copy_across_classes, "copyx.jpg"),
    "near_duplicates_across_classes": (near_copy_across_classes, "nearx.jpg"),
    "duplicates_within": (copy_within, "1 spare identical copy"),
    "unreadable": (unreadable_file, "brokenx.jpg"),
    "source_in_one_split": (source_in_test_only, "webcam (test)"),
    "single_class_sources": (source_of_one_class, "gan"),
    "name_in_two_splits": (name_in_both_splits, "1 file name "),
    "class_share": (few_fakes_in_test, "test 25%"),
    "missing_class": (no_fakes_in_test, "Test holds no AI picture"),
}
EXIF = b"Exif\0\0MM\0*\0\0\0\x08" + b"\0\x01\x01\x0f\0\x02\0\0\0\x04aif\0" + bytes(4)  # one tag, the maker
# How the AI class is made: name of the trait -> (arguments of `plain`, words in its finding, whether metadata tell)
MADE = {
    "jpeg_tables": ({"quality": 92}, "JPEG tables", True),
    "jpeg_quality": ({"quality": 92}, "higher in AI pictures. Median over all 85 in real and 92 in AI", True),
    "subsampling": ({"subsampling": 0}, "4:4:4: 0% of real and 100% of AI", True),
    "progressive": ({"progressive": True}, "yes: 0% of real and 100% of AI", True),
    "exif": ({"exif": EXIF}, "yes: 0% of real and 100% of AI", True),
    "format": ({"suffix": ".png"}, "PNG: 0% of real and 100% of AI", True),
    "sharpness": ({"change": lambda x: cv2.addWeighted(x, 1.7, cv2.GaussianBlur(x, (0, 0), 1), -0.7, 0)},
                  "higher in AI pictures", False),
    "noise": ({"change": lambda x: cv2.GaussianBlur(x, (0, 0), 0.8)}, "lower in AI pictures", False),
    "brightness": ({"change": lambda x: cv2.add(x, (40, 40, 40, 0))}, "higher in AI pictures", False),
    "saturation": ({"change": lambda x: cv2.addWeighted(x, 0.5, x[..., ::-1].copy(), 0.5, 0)}, "lower in AI", False),
    "width": ({"change": lambda x: cv2.resize(x, (SIZE + 24, SIZE), interpolation=cv2.INTER_CUBIC)},
              "higher in AI pictures. Median over all 96 in real and 120 in AI", True),
    "size": ({"change": lambda x: cv2.resize(x, (SIZE + 8, SIZE + 8), interpolation=cv2.INTER_CUBIC)},
             "104x104: 0% of real and 100% of AI", True),
}  # fmt: skip


def named(found):
    """The sentence of each trait's finding that is more than information, copies within a split apart."""
    return {f.trait: f.sentence for f in found.findings if f.severity != "info" or f.trait == "duplicates_within"}


@pytest.fixture(autouse=True)
def one_partition(monkeypatch):
    monkeypatch.setattr(shortcut, "REPEATS", 1)  # into folds: enough for what is planted, and faster


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    """A set with nothing in it but its labels, its audit."""
    return audit(scan(plain(tmp_path_factory.mktemp("control"))))


@pytest.mark.parametrize("trait", PLANTED)
def test_what_is_planted_is_found_and_named(tmp_path, trait, control):
    plant, words = PLANTED[trait]
    plant(plain(tmp_path))
    found = named(audit_of(tmp_path, control))
    assert words in found[trait]
    assert set(found) - {trait, "class_share", "unreadable"} == set()


def audit_of(root, control):
    """The audit of a tree that differs from the control in a file or two; its scores are the control's."""
    measured = measure(scan(root))
    duplicates = find_duplicates(measured)
    findings = [
        *split_findings(measured),
        *duplicate_findings(measured, duplicates),
        *unreadable_findings(measured),
    ]
    return replace(control, measured=measured, duplicates=duplicates, findings=findings)


@pytest.mark.parametrize("trait", MADE)
def test_what_differs_by_class_is_found_and_named(tmp_path, trait, control):
    options, words, by_metadata = MADE[trait]
    found = audit(scan(plain(tmp_path, **options)))
    assert words in named(found)[trait]
    assert found.findings[0].severity == "problem"
    assert found.shortcut.scores["both"].auc > 0.9
    assert found.shortcut.scores["metadata" if by_metadata else "low_level"].auc > 0.9


def test_a_clean_set_raises_nothing(control):
    assert named(control) == {}
    for score in control.shortcut.scores.values():
        assert score.low <= 0.5 <= score.high
    assert (control.shortcut.scores["both"].n_real, control.shortcut.scores["both"].n_ai) == (60, 60)


def test_the_same_set_gives_the_same_audit(tmp_path):
    items = scan(plain(tmp_path, quality=92))
    assert to_json(audit(items, threads=1)) == to_json(audit(items, threads=2))


def test_scores_within_each_source_that_has_both_classes(tmp_path):
    plain(tmp_path / "one", seed=1)
    plain(tmp_path / "two", seed=2, quality=92)
    items = scan(tmp_path / "one") + scan(tmp_path / "two")
    found = audit(items)
    assert set(found.shortcut.groups) == {"one", "two"}
    assert found.shortcut.groups["two"]["metadata"].auc == 1.0
    assert found.shortcut.groups["one"]["metadata"].low <= 0.5
    assert "within one " in named(found)["jpeg_tables"]


@pytest.mark.parametrize("files", [{}, {"real/a.jpg": b"", "fake/b.jpg": b"x"}])
def test_nothing_to_audit_raises(tmp_path, files):
    for name, data in files.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match="found none that can be read"):
        audit(scan(tmp_path) if files else [])


def test_few_pictures_have_no_score_but_an_audit_and_a_page(make_tree, tmp_path):
    found = audit(scan(make_tree(tmp_path, ("train",), count=3)))
    assert found.shortcut.scores == {}
    assert "No score" in to_html(found)
    assert json.dumps(to_json(found), allow_nan=False)


def test_progress_sees_every_file_and_may_stop_it(tmp_path):
    items = scan(plain(tmp_path, splits=("train",)))
    seen = []

    def stop_after_ten(rows):
        for row in rows:
            if len(seen) == 10:
                raise KeyboardInterrupt
            seen.append(row)
            yield row

    with pytest.raises(KeyboardInterrupt):
        measure(items, stop_after_ten)
    assert len(seen) == 10


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_other_modes_are_measured(tmp_path, mode):
    path = tmp_path / "real" / ("a.jpg" if mode in ("L", "CMYK") else "a.png")
    path.parent.mkdir()
    Image.fromarray(picture(np.random.default_rng(0))).convert(mode).save(path)
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "b.png").write_bytes(b"")
    measured = measure(scan(tmp_path))
    assert measured.metadata["mode"].tolist() == [mode]
    assert measured.unreadable[0][0].path.name == "b.png"


# Page and JSON

EVIL = "<script>alert(1)</script>&'\"x.jpg"


def test_the_page_escapes_names_and_needs_nothing_else(tmp_path):
    root = plain(tmp_path)
    image = first(root, "train", "real").read_bytes()
    for split in ("train", "test"):
        (root / split / "real" / EVIL.replace("/", "")).write_bytes(image)
    (root / "test" / "fake" / ("broken" + EVIL.replace("/", ""))).write_bytes(b"")
    (root / "train" / "real" / "caf\udce9.jpg").write_bytes(image)
    page = to_html(audit(scan(root)))
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert page.encode("utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:image/png;base64,)|url\(|@import|https?://""", page)
    assert Counter(re.findall(r"</?(table|ul|div)", page))["table"] % 2 == 0


def test_json_holds_the_audit_without_nan(tmp_path):
    found = audit(scan(plain(tmp_path, suffix=".png")))  # PNGs have no JPEG quality
    row = json.loads(json.dumps(to_json(found), allow_nan=False))
    assert row["audit_version"] == 1
    assert row["pictures"] == 4 * COUNT
    assert row["shortcut"]["scores"]["metadata"]["auc"] > 0.9
    assert {entry["trait"] for entry in row["findings"]} >= {"format", "metadata_shortcut"}
    assert [(e["split"], e["class"], e["n"]) for e in row["table"]] == [
        (split, name, COUNT) for split in ("test", "train") for name in ("real", "ai")
    ]
    assert len(next(iter(row["jpeg_tables"].values()))[0]) == 64


def test_judge_takes_one_class(tmp_path):
    items = [item for item in scan(plain(tmp_path)) if item.label == REAL]
    found = judge(measure(items))
    assert "missing_class" in named(found)
    assert to_html(found)
