"""Files: hashes, names as they are shown, and writes that are whole or absent."""

import codecs
import csv
import errno
import hashlib
import io
import json
import os
import re
import secrets
import sys
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aiface.errors import DataError, WriteError
from aiface.io.walk import FILE, FOLDER, what

LONGEST = 100  # bytes of a name that results are called by: a file system takes 255, and there is more in a name
# What Python makes of bytes of a name that are no UTF-8, and what would steer a terminal or turn its line round
_NO_TEXT = re.compile("[\ud800-\udfff\0-\b\v\f\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # what writing itself fails with


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shown(name: object) -> str:
    """A name, or a text that holds some, for people and other programs: a replacement character for what is no text.

    Files are opened by the name as it is.

    >>> shown("caf\\udce9.jpg") == "caf\\ufffd.jpg"
    True
    """
    return _NO_TEXT.sub("\ufffd", str(name))


def number_of(count: int, noun: str, plural: str = "") -> str:
    """How many there are, in words.

    >>> number_of(1, "input"), number_of(1200, "person", "people")
    ('1 input', '1,200 people')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _unshown(error: UnicodeError) -> tuple[str | bytes, int]:
    """As `shown`, where text leaves for a terminal or pipe; what its encoding lacks is escaped."""
    if isinstance(error, UnicodeEncodeError) and error.encoding.lower() in ("utf-8", "utf8"):
        return ("\ufffd" * (error.end - error.start)).encode(), error.end
    return codecs.backslashreplace_errors(error)


def print_any_name() -> None:
    """Have standard output and error print any name, as `shown`."""
    codecs.register_error("aiface.shown", _unshown)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="aiface.shown")


def check_opens(path: str | Path) -> None:
    """Raise `DataError` for a file that is there and may not be opened: it need not be damaged.

    And for what is no file: to open a pipe would wait until someone writes to it.
    """
    if (kind := what(path)) not in (FILE, FOLDER):
        raise DataError(f"{path}: expected a file, found {kind}; name the file itself, saved first if it is none yet")
    try:
        with open(path, "rb"):
            pass
    except (FileNotFoundError, IsADirectoryError):  # who reads it says so
        pass
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: expected a file that may be read, found: {reason}; change its rights") from None


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
    """Write `text`, names in it as `shown`, as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(shown(text), encoding="utf-8")


def write_texts(path: str | Path, texts: Iterable[str]) -> None:
    """The same of a text in pieces, which need not fit into memory together."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(map(shown, texts))


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def json_line(value: object) -> str:
    """`value` as one line of JSON in ASCII, names in it as `shown`."""
    return json.dumps(json.loads(shown(json.dumps(value, ensure_ascii=False))))


def write_csv(path: str | Path, rows: Iterable[dict], fields: Iterable[str]) -> None:
    """Write rows under a header of `fields`, names in them as `shown`, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(fields))
    writer.writeheader()
    writer.writerows(rows)
    with atomic_path(path) as temporary:
        temporary.write_text(shown(text.getvalue()), encoding="utf-8", newline="")


def folder_name(path: str | Path) -> str:
    """A name for the folder that holds an input's results: the input's own, of letters, digits and dashes.

    It has at most LONGEST bytes: a letter may take four.

    >>> folder_name("clips/who? me.mp4")
    'who-me-mp4'
    """
    name = re.sub(r"\W+", "-", Path(path).name).strip("-") or "input"
    return name.encode()[:LONGEST].decode(errors="ignore")
