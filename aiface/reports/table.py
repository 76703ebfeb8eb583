"""Verdicts as CSV, a row for each person, that spreadsheets open rightly.

UTF-8 with a mark, by which Excel tells it; numbers with points; and no cell that a spreadsheet would compute.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from aiface.io.files import atomic_path, shown

MARK = "\ufeff"
COLUMNS = ("path", "person", "verdict", "score", "likelihood_ratio", "looks", "scored", "faces", "first_s", "last_s",
           "ai_intervals_s", "why", "says_generated", "report")  # fmt: skip
# What a cell of a formula begins with (OWASP, CSV injection), in the full width that Japanese Excel takes, too
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def header() -> str:
    """The first line, with the mark, which has no end."""
    return MARK + _lines([COLUMNS]).rstrip("\r\n")


def lines(row: Mapping) -> str:
    """The lines of one row of the index: one for each person, or one that says why there is nobody."""
    return _lines(_of_people(row) if row["each_person"] else [_of_input(row)]).rstrip("\r\n")


def write_verdicts(path: str | Path, rows: Iterable[Mapping]) -> Path:
    """Write rows of the index as CSV, whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(header() + "\r\n")
        file.writelines(lines(row) + "\r\n" for row in rows)
    return Path(path)


def _lines(cells: Iterable[Iterable[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(cells)
    return text.getvalue()


def _of_people(row: Mapping) -> Iterator[list[str]]:
    for number, person in enumerate(row["each_person"], 1):
        why = "; ".join((*person["reasons"], *row["warnings"]))
        ratio = person["likelihood_ratio"] and float(f"{person['likelihood_ratio']['ratio']:.3g}")
        yield _cells({**row, **person, "person": number, "why": why, "likelihood_ratio": ratio})


def _of_input(row: Mapping) -> list[str]:
    return _cells({**row, "person": None})


def _cells(values: Mapping) -> list[str]:
    return [_cell(name, values.get(name)) for name in COLUMNS]


def _cell(name: str, value: object) -> str:
    if isinstance(value, list):
        value = "; ".join("-".join(f"{at:.1f}" for at in each) if isinstance(each, list) else each for each in value)
        if name == "ai_intervals_s":  # times, which no formula can stand in
            return value
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else safe(str(value))


def safe(text: str) -> str:
    """A text that a spreadsheet shows as it is: before what would be a formula stands an apostrophe.

    >>> safe("=1+1.png"), safe("a=1.png")
    ("'=1+1.png", 'a=1.png')
    """
    text = shown(text).replace("\0", "\ufffd")
    return f"'{text}" if text.lstrip().startswith(FORMULA) or text[:1] in ("\t", "\r", "\n") else text
