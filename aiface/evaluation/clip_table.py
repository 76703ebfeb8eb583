"""`clips.csv`: which clips a set has and what they are, as people write it and spreadsheets save it."""

import csv
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aiface.errors import DataError
from aiface.labels import AI, REAL, label_of_folder

Row = Mapping[str, str | None]

FILES = ("file", "filename", "file_name", "filepath", "file_path", "path", "clip", "video", "name")
LABELS = ("label", "labels", "class", "target", "truth")  # of 0 and 1, 1 is AI
IS_AI, IS_REAL = ("fake", "is_fake", "ai", "is_ai", "generated", "is_generated"), ("real", "is_real")
YES = {"1", "1.0", "true", "yes", "wahr", "vrai", "vero", "verdadero", "verdadeiro"}
NO = {"0", "0.0", "false", "no", "falsch", "faux", "falso"}


def read_table(table: Path) -> list[tuple[str, int, str]]:
    """The rows of a table: a clip's name, its label, and where in the table that stands.

    Columns are found by their headings: FILES and LABELS, the first of these that is there, or one that asks a question
    (IS_AI, IS_REAL) and is answered by yes and no. UTF-8, UTF-16 with its mark, else Windows' Latin letters. Raises
    `DataError` for a table without them, without rows, or with another label.
    """
    lines = _text(table).splitlines(keepends=True)
    before = 1 if lines and re.fullmatch("sep=.", lines[0].strip(), re.IGNORECASE) else 0  # which Excel reads first
    head = "".join(lines[before : before + 1])
    delimiter = max(",;\t", key=head.count)
    try:
        reader = csv.DictReader(lines[before:], delimiter=delimiter)
        columns = [re.sub(r"[\s-]+", "_", (name or "").strip(' "').lower()) for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        rows = [(f"{table}, line {before + reader.line_num}", row) for row in reader if any(row.values())]
    except csv.Error as error:
        raise DataError(f"{table}: expected a table of clips, found another thing ({error}); save it as CSV") from None
    file, label = _first(FILES, columns), _first((*LABELS, *IS_AI, *IS_REAL), columns)
    if not file or not label:
        raise DataError(f"{table}: expected the columns file and label, found {', '.join(columns) or 'none'}; "
                        "name them in its first line")  # fmt: skip
    if not rows:
        raise DataError(f"{table}: expected a row for each clip, found none; add them, or remove the table")
    read = _label_of(label)
    return [((row[file] or "").strip(), _label(read, (row[label] or "").strip(), where), where) for where, row in rows]


def _first(names: Sequence[str], columns: Sequence[str]) -> str | None:
    return next((name for name in names if name in columns), None)


def _label_of(column: str) -> Callable[[str], int | None]:
    yes, no = (REAL, AI) if column in IS_REAL else (AI, REAL)
    return lambda word: yes if word.lower() in YES else no if word.lower() in NO else label_of_folder(word)


def _label(read: Callable[[str], int | None], word: str, where: str) -> int:
    if (label := read(word)) is None:
        raise DataError(f"{where}: expected the label real or ai (0 or 1), found {word!r}; correct it")
    return label


def _text(table: Path) -> str:
    data = table.read_bytes()
    if data.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
        raise DataError(f"{table}: expected a table of clips as text, found a workbook; save it as CSV UTF-8")
    try:
        return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def find_file(folder: Path, name: str) -> Path | None:
    """The file of a name: as it is, with `/` for Windows' separators, or with its accents the other way round."""
    forms = [name, name.replace("\\", "/")]
    forms += [unicodedata.normalize(form, each) for form in ("NFC", "NFD") for each in forms]
    return next((folder / form for form in forms if form and (folder / form).is_file()), None)
