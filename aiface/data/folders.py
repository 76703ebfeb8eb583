"""Folders of pictures to lists of labelled items, with honest splits.

A data set is any folder with `real/` and `fake/` (or `ai/`) somewhere below it; a `train`, `valid` or `test`
folder above them names the split. The 140k set's `real_vs_fake/real-vs-fake/train/real` is one such tree.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aiface.errors import DataError
from aiface.io.files import shown
from aiface.io.media_kinds import is_image
from aiface.labels import NAMES, label_of_folder

SPLITS = ("train", "valid", "test")
_SPLIT_FOLDERS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
_SOURCE = re.compile(r"([A-Za-z][A-Za-z0-9]*)_\d+$")
_FRAME = re.compile(r"([A-Za-z][A-Za-z0-9]*_\d{3})\d{2}$")  # of a clip: SOURCE_CCCFF


@dataclass(frozen=True)
class Item:
    """One picture: where it lies, what it is (REAL or AI), its split ("" if none), where it came from and in which set.

    set: the folder that was scanned.
    """

    path: Path
    label: int
    split: str
    source: str
    set: str = ""


def scan(root: str | Path) -> list[Item]:
    """All labelled pictures below `root`, sorted by path.

    A file named `SOURCE_0123.jpg` names its source; any other belongs to the source named like the set's folder.
    Raises `DataError` if there is no such folder, nothing labelled in it, or a split that lacks a class.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: expected a folder with real/ and fake/ below it, found no folder; check the path")
    found = (_item(path, root) for path in sorted(root.rglob("*")) if is_image(path) and path.is_file())
    items = [item for item in found if item]
    if not items:
        raise DataError(
            f"{root}: expected pictures in folders real/ and fake/ (or ai/), found none; "
            "see data/README.md for the layout, ./fetch.sh data for the 140k set"
        )
    _check_classes(items, root)
    return items


def _item(path: Path, root: Path) -> Item | None:
    """The item that a path stands for, or None outside `real/` and `fake/`: the folder nearest to the file counts."""
    folders = path.relative_to(root).parts[:-1][::-1]
    label = next((label for label in map(label_of_folder, folders) if label is not None), None)
    if label is None:
        label = label_of_folder(root.name)
    if label is None:
        return None
    split = next((_SPLIT_FOLDERS[name.lower()] for name in folders if name.lower() in _SPLIT_FOLDERS), "")
    match = _SOURCE.match(path.stem)
    name = shown(root.resolve().name)
    return Item(path, label, split, match[1].lower() if match else name, str(root))


def _check_classes(items: Sequence[Item], root: Path) -> None:
    counts = Counter((item.split, item.label) for item in items)
    for split in {item.split for item in items}:
        for label, name in enumerate(NAMES):
            if not counts[split, label]:
                where = f"{root}/{split}" if split else f"{root}"
                raise DataError(
                    f"{where}: expected pictures of both classes, found none labelled {name}; "
                    f"put them into a folder named {'real' if name == 'real' else 'fake'}/"
                )


def scan_all(roots: Iterable[str | Path]) -> list[Item]:
    """Items of several trees mixed. A picture that two trees hold is named once, by the first."""
    by_path: dict[Path, Item] = {}
    for root in roots:
        for item in scan(root):
            by_path.setdefault(item.path.resolve(), item)
    return list(by_path.values())


def with_validation(
    items: Sequence[Item], fraction: float = 0.1, sources: Sequence[str] = (), seed: int = 0
) -> list[Item]:
    """Cut a validation split from `train` where a set has none; a test split is never touched.

    Whole `sources` go to validation, to show what generalises. A set with a `valid` split of its own is else taken as
    it is, and so is a source that has one elsewhere; of the others a `fraction` goes, picked by a hash of the file's
    name, so that the same name (a video's id, say) never stands on both sides, whichever class it is in and in whatever
    order files are read. Frames of one clip, which are nearly the same, go together: of names such as `SOURCE_CCCFF`,
    clip and frame, `SOURCE_CCC` counts. Items without a split count as train.
    """
    validated = [item for item in items if item.split == "valid"]
    sets, own = {item.set for item in validated}, {item.source for item in validated}
    cut = []
    for item in items:
        if item.split in ("", "train"):
            whole = item.set in sets or item.source in own
            held = item.source in sources or (not whole and _share(item, seed) < fraction)
            item = replace(item, split="valid" if held else "train")
        cut.append(item)
    return cut


def _share(item: Item, seed: int) -> float:
    """A number in [0, 1) that depends on the file's name, or its clip's, and the seed alone."""
    frame = _FRAME.match(item.path.stem)
    name = frame[1].lower() if frame else item.path.stem
    digest = hashlib.sha256(f"{seed}:{name}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def count(items: Iterable[Item]) -> dict[str, dict[str, dict[str, int]]]:
    """Number of pictures as `{split: {source: {class: n}}}`, in a steady order."""
    table: dict[str, dict[str, dict[str, int]]] = {}
    for (split, source, label), number in sorted(Counter((i.split, i.source, i.label) for i in items).items()):
        table.setdefault(split, {}).setdefault(source, {})[NAMES[label]] = number
    return table
