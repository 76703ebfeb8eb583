"""HEIC, of which libheif shows what is missing as black: whether a file is whole."""

import struct
from pathlib import Path

from aiface.errors import DataError


def check_end(path: Path) -> None:
    """Raise `DataError` for a HEIC whose pixels are cut short, of which libheif would show the rest in black.

    ISO/IEC 14496-12, 4.2: a box begins with its length and its name; a length of 1 means that it follows in 8 bytes,
    one of 0 that the box is the last. What phones append of their own is nobody's business.
    """
    size, at = path.stat().st_size, 0
    with open(path, "rb") as file:
        while at + 8 <= size:
            file.seek(at)
            length, name, longer = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
            length = longer if length == 1 else length
            if name == b"mdat" and at + length > size:
                raise DataError(f"{path}: expected a whole image, found {size} of its {at + length} bytes; replace it")
            if length < 8:
                return
            at += length
