"""Files: hashes, and writes that are whole or absent."""

import csv
import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aiface.errors import WriteError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # what writing itself fails with


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` on success and vanishes on failure.

    The suffix is kept, since encoders choose their container by it. Parents are created. Raises `WriteError`, an
    `OSError`, where the folder can't be written or the disk is full.
    """
    path = Path(path)
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _new_file(path)
    try:
        with _naming(path, FULL):
            yield temporary
        with _naming(path), open(temporary, "rb+") as file:
            os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path, only: Container[int] | None = None) -> Iterator[None]:
    """The system's errors (`only` those of these numbers) as a `WriteError` that names the file and what to do."""
    try:
        yield
    except OSError as error:
        if isinstance(error, WriteError) or (only is not None and error.errno not in only):
            raise
        raise WriteError(
            f"{path}: expected to write here, found: {error.strerror or error}; make room or choose another folder "
            "(what was there before is unchanged)",
            error,
        ) from error


def _new_file(path: Path) -> Path:
    """An empty file beside `path`. Unlike mkstemp's it has the mode that the system gives any: others may read it."""
    while True:
        temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
        with suppress(FileExistsError):
            temporary.touch(exist_ok=False)
            return temporary


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: str | Path, rows: Iterable[dict], fields: Iterable[str]) -> None:
    """Write rows under a header of `fields`, whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(fields))
        writer.writeheader()
        writer.writerows(rows)


def folder_name(path: str | Path) -> str:
    """A name for the folder that holds an input's results: the input's own, of letters, digits and dashes.

    >>> folder_name("clips/who? me.mp4")
    'who-me-mp4'
    """
    return re.sub(r"\W+", "-", Path(path).name).strip("-") or "input"
