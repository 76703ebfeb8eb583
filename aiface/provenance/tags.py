"""What is written into a file beside its pixels: EXIF, IPTC, XMP, text chunks and a video container's tags.

All of it is untrusted: whoever had the file may have written it. So each reader that fails gives nothing, and text is
bounded in length and free of control characters. It is no HTML: what shows it escapes it.
"""

import os
import struct
import unicodedata
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import av
from PIL import Image, ImageFile, IptcImagePlugin
from PIL.ExifTags import IFD, TAGS, Base

from aiface.errors import DataError
from aiface.io.images import PNG, check_size, open_image
from aiface.io.media_kinds import OPTIONS

MAX_TAGS = 100  # of a kind
MAX_TEXT = 20_000  # characters of a value: a prompt has thousands
MAX_PIECE = 1_000_000  # bytes of a piece of a PNG, as they are stored
MAX_XMP = 1_000_000  # bytes of a packet
EXIF = ("Make", "Model", "Software", "ProcessingSoftware", "HostComputer", "DateTime", "DateTimeOriginal", "Artist",
        "Copyright", "ImageDescription", "UserComment", "XPTitle", "XPComment", "XPKeywords")  # fmt: skip
IPTC = {(2, 65): "program", (2, 80): "by-line", (2, 110): "credit", (2, 115): "source", (2, 120): "caption"}
XMP = ("CreatorTool", "DigitalSourceType", "DigitalSourceFileType", "Credit", "Source", "creator", "description",
       "title", "rights", "UserComment", "softwareAgent", "Software", "Make", "Model", "CreateDate",
       "AISystemUsed", "AISystemVersionUsed", "AIPromptInformation", "AIPromptWriterName", "AIGC")  # fmt: skip
NOT_ORIGIN = {"minor_version", "compatible_brands", "language", "duration"}
RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"

Pairs = Iterator[tuple[str, object]]


def read_tags(path: str | Path) -> dict[str, str]:
    """A file's tags: names such as `EXIF Software`, `XMP CreatorTool`, `text parameters`, `container encoder`.

    Of pictures that Pillow opens and of the usual video containers; of any other or broken file what can be read, at
    worst an empty dict. Where a picture was taken is left out. Raises `DataError` if the file can't be opened at all.
    """
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of EXIF that is damaged
            pairs = [*_readable(_image, file), *_readable(_container, file)]
    except OSError as error:
        raise DataError(f"{path}: expected a file, found none that opens ({error.strerror}); check the path") from None
    tags: dict[str, list[str]] = {}
    for name, value in pairs:
        tags.setdefault(plain(name, 60), []).append(plain(value))
    joined = {name: plain("; ".join(dict.fromkeys(filter(None, values)))) for name, values in tags.items()}
    return {name: text for name, text in joined.items() if text}


def plain(value: object, length: int = MAX_TEXT) -> str:
    """Untrusted text as one line of at most `length` characters, without control, format or unpaired characters.

    >>> plain(b"Photo\\x00\\nshop \\xe2\\x80\\xae 25")
    'Photo shop 25'
    """
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text[: 2 * length])
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 3] + "..."


def _readable(read: Callable[..., Pairs], *source: object) -> list[tuple[str, object]]:
    """What a reader finds before it ends or fails: broken EXIF is no reason to miss an XMP packet."""
    found = []
    with suppress(Exception):  # whatever a library raises at broken data, in whichever of many ways
        for pair in islice(read(*source), MAX_TAGS):
            found.append(pair)
    return found


# Pictures


def _image(file: BinaryIO) -> Pairs:
    with open_image(file) as image:
        if image.format == "PNG":
            with suppress(Exception):
                check_size(Path(file.name), image.size, image.format, os.fstat(file.fileno()).st_size)
                image.load()  # text may follow the pixels
        for read in (_exif, _iptc, _comment):
            yield from _readable(read, image)
        if image.format == "PNG":
            yield from _readable(_png_text, file)
        packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or image.getexif().get(Base.XMLPacket)
        yield from _readable(_xmp, packet or b"")


