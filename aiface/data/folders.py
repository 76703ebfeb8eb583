"""Folders of pictures to lists of labelled items, with honest splits.

A data set is any folder with `real/` and `fake/` (or other names of the two, see `aiface.labels`) somewhere below it; a
`train`, `valid` or `test` folder on the way to a picture names its split. The 140k set's
`real_vs_fake/real-vs-fake/train/real` is one such tree.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiface.data.folder_names import EVAL, Labels, refuse_unknown_splits, split_of
from aiface.errors import DataError
from aiface.io.files import shown
from aiface.io.media_kinds import IMAGE, VIDEO, is_still, presumed, why_left_out
from aiface.io.walk import cannot_open, walk
from aiface.labels import AI, NAMES, REAL

SPLITS = ("train", "valid", "test")
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


@dataclass(frozen=True)
class Found:
    """What lies in data sets: labelled items, and what is none of them.

    left_out: the number of pictures in each folder that names no class. unreadable: folders that could not be opened,
    with the reason. others: what is not wanted, a clip among pictures say, or a link to nothing, with what it is.
    """

    items: list[Item]
    left_out: Counter[Path] = field(default_factory=Counter)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    others: list[tuple[Path, str]] = field(default_factory=list)


def look_through(
    root: str | Path, wanted: Callable[[Path], bool] = is_still, names: Mapping[str, int] | None = None
) -> Found:
    """The files that are `wanted` below `root`, sorted by path.

    The uppermost folder that names a class counts (a person in `real/` may be called Ai), from the folder on in which
    both classes lie side by side; of splits the nearest. Links are followed. names: other names of the two classes,
    with their labels. A file named `SOURCE_0123.jpg` names its source; any other belongs to the source named like the
    set's folder. Raises `DataError` for a folder that looks like a split and is none that is known.
    """
    root = Path(root)
    labels = Labels(root, {name.lower(): label for name, label in (names or {}).items()})
    found = walk(root, labels.apart)
    paths = [path for path in found.files if wanted(path)]
    labels.learn(path.parent for path in paths)
    left_out: Counter[Path] = Counter()
    items = []
    for path in paths:
        if (label := labels.of(path.parent)) is None:
            left_out[path.parent] += 1
        else:
            items.append(_item(path, root, label, labels))
    others = [(path, _what(path)) for path in sorted(set(found.files) - set(paths))]
    return Found(_settled(items), left_out, found.unreadable, others + found.no_files)


def _what(path: Path) -> str:
    return {IMAGE: "a picture", VIDEO: "a clip"}.get(presumed(path) or "") or why_left_out(path)


def _item(path: Path, root: Path, label: int, labels: Labels) -> Item:
    folders = labels.parts(path.parent)
    if not (split := split_of(folders)):
        refuse_unknown_splits(root, folders, labels)
    match = _SOURCE.match(path.stem)
    return Item(path, label, split, match[1].lower() if match else shown(root.resolve().name), str(root))


def _settled(items: list[Item]) -> list[Item]:
    """What `EVAL` stands for: the test split, unless there is one; it is never trained on."""
    if not any(item.split == EVAL for item in items):
        return items
    split = "valid" if any(item.split == "test" for item in items) else "test"
    return [replace(item, split=split) if item.split == EVAL else item for item in items]


def _once(items: Iterable[Item]) -> list[Item]:
    """The first item of each file that paths lead to; raises `DataError` for one that links put in both classes."""
    first: dict[Path, Item] = {}
    for item in items:
        if (other := first.setdefault(item.path.resolve(), item)).label != item.label:
            raise DataError(
                f"{item.path}: expected a picture of one class, found the same one as {other.path}; remove one of them"
            )
    return list(first.values())


def named(real: Iterable[str], fake: Iterable[str]) -> dict[str, int]:
    """More names of folders of the two classes, with their labels, as `look_through` takes them."""
    return dict.fromkeys(real, REAL) | dict.fromkeys(fake, AI)


def find(roots: Iterable[str | Path], names: Mapping[str, int] | None = None) -> Found:
    """What `look_through` finds in several trees. A picture that two trees hold is named once, by the first.

    Raises `DataError` if there is no such folder, nothing labelled in it, a split that lacks a class, or a picture that
    links put into both classes.
    """
    found = [_found_in(Path(root), names) for root in roots]
    items = _once(item for each in found for item in each.items)
    left_out: Counter[Path] = Counter()
    for each in found:
        left_out |= each.left_out  # of trees within one another, once
    others = {pair: None for each in found for pair in each.others}
    return Found(items, left_out, [pair for each in found for pair in each.unreadable], list(others))


def _found_in(root: Path, names: Mapping[str, int] | None) -> Found:
    if not root.is_dir():
        raise DataError(f"{root}: expected a folder with real/ and fake/ below it, found no folder; check the path")
    found = look_through(root, names=names)
    hint = "".join(f"; left out: {line}" for line in left_out_lines(found.left_out)[:5])
    hint += "".join(f"; {cannot_open(*pair)}" for pair in found.unreadable[:5])
    if not found.items:
        raise DataError(
            f"{root}: expected pictures in folders real/ and fake/ (or ai/), found none; "
            "name others by --real and --fake, see data/README.md for the layout, "
            f"./fetch.sh data for the 140k set{hint}"
        )
    _check_classes(found.items, root, hint)
    return found


def left_out_lines(left_out: Counter[Path], what: str = "picture") -> list[str]:
    """Each folder that names no class, with the number of its pictures, or whatever else it was looked through for."""
    return [f"{folder}: {number} {what}{'s' * (number != 1)}" for folder, number in sorted(left_out.items())]


def scan(root: str | Path, names: Mapping[str, int] | None = None) -> list[Item]:
    """All labelled pictures below `root`, sorted by path; see `look_through`.

    Raises `DataError` as `find` does, and for folders that can't be opened.
    """
    return scan_all([root], names)


def scan_all(roots: Iterable[str | Path], names: Mapping[str, int] | None = None) -> list[Item]:
    """Items of several trees mixed. A picture that two trees hold is named once, by the first; raises as `scan`."""
    return opened(find(roots, names)).items


def opened(found: Found) -> Found:
    """The same; raises `DataError` if a folder could not be opened."""
    if found.unreadable:
        raise DataError("; ".join(cannot_open(*pair) for pair in found.unreadable))
    return found


def _check_classes(items: Sequence[Item], root: Path, hint: str) -> None:
    counts = Counter((item.split, item.label) for item in items)
    for split in {item.split for item in items}:
        for label, name in enumerate(NAMES):
            if not counts[split, label]:
                where = f"{root}/{split}" if split else f"{root}"
                raise DataError(
                    f"{where}: expected pictures of both classes, found none labelled {name}; "
                    f"put them into a folder named {'real' if name == 'real' else 'fake'}/{hint}"
                )


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
