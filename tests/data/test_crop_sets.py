import csv
import hashlib
import itertools
import os
import threading

import cv2
import numpy as np
import pytest
from clips import FakeFinder

from aiface.data import crop_sets
from aiface.data.crop_sets import CropSet, compress, crop_item, prepare
from aiface.data.folders import scan, with_validation
from aiface.errors import DataError
from aiface.faces.crop import CROP_VERSION
from aiface.io.images import read_image
from aiface.labels import AI, REAL


@pytest.fixture
def finders():
    """A `new_finder` for `prepare`; `calls` counts what its finders were asked."""

    class Counted:
        def __init__(self):
            self.made = []

        def __call__(self):
            self.made.append(FakeFinder())
            return self.made[-1]

        @property
        def calls(self):
            return sum(finder.calls for finder in self.made)

    return Counted()


@pytest.fixture(scope="module")
def tree(make_tree, tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("tree"), count=8)


@pytest.fixture(scope="module")
def items(tree):
    return scan(tree)


def rows_of(folder):
    rows = []
    for table in sorted(folder.glob("crops-*.csv")):
        with open(table, newline="", encoding="utf-8") as file:
            rows += csv.DictReader(file)
    return rows


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# Storing


def test_crops_come_back_bit_for_bit(tmp_path, items, finders):
    crops = prepare(items, tmp_path, finders)
    assert len(crops) == len(items) == 48
    for index, item in enumerate(items):
        image = read_image(item.path)
        np.testing.assert_array_equal(crops[index], image)
        row = crops.rows[index]
        assert (row.path, row.label, row.split, row.source) == (str(item.path), item.label, item.split, item.source)
        assert row.sha256 == hashlib.sha256(item.path.read_bytes()).hexdigest()
        assert (crops.labels[index], crops.splits[index], crops.sources[index]) == (item.label, item.split, item.source)
    assert (crops[0].dtype, crops[0].shape) == (np.uint8, (256, 256, 3))
    assert names_in(tmp_path) == ["crops-00000.bin", "crops-00000.csv"]


def test_red_stays_red(tmp_path):
    image = np.zeros((256, 256, 3), np.uint8)
    image[..., 0] = 255
    (tmp_path / "crops-00000.bin").write_bytes(data := compress(image))
    row = ["x", "real", "train", "set", "", 0, len(data), CROP_VERSION, ""]
    with open(tmp_path / "crops-00000.csv", "w", newline="") as file:
        csv.writer(file).writerows([crop_sets.FIELDS, row])
    np.testing.assert_array_equal(CropSet(tmp_path)[0], image)


