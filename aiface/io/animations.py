"""Whether a picture moves: has more than one frame, as GIF, PNG, WebP and AVIF may, by its pieces, none decoded."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO


def is_animated(path: str | Path) -> bool:
    """Whether a file is a picture of at least two frames. Raises `OSError` for one that can't be opened."""
    with open(path, "rb") as file:
        return len(list(islice(_frames(file), 2))) == 2


def _frames(file: BinaryIO) -> Iterator[int]:
    """A number for each frame, as far as it is worth counting; none for a picture that never moves."""
    head = file.read(12)
    if head.startswith((b"GIF87a", b"GIF89a")):
        yield from _of_gif(file)
    elif head.startswith(b"\x89PNG"):
        yield from _of_png(file)
    elif head.startswith(b"RIFF") and head.endswith(b"WEBP"):
        yield from _of_webp(file)
    elif head[4:8] == b"ftyp":
        yield from _of_avif(file, int.from_bytes(head[:4]))


def _of_gif(file: BinaryIO) -> Iterator[int]:
    """GIF89a, sections 18 to 25: colours, then blocks, each with sub-blocks of up to 255 bytes."""
    file.seek(10)
    file.seek(2 + _colours(_byte(file)), 1)
    while (kind := file.read(1)) in (b"!", b","):
        if kind == b",":
            yield file.tell()
            file.seek(8, 1)
            file.seek(_colours(_byte(file)), 1)
        file.seek(1, 1)  # an extension's label, or the least size of a code
        while size := _byte(file):
            file.seek(size, 1)


def _colours(flags: int) -> int:
    """The bytes of a table of colours, if there is one."""
    return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0


def _of_png(file: BinaryIO) -> Iterator[int]:
    """PNG, third edition, section 11.3.6.1: the number of frames stands before the pixels."""
    file.seek(8)
    while len(head := file.read(8)) == 8 and not head.endswith(b"IDAT"):
        if head.endswith(b"acTL"):
            yield from range(int.from_bytes(file.read(4)))
            return
        file.seek(int.from_bytes(head[:4]) + 4, 1)


def _of_webp(file: BinaryIO) -> Iterator[int]:
    """RFC 9649, section 2.7: a frame in each ANMF, of files that begin with VP8X."""
    while len(head := file.read(8)) == 8 and head[:4] not in (b"VP8 ", b"VP8L"):
        if head.startswith(b"ANMF"):
            yield file.tell()
        size = int.from_bytes(head[4:], "little")
        file.seek(size + size % 2, 1)


def _of_avif(file: BinaryIO, size: int) -> Iterator[int]:
    """AVIF 1.1, section 6.3: the brand of sequences, of which nobody makes one of a single picture."""
    file.seek(8)
    brands = file.read(min(max(size - 8, 0), 256))
    yield from range(2 if b"avis" in (brands[at : at + 4] for at in range(0, len(brands), 4)) else 1)


def _byte(file: BinaryIO) -> int:
    """The next one; 0 at the end."""
    return int.from_bytes(file.read(1))
