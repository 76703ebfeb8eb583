"""Content credentials without c2pa-python: what a C2PA manifest says, as its bytes lie in a file, unchecked.

Who makes pictures with AI writes them more often than any other mark (DALL-E, Firefly, Imagen, Sora), and what they say
of the origin is plain text within. Specification: C2PA 2.1, appendix A, for where they lie.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MOST = 4 << 20  # bytes of a manifest
PARTS = 10_000  # pieces of a file that are looked at
BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # its name in MP4, HEIC and AVIF
KIND = re.compile(rb"\x78(.)https?://[\w./-]+/digitalsourcetype/", re.DOTALL)  # as CBOR (RFC 8949), its length first
QUOTED_KIND = re.compile(rb'"https?://[\w./-]+/digitalsourcetype/(\w{1,60})"')  # as JSON
AGENT = re.compile(rb"\x6dsoftwareAgent")
GENERATOR = re.compile(rb"\x6fclaim_generator|\x74claim_generator_info")
NAME = b"\x64name"


def read_manifest(path: str | Path) -> tuple[str, tuple[str, ...]] | None:
    """The program that wrote a file's manifests, and what they say of its making: kinds of source, and programs.

    None where there is none. Raises `OSError` where the file can't be opened.
    """
    with open(path, "rb") as file:
        data = b"".join(_parts(file))[:MOST]
    if not data:
        return None
    kinds = [data[match.end() : match.start() + 2 + match[1][0]] for match in KIND.finditer(data)]
    kinds += QUOTED_KIND.findall(data)
    agents = [_name(data, match.end()) for match in AGENT.finditer(data)]
    told = (text.decode("utf-8", "replace") for text in (*kinds, *agents) if text)
    names = (_name(data, match.end()) for match in GENERATOR.finditer(data))
    return next(filter(None, names), b"").decode("utf-8", "replace"), tuple(dict.fromkeys(told))


def _name(data: bytes, at: int) -> bytes:
    """The text behind a key, or that of the first `name` in the map or list behind it."""
    if not (found := _text(data, at)):
        place = data.find(NAME, at, at + 200)
        found = _text(data, place + len(NAME)) if place >= 0 else b""
    return found


def _text(data: bytes, at: int) -> bytes:
    """CBOR's text that begins there, of up to 255 bytes, with its length first; nothing for what is no text."""
    head = data[at : at + 2]
    if len(head) == 2 and 0x60 < head[0] < 0x78:
        return data[at + 1 : at + 1 + head[0] - 0x60]
    return data[at + 2 : at + 2 + head[1]] if head[:1] == b"\x78" and len(head) == 2 else b""


def _parts(file: BinaryIO) -> Iterator[bytes]:
    """The pieces of a manifest."""
    head = file.read(12)
    if head.startswith(b"\xff\xd8"):
        return _of_jpeg(file)
    if head.startswith(b"\x89PNG"):
        return _of_chunks(file, 8, b"caBX", "big", 4)
    if head.startswith(b"RIFF"):
        return _of_chunks(file, 12, b"C2PA", "little", 0)
    return _of_boxes(file) if head[4:8] == b"ftyp" else iter(())


def _of_jpeg(file: BinaryIO) -> Iterator[bytes]:
    """Segments APP11 (ISO/IEC 19566-5, D.2): `JP`, a number of the box, one of the piece, each time the box's head."""
    file.seek(2)
    while (head := file.read(4))[:1] == b"\xff" and len(head) == 4 and head[1] != 0xDA:
        length = int.from_bytes(head[2:]) - 2
        content = file.read(max(length, 0))
        if head[1] == 0xEB and content.startswith(b"JP"):
            yield content[8 if int.from_bytes(content[4:8]) == 1 else 16 :]


def _of_chunks(file: BinaryIO, start: int, wanted: bytes, order: str, after: int) -> Iterator[bytes]:
    """Of PNG, a length, a name, so many bytes and a sum; of RIFF the name first, and an even number of bytes."""
    file.seek(start)
    for _ in range(PARTS):
        head = file.read(8)
        name, size = (head[4:], head[:4]) if order == "big" else (head[:4], head[4:])
        length = int.from_bytes(size, "big" if order == "big" else "little")
        if len(head) < 8:
            return
        if name == wanted:
            yield file.read(min(length, MOST))
            return
        file.seek(length + (after or length % 2), 1)


def _of_boxes(file: BinaryIO) -> Iterator[bytes]:
    """ISO/IEC 14496-12, 4.2."""
    at = 0
    for _ in range(PARTS):
        file.seek(at)
        head = file.read(32)
        length, inside = int.from_bytes(head[:4]), 8
        if length == 1:
            length, inside = int.from_bytes(head[8:16]), 16
        if length < inside or len(head) < inside + 16:
            return
        if head[4:8] == b"uuid" and head[inside : inside + 16] == BOX:
            file.seek(at + inside + 16)
            yield file.read(min(length - inside - 16, MOST))
            return
        at += length
