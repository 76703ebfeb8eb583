"""What the names that people give stand for: files, folders, patterns and addresses."""

import os.path
from collections.abc import Iterable, Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from aiface.errors import DataError
from aiface.io.addresses import local
from aiface.io.media_kinds import presumed, why_left_out
from aiface.io.walk import cannot_open, walk

NAMED = 5  # of many files, so many


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
    """Whether a name is a folder's. What no file can be called, a web address or a name too long, is none."""
    name = local(name)
    return "://" not in str(name) and os.path.isdir(name)  # noqa: PTH112, Path's raises for a name too long


class Search(NamedTuple):
    """What a name stands for: inputs, and, each with why, what else lies in its folder, and folders that don't open."""

    inputs: Sequence[str | Path]
    others: Sequence[tuple[str | Path, str]] = ()
    unreadable: Sequence[tuple[Path, str]] = ()


def search(name: str | Path) -> Search:
    """The images and videos that a name stands for, itself or all within a folder, and what else lies there, sorted.

    A `file://` address is the path in it. Links within a folder are followed, and what other programs leave there is
    left out (`aiface.io.walk`).
    """
    name = local(name)
    if not is_folder(name):
        return Search([name])
    found = walk(name)
    inputs = [path for path in found.files if presumed(path)]
    others = [(path, why_left_out(path)) for path in sorted(set(found.files) - set(inputs))]
    return Search(inputs, sorted(others + found.no_files), found.unreadable)


def summed(others: Iterable[tuple[str | Path, str]]) -> Iterator[str]:
    """What was skipped, in a line for each reason, with the first of its names.

    >>> list(summed([(Path("a.txt"), "no picture"), (Path("b.txt"), "no picture"), (Path("c"), "a pipe")]))
    ['skipped, no picture: 2 (a.txt, b.txt)', 'skipped, a pipe: 1 (c)']
    """
    names: dict[str, list[str]] = {}
    for name, why in others:
        names.setdefault(why, []).append(str(name))
    for why, them in names.items():
        more = f" and {len(them) - NAMED} more" if len(them) > NAMED else ""
        yield f"skipped, {why}: {len(them)} ({', '.join(them[:NAMED])}{more})"


def list_inputs(path: str | Path, found: Search | None = None) -> list[str | Path]:
    """The images and videos that a path stands for, as `search` finds them.

    Raises `DataError` for a folder that holds none.
    """
    found = found or search(path)
    if not found.inputs:
        reasons = "".join(f"; {cannot_open(*pair)}" for pair in found.unreadable)
        raise DataError(f"{path}: expected images or videos in this folder, found none; name another{reasons}")
    return [*found.inputs]
