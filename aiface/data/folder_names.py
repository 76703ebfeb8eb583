"""What the names of folders say of the pictures below: their class and their split."""

import os
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path

from aiface.errors import DataError
from aiface.labels import label_of_folder

EVAL = "eval"  # the test split of some sets, beside dev, and the validation split of others, beside test
_SPLIT_FOLDERS = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "tst": "test",
    "eval": EVAL, "evaluation": EVAL,
    "valid": "valid", "val": "valid", "validation": "valid", "validate": "valid", "validating": "valid",
    "dev": "valid", "development": "valid",
}  # fmt: skip
_FORM = re.compile(r"(train|test|valid|val|eval|dev)(ing|at(e|ing|ion)|uat(e|ing|ion)|elopment)?(set|data|split)?s?")
_LIKE = re.compile(
    _FORM.pattern + r"([\W_]*(set|data|split|image|img|picture|face|frame|video|clip|crop|part|fold)s?)?[\W_]*\d*|"
    r"((hold|held)[\W_]*out|unseen|tun(e|ing)|benchmark|probe)([\W_]*(set|data|split)s?)?[\W_]*\d*"
)


def split_of_folder(name: str) -> str:
    """The split that a folder's name stands for, `EVAL` for one of two; "" if it stands for none.

    `training_real` names a class as well.
    """
    name = name.lower()
    return _SPLIT_FOLDERS.get(name) or (
        _SPLIT_FOLDERS.get(re.split("[_-]", name)[0], "") if label_of_folder(name) is not None else ""
    )


def split_of(folders: Sequence[str]) -> str:
    """The split of the nearest folder that names one."""
    return next((split for name in reversed(folders) if (split := split_of_folder(name))), "")


class Labels:
    """What the folders below a root call their pictures."""

    def __init__(self, root: Path, names: Mapping[str, int]):
        self._root, self._names = root, names
        self._below: dict[tuple[str, ...], set[int]] = defaultdict(set)

    def named(self, name: str) -> int | None:
        """The label of a folder's name alone."""
        return self._names.get(name.lower(), label_of_folder(name))

    def parts(self, folder: Path) -> tuple[str, ...]:
        """The folders on the way from the root."""
        return folder.relative_to(self._root).parts

    def apart(self, folder: Path) -> Hashable:
        """What tells apart paths to one folder: the classes and the split that they may stand for."""
        found = [label for label in map(self.named, self.parts(folder)) if label is not None]
        return (found[0], found[-1], split_of(self.parts(folder))) if found else (split_of(self.parts(folder)),)

    def learn(self, folders: Iterable[Path]) -> None:
        """Where the two classes lie side by side, by all folders that hold pictures."""
        for parts in {self.parts(folder) for folder in folders}:
            for at, name in enumerate(parts):
                if (label := self.named(name)) is not None:
                    self._below[parts[:at]].add(label)

    def of(self, folder: Path) -> int | None:
        """The label of the pictures in a folder, or None."""
        parts = self.parts(folder)
        start = max((at for at in range(len(parts)) if len(self._below.get(parts[:at], ())) == 2), default=0)
        own = Path(os.path.abspath(self._root)).name  # noqa: PTH100, a link's own name and not its target's
        return next((label for name in (*parts[start:], own) if (label := self.named(name)) is not None), None)


def refuse_unknown_splits(root: Path, folders: Sequence[str], labels: Labels) -> None:
    """Raise `DataError` where one of them looks like a split: its pictures would be trained on.

    Below the class, where folders may be called like people, a name must be one of a split and nothing else.
    """
    above = True
    for at, name in enumerate(folders):
        above = above and labels.named(name) is None
        words = [word.lower() for word in re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
        ends = (words[0], words[-1]) if words and above else ()
        if _LIKE.fullmatch(name.lower()) or any(map(_FORM.fullmatch, ends)):
            raise DataError(
                f"{root.joinpath(*folders[: at + 1])}: expected a split's folder called train, valid or test (or "
                f"training, val, validation, dev, eval, testing), found one called {name}; rename it"
            )
