"""What of a file with more than one picture is judged: of a TIFF the first that is no thumbnail of another."""

import re
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

MOST = 1000  # pages that are counted
REDUCED, MASK = 1, 4  # bits of NewSubfileType; TIFF 6.0, page 36
XMP_WITHIN = 1 << 16  # bytes: where a phone's XMP lies in a JPEG
_MOTION = re.compile(rb"(Camera:MotionPhoto|MicroVideo)(=.1.|>1<)")  # Android's Motion Photo format 1.0, and before


class Page(NamedTuple):
    """A picture of a TIFF: where its directory lies, in bytes, and whether it is one by itself."""

    at: int
    whole: bool


def pages(file: BinaryIO) -> list[Page]:
    """The pages of an opened file, as far as their directories can be followed; none if it is no TIFF.

    TIFF 6.0, section 2; of BigTIFF the numbers are longer.
    """
    file.seek(0)
    head = file.read(16)
    if len(head) < 8 or head[:2] not in {b"II", b"MM"} or not {42, 43} & set(head[2:4]):
        return []
    order, big = "<" if head.startswith(b"II") else ">", 43 in head[2:4]
    number, entry, place = ("Q", 20, "Q") if big else ("H", 12, "I")
    found: list[Page] = []
    at = _unpacked(order + place, head[8:] if big else head[4:])
    while at and len(found) < MOST and all(at != page.at for page in found):
        file.seek(at)
        count = _unpacked(order + number, file.read(struct.calcsize(number)))
        entries = file.read(entry * min(count, MOST))
        kinds = [entries[start : start + entry] for start in range(0, len(entries), entry)]
        kind = next((_kind(order, each, big) for each in kinds if each[:2] == struct.pack(order + "H", 254)), 0)
        found.append(Page(at, not kind & (REDUCED | MASK)))
        at = _unpacked(order + place, file.read(struct.calcsize(place))) if len(kinds) == count else 0
    return found


def _unpacked(form: str, data: bytes) -> int:
    size = struct.calcsize(form)
    return struct.unpack(form, data[:size].ljust(size, b"\0"))[0]


def _kind(order: str, entry: bytes, big: bool) -> int:
    return _unpacked(order + "I", entry[12:] if big else entry[8:])


def judged(found: list[Page]) -> int:
    """The number of the page that is judged, from 0."""
    return next((number for number, page in enumerate(found) if page.whole), 0)


def note(path: str | Path) -> str:
    """What to say of a file that holds more than one picture; "" of any other, and of what can't be opened."""
    try:
        with open(path, "rb") as file:
            number = sum(page.whole for page in pages(file))
            file.seek(0)
            moves = _MOTION.search(file.read(XMP_WITHIN))
    except OSError:
        return ""
    if number > 1:
        return f"the file holds {number} pages; the first is judged"
    return "a motion photo: the picture is judged, not the clip that it holds besides" if moves else ""
