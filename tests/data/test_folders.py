from dataclasses import replace
from pathlib import Path

import pytest
from trees import close_folder

from aiface.data.folders import Item, count, find, left_out_lines, named, scan, scan_all, with_validation
from aiface.errors import DataError
from aiface.labels import AI, REAL


def touch(root, *names):
    """Empty files: a data set is read by its names alone."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def seen(items, root):
    """What a scan found, by path below the root."""
    return {item.path.relative_to(root).as_posix(): (item.label, item.split, item.source) for item in items}


# Scanning


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (  # the 140k set
            [f"real_vs_fake/real-vs-fake/{s}/{c}/{n}" for s in ("train", "valid", "test")
             for c, n in (("real", "00001.jpg"), ("fake", "ABC.jpg"))],
            {f"real_vs_fake/real-vs-fake/{s}/{c}/{n}": (label, s, "set") for s in ("train", "valid", "test")
             for c, n, label in (("real", "00001.jpg", REAL), ("fake", "ABC.jpg", AI))},
        ),
        (  # no splits
            ["real/a.png", "fake/b.jpeg"],
            {"real/a.png": (REAL, "", "set"), "fake/b.jpeg": (AI, "", "set")},
        ),
        (  # ai/, capitals, other names of splits
            ["Val/REAL/a.PNG", "Val/AI/b.webp", "validation/real/a.bmp", "validation/ai/b.gif", "TEST/Real/a.tif",
             "TEST/Fake/b.tiff"],
            {"Val/REAL/a.PNG": (REAL, "valid", "set"), "Val/AI/b.webp": (AI, "valid", "set"),
             "validation/real/a.bmp": (REAL, "valid", "set"), "validation/ai/b.gif": (AI, "valid", "set"),
             "TEST/Real/a.tif": (REAL, "test", "set"), "TEST/Fake/b.tiff": (AI, "test", "set")},
        ),
        (  # the class above the split, folders below the class, other files, and folders that say nothing
            ["real/train/p/q/a.jpg", "fake/train/b.jpg", "real/train/notes.txt", "other/c.jpg", "d.jpg"],
            {"real/train/p/q/a.jpg": (REAL, "train", "set"), "fake/train/b.jpg": (AI, "train", "set")},
        ),
        (  # of classes the uppermost folder counts, of splits the nearest
            ["real/fake/a.jpg", "fake/real/b.jpg", "test/train/real/c.jpg", "test/train/fake/d.jpg"],
            {"real/fake/a.jpg": (REAL, "", "set"), "fake/real/b.jpg": (AI, "", "set"),
             "test/train/real/c.jpg": (REAL, "train", "set"), "test/train/fake/d.jpg": (AI, "train", "set")},
        ),
        (  # a person called Ai
            ["real/Ai/a.jpg", "real/Mona/b.jpg", "fake/x/c.jpg"],
            {"real/Ai/a.jpg": (REAL, "", "set"), "real/Mona/b.jpg": (REAL, "", "set"), "fake/x/c.jpg": (AI, "", "set")},
        ),
        (  # a set called like a class
            ["original/train/real/a.jpg", "original/train/fake/b.jpg", "ai/nature/a.jpg", "ai/ai/b.jpg"],
            {"original/train/real/a.jpg": (REAL, "train", "set"), "original/train/fake/b.jpg": (AI, "train", "set"),
             "ai/nature/a.jpg": (REAL, "", "set"), "ai/ai/b.jpg": (AI, "", "set")},
        ),
        (  # the names of other sets
            ["test/0_real/a.jpg", "test/1_fake/b.jpg", "training_real/a.jpg", "training_fake/b.jpg", "val/nature/a.jpg",
             "val/ai/b.jpg", "original/c.jpg", "manipulated/d.jpg"],
            {"test/0_real/a.jpg": (REAL, "test", "set"), "test/1_fake/b.jpg": (AI, "test", "set"),
             "training_real/a.jpg": (REAL, "train", "set"), "training_fake/b.jpg": (AI, "train", "set"),
             "val/nature/a.jpg": (REAL, "valid", "set"), "val/ai/b.jpg": (AI, "valid", "set"),
             "original/c.jpg": (REAL, "", "set"), "manipulated/d.jpg": (AI, "", "set")},
        ),
        (
            ["original_sequences/a.jpg", "manipulated_sequences/Deepfakes/b.jpg", "Celeb-real/c.jpg",
             "YouTube-real/d.jpg", "Celeb-synthesis/e.jpg", "Real_Images/f.jpg", "AI_Images/g.jpg"],
            {"original_sequences/a.jpg": (REAL, "", "set"), "manipulated_sequences/Deepfakes/b.jpg": (AI, "", "set"),
             "Celeb-real/c.jpg": (REAL, "", "set"), "YouTube-real/d.jpg": (REAL, "", "set"),
             "Celeb-synthesis/e.jpg": (AI, "", "set"), "Real_Images/f.jpg": (REAL, "", "set"),
             "AI_Images/g.jpg": (AI, "", "set")},
        ),
        (  # what other programs leave behind
            ["real/a.jpg", "fake/b.jpg", "real/._a.jpg", "__MACOSX/real/a.jpg", "real/.ipynb_checkpoints/a.jpg",
             "fake/@eaDir/b.jpg", ".hidden/fake/c.jpg", "fake/.DS_Store", "fake/Thumbs.db"],
            {"real/a.jpg": (REAL, "", "set"), "fake/b.jpg": (AI, "", "set")},
        ),
        (  # sources from names
            ["real/celeb_0001.jpg", "fake/StyleGAN2_12.jpg", "fake/id_a_3.jpg", "real/0001.jpg", "fake/x_1_2.jpg",
             "fake/9gag_1.jpg", "fake/_7.jpg"],
            {"real/celeb_0001.jpg": (REAL, "", "celeb"), "fake/StyleGAN2_12.jpg": (AI, "", "stylegan2"),
             "fake/id_a_3.jpg": (AI, "", "set"), "real/0001.jpg": (REAL, "", "set"), "fake/x_1_2.jpg": (AI, "", "set"),
             "fake/9gag_1.jpg": (AI, "", "set"), "fake/_7.jpg": (AI, "", "set")},
        ),
    ],
    ids=["140k", "no splits", "other names", "nested", "which counts", "Ai", "original", "sets", "more sets",
         "leftovers", "sources"],
)  # fmt: skip
def test_layouts(tmp_path, names, expected):
    root = touch(tmp_path / "set", *names)
    items = scan(root)
    assert seen(items, root) == expected
    assert [item.path for item in items] == sorted(item.path for item in items)


def test_a_root_that_is_a_class_itself(tmp_path):
    """`scan("data/fake")` holds one class, and says so."""
    touch(tmp_path / "fake", "a.jpg")
    with pytest.raises(DataError, match="none labelled real"):
        scan(tmp_path / "fake")


def test_names_above_the_root_say_nothing(tmp_path):
    root = touch(tmp_path / "fake" / "test" / "set", "real/a.jpg", "ai/b.jpg")
    assert seen(scan(root), root) == {"real/a.jpg": (REAL, "", "set"), "ai/b.jpg": (AI, "", "set")}


def test_a_folder_with_the_name_of_a_picture_is_none(tmp_path):
    root = touch(tmp_path, "real/a.jpg/b.txt", "real/c.jpg", "fake/d.jpg")
    assert len(scan(root)) == 2


def test_relative_root(tmp_path, monkeypatch):
    touch(tmp_path / "set", "real/a.jpg", "fake/b.jpg")
    monkeypatch.chdir(tmp_path / "set")
    assert {item.source for item in scan(".")} == {"set"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (None, r"expected a folder with real/ and fake/ below it, found no folder; check the path"),
        (
            [],
            r"found none; name others by --real and --fake, see data/README\.md",
        ),
        (["a.jpg", "other/b.jpg"], r"expected pictures in folders.*found none.*\./fetch\.sh data"),
        (["real/a.txt", "fake/b.txt"], r"expected pictures in folders.*found none"),
        (["real/a.jpg"], r"found none labelled ai; put them into a folder named fake/"),
        (["fake/a.jpg"], r"found none labelled real; put them into a folder named real/"),
        (
            ["train/real/a.jpg", "train/fake/b.jpg", "test/real/c.jpg"],
            r"test: expected pictures of both classes, found none labelled ai; put them into a folder named fake/",
        ),
        (["train/real/a.jpg", "fake/b.jpg"], r"expected pictures of both classes, found none labelled"),
    ],
)
def test_what_is_no_data_set(tmp_path, names, message):
    root = tmp_path / "set"
    if names is not None:
        root.mkdir()
        touch(root, *names)
    with pytest.raises(DataError, match=message) as caught:
        scan(root)
    assert str(caught.value).startswith(str(root))


def test_a_file_is_no_data_set(tmp_path):
    with pytest.raises(DataError, match="found no folder"):
        scan(touch(tmp_path, "real.zip") / "real.zip")


def test_trees_mixed(tmp_path):
    first = touch(tmp_path / "first", "real/a.jpg", "fake/b.jpg")
    second = touch(tmp_path / "second", "train/real/a.jpg", "train/ai/b_1.jpg")
    items = scan_all([first, second, first, tmp_path / "first" / ".." / "first"])
    assert [(item.label, item.split, item.source) for item in items] == [
        (AI, "", "first"), (REAL, "", "first"), (AI, "train", "b"), (REAL, "train", "second"),
    ]  # fmt: skip


def test_a_picture_that_two_trees_hold_is_named_by_the_first(tmp_path):
    touch(tmp_path / "outer" / "inner", "real/a.jpg", "fake/b.jpg")
    for roots, source in (([tmp_path / "outer", tmp_path / "outer/inner"], "outer"),
                          ([tmp_path / "outer/inner", tmp_path / "outer"], "inner")):  # fmt: skip
        items = scan_all(roots)
        assert len(items) == 2
        assert {item.source for item in items} == {source}


# Splits by other names


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (["Training", "Testing"], ["train", "test"]),
        (["TRAIN", "Val", "Test"], ["train", "valid", "test"]),
        (["train", "dev", "eval"], ["train", "valid", "test"]),
        (["Train", "Eval", "Test"], ["train", "valid", "test"]),
        (["Train", "Val", "Eval", "Dev", "Test"], ["train", "valid", "valid", "valid", "test"]),
        (["training", "evaluation"], ["train", "test"]),  # whatever it is, it is not trained on
        (["development", "validation"], ["valid", "valid"]),
        (["TRAIN", "Validate"], ["train", "valid"]),
    ],
)
def test_splits(tmp_path, folders, splits):
    root = touch(tmp_path / "set", *(f"{folder}/{name}/a.jpg" for folder in folders for name in ("real", "fake")))
    assert {item.path.relative_to(root).parts[0]: item.split for item in scan(root)} == dict(
        zip(folders, splits, strict=True)
    )


@pytest.mark.parametrize(
    "folder",
    ["train2", "TestSet", "test_1", "Train_images", "holdout", "held-out", "testing-data", "my_test", "celeb-Val",
     "FFHQTrain", "validation set", "evals", "tests", "Validate_2", "evaluating", "Unseen", "tuning-set", "benchmark"],
)  # fmt: skip
def test_a_folder_that_looks_like_a_split_is_no_guess(tmp_path, folder):
    root = touch(tmp_path / "set", "real/a.jpg", "fake/b.jpg", f"{folder}/real/a.jpg", f"{folder}/fake/b.jpg")
    with pytest.raises(DataError, match=rf"expected a split's folder called train, .* called {folder}; rename"):
        scan(root)


@pytest.mark.parametrize(
    "folder", ["Dev Patel", "Val Kilmer", "Testa", "strain", "Devon", "latest", "contest 2", "attested", "Valerie"]
)
def test_people_are_no_splits(tmp_path, folder):
    root = touch(tmp_path / "set", f"real/{folder}/a.jpg", f"fake/{folder}/b.jpg")
    assert {item.split for item in scan(root)} == {""}


# Names, and what is left out


def test_what_is_left_out_is_counted_by_folder(tmp_path):
    root = touch(tmp_path / "set", "real/a.jpg", "fake/b.jpg", "fakes/a.jpg", "fakes/b.jpg", "x/y/c.jpg", "x/notes.txt")
    found = find([root, root])
    assert left_out_lines(found.left_out) == [f"{root / 'fakes'}: 2 pictures", f"{root / 'x/y'}: 1 picture"]
    all_found = find([root], named(["X"], ["Fakes"]))
    assert not all_found.left_out
    assert [item.label for item in all_found.items] == [AI, AI, AI, REAL, REAL]  # b, fakes, real, x


def test_what_is_no_picture_is_named(tmp_path):
    root = touch(tmp_path / "set", "real/a.jpg", "fake/b.jpg", "real/c.mp4", "fake/d.txt", "fake/e")
    (root / "real/f.jpg").symlink_to("nowhere")
    (root / "fake/d.txt").write_text("d")
    found = find([root, root])
    assert [(path.name, why.split(";")[0]) for path, why in found.others] == [
        ("d.txt", "neither a picture nor a clip"), ("e", "an empty file"), ("c.mp4", "a clip"),
        ("f.jpg", "a link to what is not there"),
    ]  # fmt: skip


def test_a_missing_class_names_what_was_left_out(tmp_path):
    root = touch(tmp_path / "set", "real/a.jpg", "fakes/b.jpg")
    with pytest.raises(DataError, match=r"none labelled ai; put them into .* fake/; left out: .*fakes: 1 picture"):
        scan(root)


# Links and rights


def test_links_are_followed_and_loops_are_harmless(tmp_path):
    pool = touch(tmp_path / "pool", "people/a.jpg", "made/b.jpg", "more/c.jpg")
    root = touch(tmp_path / "set", "fake/d.jpg")
    for link, target in {
        "real": pool / "people", "fake/made": pool / "made", "fake/up": root, "fake/self": root / "fake/self",
        "real/back": root / "real", "pool": pool, "gone": pool / "nowhere",
    }.items():  # fmt: skip
        (root / link).symlink_to(target)
    (pool / "more/circle").symlink_to(pool)
    found = find([root])
    assert seen(found.items, root) == {
        "fake/d.jpg": (AI, "", "set"), "fake/made/b.jpg": (AI, "", "set"), "real/a.jpg": (REAL, "", "set"),
    }  # fmt: skip
    assert sum(found.left_out.values()) == 3  # the pool itself names no class


def test_a_picture_that_links_put_in_both_classes_is_an_error(tmp_path):
    root = touch(tmp_path / "set", "real/a.jpg", "fake/b.jpg")
    (root / "fake" / "more").symlink_to(root / "real")
    with pytest.raises(DataError, match="expected a picture of one class, found the same one as"):
        scan(root)


def test_folders_that_cant_be_opened_are_named(tmp_path, monkeypatch):
    root = touch(tmp_path / "set", "real/a.jpg", "fake/b.jpg", "real/closed/c.jpg")
    close_folder(monkeypatch, "closed")
    found = find([root])
    assert (len(found.items), found.unreadable) == (2, [(root / "real/closed", "Permission denied")])
    with pytest.raises(DataError, match="closed: expected a folder that can be opened, found: Permission denied"):
        scan(root)


# The validation cut


def items_of(count, split="train", source="set", stem="{:05}"):
    return [
        Item(Path(source, split, name, stem.format(index) + ".jpg"), label, split, source, set=source)
        for name, label in (("real", REAL), ("fake", AI))
        for index in range(count)
    ]


def split_of(items):
    return {item.path: item.split for item in items}


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("split", ["train", ""])
def test_a_fraction_goes_to_validation(fraction, split):
    cut = with_validation(items_of(1000, split), fraction)
    assert sum(item.split == "valid" for item in cut) / 2000 == pytest.approx(fraction, abs=0.03)
    assert {item.split for item in cut} <= {"train", "valid"}  # without a split: train


def test_the_cut_is_the_same_in_any_order_and_for_any_company():
    items = items_of(300)
    cut = split_of(with_validation(items))
    assert split_of(with_validation(items[::-1])) == cut
    assert split_of(with_validation(items_of(50, source="other") + items)).items() >= cut.items()
    assert split_of(with_validation(items, seed=1)) != cut


def test_the_same_name_never_stands_on_both_sides():
    """Faces of one video have its id in both classes: seen in training, its fake would be known in validation."""
    cut = with_validation(items_of(200) + items_of(200, source="other"), 0.2)
    sides = {}
    for item in cut:
        sides.setdefault(item.path.stem, set()).add(item.split)
    assert all(len(side) == 1 for side in sides.values())
    assert {"train", "valid"} == set().union(*sides.values())


def test_frames_of_a_clip_go_together():
    frames = [f"web_{clip:03}{frame:02}" for clip in range(60) for frame in range(8)]
    cut = with_validation(
        [Item(Path("set", "real", name + ".jpg"), REAL, "train", "web", "set") for name in frames], 0.3
    )
    sides = {}
    for item in cut:
        sides.setdefault(item.path.stem[:-2], set()).add(item.split)
    assert all(len(side) == 1 for side in sides.values())
    assert {"train", "valid"} == set().union(*sides.values())


def test_a_clip_is_the_same_in_any_case():
    """As its source is."""
    names = [f"{name}_{clip:03}{frame:02}" for clip in range(60) for frame, name in enumerate(("Web", "web"))]
    cut = with_validation(
        [Item(Path("set", "real", name + ".jpg"), REAL, "train", "web", "set") for name in names], 0.3
    )
    assert [item.split for item in cut[::2]] == [item.split for item in cut[1::2]]


def test_the_picks_are_those_of_the_crops_made_so_far():
    """Crops and bundles made before stay comparable: numbers of another length, and bare ones, are no frames."""
    for stem, picked in (("web_{:04}", ["0000", "0017", "0024"]), ("{:05}", ["00008", "00014", "00018", "00022"])):
        cut = with_validation(items_of(30, stem=stem))
        found = [i.path.stem.removeprefix("web_") for i in cut if i.split == "valid" and i.label == REAL]
        assert found == picked


def test_the_test_split_is_never_touched():
    items = items_of(200, "test") + items_of(200, "test", source="held")
    assert with_validation(items, 0.9, sources=("held",)) == items


def test_an_existing_validation_split_is_kept():
    items = items_of(200) + items_of(20, "valid") + items_of(200, source="other")
    cut = with_validation(items, 0.3)
    kept = [item for item in cut if item.source == "set"]
    assert kept == [item for item in items if item.source == "set"]
    assert any(item.split == "valid" for item in cut if item.source == "other")


def test_a_source_that_is_validated_in_another_set_is_not_cut():
    items = [replace(item, set="first") for item in items_of(200)] + items_of(20, "valid")
    assert with_validation(items, 0.5) == items


def test_a_set_with_a_validation_split_is_taken_as_it_is(tmp_path):
    """Whatever its sources: none of its `train` goes to validation."""
    for split, source in (("train", "a"), ("valid", "b")):
        for name in ("real", "fake"):
            for number in range(40):
                path = tmp_path / split / name / f"{source}_{number:04}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    items = scan(tmp_path)
    assert with_validation(items, 0.5) == items
    assert {item.split for item in items if item.source == "a"} == {"train"}


@pytest.mark.parametrize("has_valid", [False, True])
def test_whole_sources_are_held_out(has_valid):
    items = items_of(50) + items_of(50, source="held") + (items_of(5, "valid", source="held") if has_valid else [])
    cut = with_validation(items, 0.0, sources=("held",))
    assert {(item.source, item.split) for item in cut} == {("set", "train"), ("held", "valid")}


def test_cutting_keeps_all_but_the_split():
    items = items_of(100)
    assert [(i.path, i.label, i.source) for i in with_validation(items)] == [(i.path, i.label, i.source) for i in items]


def test_count():
    items = items_of(3) + items_of(2, "test", "other") + [Item(Path("x.jpg"), AI, "train", "set")]
    assert count(items) == {
        "test": {"other": {"real": 2, "ai": 2}}, "train": {"set": {"real": 3, "ai": 4}},
    }  # fmt: skip
    assert list(count(items[::-1])) == ["test", "train"]
