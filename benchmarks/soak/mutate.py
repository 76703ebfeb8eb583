"""Damaged files: whole ones, made by code, and what an accident or an attacker may do to their bytes."""

import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

Field = tuple[int, str]  # where a number lies in a file, and its `struct` format
VALUES = (0, 1, 2, 255, 7000, 10_000, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)  # 7000: squared, just below the cap
BOXES = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"mvex", b"moof", b"traf"}  # that hold others
LISTS = (b"RIFF", b"LIST")
NO_LENGTH = range(0xD0, 0xDA)  # JPEG markers that stand alone: restarts, start and end


def mutate(rng: np.random.Generator, whole: bytes, others: Sequence[bytes]) -> bytes:
    """One to three injuries, one after the other; `others` are files to take parts from."""
    content = whole
    for _ in range(1 + rng.binomial(2, 0.25)):
        injury = INJURIES[rng.integers(len(INJURIES))]
        content = injury(rng, content, others) or whole
    return _with_checksums(content) if rng.random() < 0.5 else content


def _flip_bits(rng: np.random.Generator, content: bytes, others: Sequence[bytes]) -> bytes:
    damaged = bytearray(content)
    for at in rng.integers(len(damaged), size=rng.integers(1, 30)):
        damaged[at] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def _truncate(rng: np.random.Generator, content: bytes, others: Sequence[bytes]) -> bytes:
    return content[: rng.integers(1, len(content) + 1)]


def _lie(rng: np.random.Generator, content: bytes, others: Sequence[bytes]) -> bytes:
    """False lengths and sizes, in up to four places where there are such."""
    damaged, places = bytearray(content), list(fields(content))
    for _ in range(rng.integers(1, 5)):
        at, kind = places[rng.integers(len(places))] if places else (int(rng.integers(len(damaged))), "<I")
        size = struct.calcsize(kind)
        value = VALUES[rng.integers(len(VALUES))] if rng.random() < 0.8 else int(rng.integers(2**32))
        if at + size <= len(damaged):
            struct.pack_into(kind, damaged, at, value % 256**size)
    return bytes(damaged)


def _splice(rng: np.random.Generator, content: bytes, others: Sequence[bytes]) -> bytes:
    other = others[rng.integers(len(others))]
    return content[: rng.integers(len(content) + 1)] + other[rng.integers(len(other) + 1) :]


def _block(rng: np.random.Generator, content: bytes) -> slice:
    start = int(rng.integers(len(content)))
    return slice(start, start + int(rng.integers(1, 1 + min(4096, len(content)))))


def _repeat(rng: np.random.Generator, content: bytes, others: Sequence[bytes]) -> bytes:
    block, at = content[_block(rng, content)], rng.integers(len(content) + 1)
    return content[:at] + block * int(rng.integers(1, 5)) + content[at:]


def _remove(rng: np.random.Generator, content: bytes, others: Sequence[bytes]) -> bytes:
    block = _block(rng, content)
    return content[: block.start] + content[block.stop :]


def _fill(rng: np.random.Generator, content: bytes, others: Sequence[bytes]) -> bytes:
    damaged, block = bytearray(content), _block(rng, content)
    length = len(damaged[block])
    damaged[block] = bytes(length) if rng.random() < 0.5 else rng.bytes(length)
    return bytes(damaged)


INJURIES = (_flip_bits, _truncate, _lie, _lie, _splice, _repeat, _remove, _fill)


def fields(content: bytes) -> Iterator[Field]:
    """Where a file says how large something is: sides, lengths of chunks, offsets."""
    if content.startswith(b"\x89PNG"):
        yield from ((16, ">I"), (20, ">I"), *((at, ">I") for at, _ in _png_chunks(content)))
    elif content.startswith(b"\xff\xd8"):
        yield from _of_jpeg(content)
    elif content.startswith(b"GIF8"):
        frame = content.find(b",", 13)
        yield from ((6, "<H"), (8, "<H"), *((frame + at, "<H") for at in (1, 3, 5, 7)))
    elif content.startswith(b"BM"):
        yield from ((2, "<I"), (10, "<I"), (14, "<I"), (18, "<I"), (22, "<I"), (28, "<H"), (30, "<I"), (46, "<I"))
    elif content.startswith((b"II*\0", b"MM\0*")):
        yield from _of_tiff(content)
    elif content.startswith(b"RIFF"):
        yield from _of_riff(content)
    elif content[4:8] == b"ftyp":
        yield from _of_boxes(content, 0, len(content))
    elif content.startswith(b"\x1aE\xdf\xa3"):  # EBML's numbers vary in length: bytes of the first 4 kB stand for them
        yield from ((at, ">H") for at in range(4, min(4096, len(content)), 3))


def _png_chunks(content: bytes) -> Iterator[tuple[int, int]]:
    at = 8
    while at + 12 <= len(content):
        length = struct.unpack_from(">I", content, at)[0]
        yield at, length
        at += 12 + length


def _with_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have true checksums again: without, a reader looks no further."""
    if not content.startswith(b"\x89PNG"):
        return content
    mended = bytearray(content)
    for at, length in _png_chunks(content):
        if at + 12 + length <= len(content):
            struct.pack_into(">I", mended, at + 8 + length, zlib.crc32(content[at + 4 : at + 8 + length]))
    return bytes(mended)


def _of_jpeg(content: bytes) -> Iterator[Field]:
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        kind = content[at + 1]
        if kind in NO_LENGTH:
            at += 2
            continue
        yield at + 2, ">H"
        if 0xC0 <= kind <= 0xC2:  # a frame: its height and width
            yield from ((at + 5, ">H"), (at + 7, ">H")) * 3
        at += 2 + struct.unpack_from(">H", content, at + 2)[0]


def _of_tiff(content: bytes) -> Iterator[Field]:
    order = "<" if content.startswith(b"II") else ">"
    start = struct.unpack_from(f"{order}I", content, 4)[0]
    yield 4, f"{order}I"
    count = struct.unpack_from(f"{order}H", content, start)[0] if start + 2 <= len(content) else 0
    for entry in range(start + 2, min(start + 2 + 12 * count, len(content) - 12), 12):
        yield from ((entry, f"{order}H"), (entry + 4, f"{order}I"), (entry + 8, f"{order}I"))


def _of_riff(content: bytes, at: int = 0) -> Iterator[Field]:
    """WebP and AVI: chunks, some of which hold others; and the numbers at a chunk's start, a canvas's sides say."""
    while at + 8 <= len(content):
        yield at + 4, "<I"
        if content[at : at + 4] in LISTS:
            at += 12
            continue
        yield from ((at + inside, "<H") for inside in (12, 14, 15) if at + inside + 2 <= len(content))
        length = struct.unpack_from("<I", content, at + 4)[0]
        at += 8 + length + length % 2


def _of_boxes(content: bytes, at: int, end: int) -> Iterator[Field]:
    """MP4 and MOV: boxes within boxes, and the numbers that each begins with."""
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", content, at)
        yield at, ">I"
        if kind in BOXES:
            yield from _of_boxes(content, at + 8, min(end, at + length))
        else:
            yield from ((inside, ">I") for inside in range(at + 8, min(at + 40, at + length, end - 3), 4))
        at += max(8, length)
