"""What lies in a folder and below: links followed, other programs' leftovers left out, what can't be opened named."""

import errno
import os
import stat
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path

# of macOS, Windows and network drives; hidden folders, such as .ipynb_checkpoints, are left out too
LEFTOVERS = {"__macosx", "@eadir", ".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "#recycle"}
FILE, FOLDER = "file", "folder"
DEAD, ENDLESS = "a link to what is not there", "a link that leads back to itself"
SPECIAL = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}
Ids = frozenset[tuple[int, int]]  # of folders, by device and number


@dataclass(frozen=True)
class Walk:
    """What was found: files in the order of their names, and folders that could not be opened, with the reason.

    no_files: what is neither file nor folder, such as a link to nothing, with what it is.
    """

    files: list[Path] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    no_files: list[tuple[Path, str]] = field(default_factory=list)


def is_leftover(name: str, is_folder: bool) -> bool:
    """Whether a name is one that other programs leave behind: `._x.jpg` is no picture, but what macOS notes on x."""
    return name.lower() in LEFTOVERS or name.startswith("._") or (is_folder and name.startswith("."))


def walk(folder: str | Path, apart: Callable[[Path], Hashable] = lambda folder: None) -> Walk:
    """All files below a folder. Each folder is looked into once, by its own path before any link to it.

    A link to a folder that it lies in is not followed. apart: what tells paths to one folder apart: it is looked into
    once for each value.
    """
    found, seen = Walk(), set()
    todo: list[tuple[Path, Ids]] = [(Path(folder), frozenset())]
    links: list[tuple[Path, Ids]] = []
    while todo or links:
        place, above = todo.pop() if todo else links.pop(0)
        try:
            status = place.stat()
            own = (status.st_dev, status.st_ino)
            if own in above or (own, apart(place)) in seen:
                continue
            seen.add((own, apart(place)))
            with os.scandir(place) as entries:
                kinds = {entry.name: (_kind(entry), entry.is_symlink()) for entry in entries}
        except OSError as error:
            found.unreadable.append((place, error.strerror or str(error)))
            continue
        for name, (kind, is_link) in sorted(kinds.items()):
            if is_leftover(name, kind == FOLDER):
                continue
            if kind == FOLDER:
                (links if is_link else todo).append((place / name, above | {own}))
            elif kind == FILE:
                found.files.append(place / name)
            else:
                found.no_files.append((place / name, kind))
    return Walk(sorted(found.files), sorted(found.unreadable), sorted(found.no_files))


def _kind(entry: os.DirEntry) -> str:
    """What an entry is, or what it links to: a file, a folder, or other things, in words."""
    try:
        return FOLDER if entry.is_dir() else FILE if entry.is_file() else what(entry.path)
    except OSError:  # a link in circles, or to where nobody may look
        return what(entry.path)


def what(path: str | Path) -> str:
    """What lies at a path: a file, a folder, or other things, in words. Where nothing does, who opens it says so."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116, as below
    except ValueError:  # a name that no file can have
        return FILE
    except OSError as error:
        dead = DEAD if os.path.islink(path) else FILE  # noqa: PTH114, Path's is slow in folders of a million
        return {errno.ENOENT: dead, errno.ENOTDIR: dead, errno.ELOOP: ENDLESS}.get(error.errno or 0, FILE)
    return FOLDER if stat.S_ISDIR(mode) else SPECIAL.get(stat.S_IFMT(mode), FILE)


def cannot_open(folder: Path, reason: str) -> str:
    """A folder that could not be opened, in words."""
    return f"{folder}: expected a folder that can be opened, found: {reason}; change its rights, or leave it out"