@pytest.mark.parametrize("index", range(3))
def test_compression_is_lossless(index):
    image = np.random.default_rng(index).integers(0, 256, (256, 256, 3), np.uint8)
    back = cv2.imdecode(np.frombuffer(compress(image), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(back, image)


def test_the_main_face_is_cropped(tmp_path, astronaut, face, fake_finder, items):
    """Not the picture: a face in it, and of several the first, which is the largest."""
    cv2.imwrite(str(tmp_path / "a.png"), astronaut[..., ::-1])
    fake_finder.faces = [face, face.moved(0.5, 0, 0)]
    item = items[0].__class__(tmp_path / "a.png", AI, "train", "set")
    _, data = crop_item(item, fake_finder)
    crop = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(crop, crop_sets.crop_face(astronaut, face))


def test_a_shard_is_never_larger_than_its_cap(tmp_path, items, finders):
    cap = 400_000
    crops = prepare(items, tmp_path, finders, shard_bytes=cap)
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.bin"))]
    assert len(sizes) > 3
    assert max(sizes) <= cap
    assert min(sizes[:-1]) > 0.5 * cap  # and no shard is wasted
    assert len(crops) == 48
    np.testing.assert_array_equal(crops[47], read_image(items[47].path))


def test_order_of_the_items_does_not_matter(tmp_path, items, finders):
    first, second = prepare(items, tmp_path / "a", finders), prepare(items[::-1], tmp_path / "b", finders)
    index = {row.path: at for at, row in enumerate(second.rows)}
    assert first.manifest() == second.manifest()
    for at, row in enumerate(first.rows):
        np.testing.assert_array_equal(first[at], second[index[row.path]])


def test_one_finder_for_each_thread(tmp_path, items):
    """OpenCV's finder holds its input size: shared between threads it answers for the other's image."""
    lock, busy = threading.Lock(), []

    class Guarded:
        def __init__(self):
            self.inside = threading.Lock()

        def __call__(self, image):
            assert self.inside.acquire(blocking=False)
            with lock:
                busy.append(self)
            self.inside.release()
            return []

    prepare(items, tmp_path, Guarded)
    assert len(set(map(id, busy))) == 2


def test_progress_sees_every_item(tmp_path, items, finders):
    seen = []

    def progress(results):
        for result in results:
            seen.append(result)
            yield result

    prepare(items, tmp_path, finders, progress)
    assert len(seen) == len(items)


# Going on


def test_a_second_run_does_nothing(tmp_path, items, finders):
    prepare(items, tmp_path, finders)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert finders.calls == 48
    crops = prepare(items, tmp_path, finders)
    assert finders.calls == 48
    assert len(crops) == 48
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_new_items_go_into_a_new_shard(tmp_path, items, finders):
    prepare(items[:20], tmp_path, finders)
    crops = prepare(items, tmp_path, finders)
    assert finders.calls == 48
    assert sorted(row.path for row in crops.rows) == sorted(str(item.path) for item in items)
    assert names_in(tmp_path) == [f"crops-0000{n}.{kind}" for n in (0, 1) for kind in ("bin", "csv")]


def stop_after(count, error=KeyboardInterrupt):
    def progress(results):
        yield from itertools.islice(results, count)
        raise error

    return progress


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("shard_bytes", [400_000, 60_000_000])
@pytest.mark.parametrize("count", [0, 1, 17, 47])
def test_interrupted_and_resumed(tmp_path, items, finders, count, shard_bytes, error):
    with pytest.raises(error):
        prepare(items, tmp_path, finders, stop_after(count, error), shard_bytes)
    tables, bins = ({path.stem for path in tmp_path.glob(f"*.{kind}")} for kind in ("csv", "bin"))
    assert tables == bins
    assert not [name for name in names_in(tmp_path) if not name.startswith("crops-")]  # nothing half-written
    stored = len(rows_of(tmp_path))
    assert stored == count if error is KeyboardInterrupt else stored <= count
    crops = prepare(items, tmp_path, finders, shard_bytes=shard_bytes)
    assert sorted(row.path for row in crops.rows) == sorted(str(item.path) for item in items)
    by_path = {item.path.as_posix(): item for item in items}
    for index in (0, 17, 47):
        np.testing.assert_array_equal(crops[index], read_image(by_path[crops.rows[index].path].path))


def test_a_shard_without_its_table_is_made_again(tmp_path, items, finders):
    prepare(items[:10], tmp_path, finders)
    (tmp_path / "crops-00000.csv").unlink()  # as after a crash between the two
    crops = prepare(items, tmp_path, finders)
    assert len(crops) == 48
    np.testing.assert_array_equal(crops[30], read_image(items[30].path))
    assert names_in(tmp_path) == ["crops-00000.bin", "crops-00000.csv"]


# What is left out


def test_items_left_out_are_named_with_their_reason(tmp_path, make_tree, finders):
    root = make_tree(tmp_path / "tree", splits=("train",), count=4)
    (root / "train/real/0000.png").write_bytes(b"no image")
    (root / "train/fake/0001.png").write_bytes((root / "train/fake/0000.png").read_bytes()[:5000])
    items = scan(root)
    (root / "train/real/0002.png").unlink()  # after it was listed
    blank = np.zeros((256, 256, 3), np.uint8)
    cv2.imwrite(str(root / "train/real/0003.png"), blank)

    def new_finder():
        finder = finders()
        return lambda image: finder(image) if image.any() else []

    crops = prepare(items, tmp_path / "crops", new_finder)
    assert crops.left_out == {"unreadable": 3, "no face found": 1}
    assert len(crops) == 4
    reasons = {row["path"]: row["left_out"] for row in rows_of(tmp_path / "crops") if row["left_out"]}
    expected = {
        "train/real/0000.png": "found 8 bytes that are none",
        "train/fake/0001.png": "found a damaged one",
        "train/real/0002.png": "No such file",
        "train/real/0003.png": "no face found",
    }
    assert set(reasons) == {str(root / name) for name in expected}
    for name, part in expected.items():
        assert part in reasons[str(root / name)]
    again = prepare(items, tmp_path / "crops", new_finder)  # not tried a second time
    assert len(rows_of(tmp_path / "crops")) == 8
    assert again.left_out == crops.left_out


def test_no_face_anywhere(tmp_path, items):
    crops = prepare(items[:5], tmp_path, lambda: lambda image: [])
    assert (len(crops), crops.left_out["no face found"]) == (0, 5)
    assert crops.labels.dtype == np.int64
    assert list(crops.batches()) == []


# Reading


@pytest.fixture(scope="module")
def stored(tmp_path_factory, items):
    folder = tmp_path_factory.mktemp("stored")
    prepare(items, folder, FakeFinder, shard_bytes=400_000)
    return folder


def copied(stored, folder):
    folder.mkdir()
    for path in stored.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_splits(stored):
    crops = CropSet(stored)
    for name in ("train", "valid", "test"):
        part = crops.split(name)
        assert len(part) == 16
        assert set(part.splits) == {name}
        assert sorted(part.labels) == [REAL] * 8 + [AI] * 8
    assert len(crops.split("other")) == 0
    both = crops.select((crops.labels == AI) & (crops.splits == "test"))
    assert len(both) == 8
    np.testing.assert_array_equal(both[0], crops[int(np.flatnonzero(crops.labels * (crops.splits == "test"))[0])])


@pytest.mark.parametrize("mask", [np.ones(3, bool), np.ones(49, bool)])
def test_a_mask_of_another_length(stored, mask):
    with pytest.raises(ValueError, match="zip"):
        CropSet(stored).select(mask)


@pytest.mark.parametrize(("size", "lengths"), [(64, [48]), (20, [20, 20, 8]), (48, [48]), (1, [1] * 48)])
def test_batches_hold_all_crops_in_order(stored, size, lengths):
    crops = CropSet(stored)
    batches = list(crops.batches(size))
    assert [len(batch) for batch in batches] == lengths
    together = np.concatenate(batches)
    assert together.dtype == np.uint8
    for index in (0, 20, 47):
        np.testing.assert_array_equal(together[index], crops[index])


def test_the_manifest_names_the_data(stored, tmp_path):
    crops = CropSet(stored)
    assert CropSet(copied(stored, tmp_path / "copy")).manifest() == crops.manifest()
    assert crops.split("train").manifest() != crops.manifest()
    assert len(crops.manifest()) == 64


def replaced(folder, old, new):
    for table in folder.glob("*.csv"):
        table.write_text(table.read_text().replace(old, new))


def cut_bin(folder):
    path = max(folder.glob("*.bin"))
    path.write_bytes(path.read_bytes()[:-2000])


def blank_bin(folder):
    path = max(folder.glob("*.bin"))
    path.write_bytes(bytes(path.stat().st_size))


def no_bin(folder):
    max(folder.glob("*.bin")).unlink()


def other_columns(folder):
    replaced(folder, "sha256,offset", "sha1,offset")


def other_version(folder):
    replaced(folder, CROP_VERSION, "square-224-0")


def empty_folder(folder):
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_bin, r"crops-\d+\.bin: expected \d+ bytes of a crop at \d+, found \d+.*delete this shard.*prepare again"),
        (blank_bin, r"crops-\d+\.bin: expected \d+ bytes of a crop.*delete this shard.*prepare again"),
        (no_bin, r"crops-\d+\.bin: expected .*prepare again"),
        (other_columns, r"crops-\d+\.csv: expected the columns path, .*found .*sha1.*; prepare again"),
        (
            other_version,
            rf"crops-\d+\.csv: expected crops {CROP_VERSION}, found square-224-0; prepare into a new folder",
        ),
        (empty_folder, r"expected shards of crops, found none; run python -m aiface prepare"),
    ],
)
def test_damaged_shards_are_named(stored, tmp_path, damage, message):
    folder = copied(stored, tmp_path / "copy")
    damage(folder)
    with pytest.raises(DataError, match=message) as caught:
        list(CropSet(folder).batches())
    assert str(caught.value).startswith(str(folder))


