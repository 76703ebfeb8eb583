"""What the names that people give stand for: files, folders, patterns and addresses."""

import os.path
from collections.abc import Iterable
from glob import glob, has_magic
from pathlib import Path

from aiface.errors import DataError
from aiface.io.media_kinds import is_clip, is_image


def expand(names: Iterable[str]) -> list[str]:
    """The names with what patterns such as `clips/*.mp4` or `**/*.jpg` match, sorted, in their place.

    Shells do so themselves, but not on Windows, and not in quotes. A file that is called like a pattern is that file; a
    pattern that matches nothing stays, and is then said to be no file.
    """
    found = []
    for name in names:
        pattern = has_magic(name) and "://" not in name and not os.path.exists(name)  # noqa: PTH110, as below
        matches = sorted(glob(name, recursive=True)) if pattern else []  # noqa: PTH207
        found += matches or [name]
    return found


def is_folder(name: str | Path) -> bool:
    """Whether a name is a folder's. What no file can be called, an address or a name too long, is none."""
    return "://" not in str(name) and os.path.isdir(name)  # noqa: PTH112, Path's raises for a name too long


def list_files(folder: str | Path) -> tuple[list[Path], list[Path]]:
    """The images and videos within a folder, and all other files, sorted."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    inputs = [path for path in files if is_image(path) or is_clip(path)]
    return inputs, sorted(set(files) - set(inputs))


def search(name: str) -> tuple[list[str | Path], list[str | Path]]:
    """The inputs that a name stands for, and what else lies in its folder."""
    if not is_folder(name):
        return [name], []
    inputs, others = list_files(name)
    return [*inputs], [*others]


def list_inputs(path: str | Path) -> list[Path]:
    """The images and videos that a path stands for: itself, or for a folder all within it, sorted.

    Raises `DataError` for a folder that holds none.
    """
    path = Path(path)
    if not is_folder(path):
        return [path]
    if not (found := list_files(path)[0]):
        raise DataError(f"{path}: expected images or videos in this folder, found none; name another")
    return found