def _exif(image: Image.Image) -> Pairs:
    exif = image.getexif()
    for block in (exif, exif.get_ifd(IFD.Exif)):
        for number, value in block.items():
            if (name := TAGS.get(number)) in EXIF:
                yield f"EXIF {name}", _exif_text(name, value)


def _exif_text(name: str, value: object) -> object:
    """Text of a tag whose bytes say nothing of it: XP* are UTF-16, UserComment begins with its encoding's name."""
    if not isinstance(value, bytes):
        return value
    if name.startswith("XP"):
        return value.decode("utf-16-le", "replace")
    code, text = value[:8], value[8:]
    if code == b"UNICODE\0":
        return text.decode("utf-16-be" if text[:1] == b"\0" else "utf-16-le", "replace")
    return text if code in (b"ASCII\0\0\0", bytes(8)) else value


def _iptc(image: ImageFile.ImageFile) -> Pairs:
    for number, value in (IptcImagePlugin.getiptcinfo(image) or {}).items():
        if number in IPTC:
            for one in value if isinstance(value, list) else [value]:
                yield f"IPTC {IPTC[number]}", one


def _comment(image: Image.Image) -> Pairs:
    """The comment of a JPEG or GIF."""
    if "comment" in image.info:
        yield "text comment", image.info["comment"]


def _png_text(file: BinaryIO) -> Pairs:
    """A PNG's text, of each piece its beginning: Pillow reads none of a picture with over 1 MB of it in one piece.

    PNG, third edition, sections 5.3 and 11.3.3.
    """
    file.seek(len(PNG))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        end = file.tell() + length + 4
        if kind in TEXTS:
            keyword, _, rest = file.read(min(length, MAX_PIECE)).partition(b"\0")
            if keyword and not keyword.startswith((b"XML:", b"Raw profile")):
                with suppress(zlib.error, IndexError):  # damaged
                    yield f"text {keyword.decode('latin-1')}", TEXTS[kind](rest)
        file.seek(end)


def _inflated(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, 4 * MAX_TEXT)


def _international(rest: bytes) -> str:
    text = rest[2:].split(b"\0", 2)[2]
    return (_inflated(text) if rest[0] else text).decode("utf-8", "replace")


TEXTS: dict[bytes, Callable[[bytes], str]] = {  # a PNG's pieces of text
    b"tEXt": lambda rest: rest.decode("latin-1"),
    b"zTXt": lambda rest: _inflated(rest[1:]).decode("latin-1"),
    b"iTXt": _international,
}


def _xmp(packet: bytes | str) -> Pairs:
    """Properties of an XMP packet (ISO 16684-1), which are attributes or elements, by their names without namespace."""
    packet = packet.encode() if isinstance(packet, str) else packet
    if len(packet) > MAX_XMP or b"<!DOCTYPE" in packet:  # XMP has none, attacks by entities do
        return
    for element in ElementTree.fromstring(packet.strip(b"\0 \r\n\t")).iter():
        for name in (element.tag, *element.attrib):
            if (local := name.rpartition("}")[2]) in XMP:
                text = element.get(name) or element.get(RESOURCE) or "".join(element.itertext())
                yield f"XMP {local}", text


# Videos


def _container(file: BinaryIO) -> Pairs:
    file.seek(0)
    options = OPTIONS | {"export_xmp": "1"}
    with av.open(file, options=options, metadata_errors="replace") as container:
        parts = [("container", container), *((stream.type, stream) for stream in container.streams)]
        for kind, part in parts:
            for name, value in part.metadata.items():
                if name == "xmp":
                    yield from _readable(_xmp, value)
                elif name.lower() not in NOT_ORIGIN and "location" not in name.lower():
                    yield f"{kind} {name.lower()}", value  # Matroska shouts