def test_shards_of_another_version_are_not_added_to(tmp_path, items, finders):
    prepare(items[:10], tmp_path, finders)
    other_version(tmp_path)
    with pytest.raises(DataError, match="found square-224-0"):
        prepare(items, tmp_path, finders)
    assert finders.calls == 10  # hours of work on a large set, and then the error


def test_a_missing_folder(tmp_path):
    with pytest.raises(DataError, match="expected shards of crops, found none"):
        CropSet(tmp_path / "none")


def test_names_that_are_shown_alike_are_each_cropped_once(tmp_path, make_tree, finders):
    """Their bytes are no UTF-8, so the table has a replacement character for each."""
    root = make_tree(tmp_path / "set", splits=("train",), count=1)
    for name in (b"caf\xe8.png", b"caf\xe9.png"):
        copy = root / "train" / "real" / os.fsdecode(name)
        copy.write_bytes((root / "train" / "real" / "0000.png").read_bytes())
    found = with_validation(scan(root), 0.5)
    prepare(found[:-1], tmp_path / "out", finders)  # fake, then real with one of the two
    assert len(prepare(found, tmp_path / "out", finders)) == 4
    assert len(prepare(found, tmp_path / "out", finders)) == 4
    shown = [row.path for row in CropSet(tmp_path / "out").rows if "\ufffd" in row.path]
    assert len(shown) == 2
