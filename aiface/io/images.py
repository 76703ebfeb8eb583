"""Pictures as RGB uint8, from whoever: read in steps, upright, and refused where a header lies."""

import io
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from aiface.errors import DataError
from aiface.io.formats.depth import deep_tiff, is_deep_jp2, is_deep_png, read_deep, read_deep_picture, spare_bits
from aiface.io.formats.heif import check_end
from aiface.io.formats.pages import judged, pages
from aiface.io.formats.unread import RAW, unread
from aiface.io.media_kinds import HEAD, SAMPLE, readers

MAX_PIXELS = 16384 * 12288  # the largest of phones' sensors, sold as 200 megapixels
FULL_PIXELS = 80_000_000  # a picture with more is read at half its width and height
PLAUSIBLE = 10_000_000  # pixels: a picture with more takes at least...
PIXELS_A_BYTE = {"JPEG": 512, "MPO": 512, "PNG": 8256, "GIF": 2730}  # ...a byte for so many: see `check_size`
ONE_COLOUR = 50_000  # pixels a byte in other formats; what was measured of one colour alone takes one for 37,000
STRIP = 256  # rows, an even number
TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # by EXIF orientation, how a picture is set upright
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: np.rot90,
}
MOST_TAGS = 1000  # of a TIFF; cameras and scanners write some dozens
PNG = b"\x89PNG\r\n\x1a\n"
NO_PIXELS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")  # a PNG's words and colour profile


def open_image(file: str | Path | BinaryIO) -> Image.Image:
    """An image in one of our formats as Pillow opens it, its pixels not yet read.

    As `Image.open`, but for its limit on pixels: that is the whole process's, and warns or raises before `check_size`
    can say what to do. Raises what Pillow raises, and `DataError` for a TIFF that claims over MOST_TAGS tags: Pillow
    looks each one up, twice, before anything else can be asked.
    """
    if isinstance(file, str | Path):
        with open(file, "rb") as opened:
            head = _head(opened)
    else:
        head = _head(file)
    for reader in readers(head):
        with suppress(SyntaxError, IndexError, TypeError, struct.error):  # by which Image.open tells that it is none
            try:
                return _opened(reader, file)
            except ValueError:  # Pillow's, for a PNG with over 1 MB of text or profile in one piece
                if not head.startswith(PNG):
                    raise
                return _opened(reader, _without_text(file))
    raise UnidentifiedImageError(f"cannot identify image file {file!r}")


def _opened(reader: Callable[..., Image.Image], file: str | Path | BinaryIO) -> Image.Image:
    if not isinstance(file, str | Path):
        file.seek(0)
    try:
        return reader(file, None)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # GIF and WebP look themselves
        name = file if isinstance(file, str | Path) else file.name
        raise DataError(f"{name}: expected an image of usual size, found: {error}; scale it down first") from None


def _head(file: BinaryIO) -> bytes:
    """The first bytes; raises `DataError` for a TIFF of too many tags.

    TIFF 6.0, section 2: the order of bytes, 42, and where the first directory lies, whose number of tags is first.
    BigTIFF has 43, and eight bytes where these have four and two.
    """
    head = file.read(HEAD)
    if not _is_tiff(head):
        return head
    order = "<" if head.startswith(b"II") else ">"
    place, number = ((8, "Q"), "Q") if 43 in head[2:4] else ((4, "I"), "H")
    (offset,) = struct.unpack_from(order + place[1], head, place[0])
    if offset >= file.seek(0, os.SEEK_END):
        return head
    file.seek(offset)
    found = file.read(struct.calcsize(number))
    if len(found) == struct.calcsize(number) and (tags := struct.unpack(order + number, found)[0]) > MOST_TAGS:
        raise DataError(f"{file.name}: expected at most {MOST_TAGS} tags, found {tags} claimed; save the picture anew")
    return head


def _is_tiff(head: bytes) -> bool:
    return len(head) == HEAD and head[:2] in {b"II", b"MM"} and bool({42, 43} & set(head[2:4]))


def read_image(path: str | Path) -> np.ndarray:
    """Decode an image, turned upright by its EXIF orientation, to RGB uint8 `(height, width, 3)`.

    One of more than 80 megapixels comes at half its width and height. Pillow rather than OpenCV: it reports a truncated
    file, where OpenCV fills the rest with grey, and it reads in steps, where OpenCV takes the memory that a file asks
    for. Raises `DataError` for a file that is missing, empty, truncated, no image, over 201 megapixels, too large for
    the memory that there is, or too small for the pixels that it claims.
    """
    return _read_or_say(Path(path))[0]


def read_small(path: str | Path, least: int) -> tuple[np.ndarray, float]:
    """The same, and how many of its pixels one of these stands for, on a side.

    A JPEG comes at a half, a quarter or an eighth of its width and height, as long as the longer keeps `least` pixels:
    its decoder leaves out what would be thrown away, and takes a quarter of the time.
    """
    return _read_or_say(Path(path), least)


def _read_or_say(path: Path, least: int | None = None) -> tuple[np.ndarray, float]:
    try:
        try:
            return _read(path, path, least)
        except ValueError:  # such text behind the pixels
            with open(path, "rb") as file:
                if not file.read(HEAD).startswith(PNG):
                    raise
            return _read(path, _without_text(path), least)
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: expected an image, found no such file; check the path") from None
    except UnidentifiedImageError:
        raise DataError(f"{path}: expected an image, found {_no_image(path)}") from None
    except MemoryError:
        raise DataError(f"{path}: expected memory for all its pixels, found too little; scale it down first") from None
    except (
        Exception
    ) as error:  # Pillow's parsers raise whatever they stumble on: KeyError, struct.error, MemoryError...
        raise DataError(f"{path}: expected a whole image, found a damaged one ({error}); replace it") from None


def _no_image(path: Path) -> str:
    with open(path, "rb") as file:
        known = unread("", file.read(SAMPLE))
    return known or f"{path.stat().st_size} bytes that are none; remove or replace it"


def _read(path: Path, file: Path | BinaryIO, least: int | None = None) -> tuple[np.ndarray, float]:
    with open(path, "rb") as opened:
        tiff = _is_tiff(_head(opened))
        if tiff and path.suffix.lower() in RAW:
            raise DataError(f"{path}: expected an image, found {unread(path.suffix.lower(), b'II')}")
        deep = deep_tiff(opened) if tiff else None
        deep_picture = is_deep_png(opened) or is_deep_jp2(opened)
        page = judged(pages(opened)) if tiff else 0
    if deep:
        check_size(path, deep.size, "TIFF", path.stat().st_size)
        with suppress(UnidentifiedImageError), open_image(path) as image:
            image.load()  # where Pillow knows it, it finds what is damaged within, as OpenCV does not
        return _full_or_half(read_deep(path, deep)), 1.0
    with open_image(file) as image:
        if page:
            image.seek(page)
        check_size(path, image.size, image.format, path.stat().st_size)
        if image.format == "HEIF":
            check_end(path)
        width, height = full = image.size
        shrink = 2 if width * height > FULL_PIXELS else 1
        wanted = max(shrink, max(full) / least) if least else shrink
        if wanted > 1:  # a JPEG then holds a quarter of its pixels from the start
            image.draft(image.mode, (ceil(width / wanted), ceil(height / wanted)))
        image.load()
        found = read_deep_picture(path) if deep_picture else None
        found = _as_array(image, shrink if image.size == full else 1) if found is None else _full_or_half(found)
        scale = max(1.0, round(width / found.shape[1]) / shrink)
        orientation = image.getexif().get(0x0112, 1)  # not before it was loaded: some readers turn it themselves
    upright = TURNED.get(orientation)
    return (found if upright is None else np.ascontiguousarray(upright(found))), scale


def _full_or_half(image: np.ndarray) -> np.ndarray:
    large = image.shape[0] * image.shape[1] > FULL_PIXELS
    return np.asarray(Image.fromarray(image).reduce(2)) if large else image


def _without_text(file: str | Path | BinaryIO) -> BinaryIO:
    """A PNG without its `NO_PIXELS`, which are not even read: what is left is whole.

    PNG, third edition, section 5.3: a piece is its length, its name, so many bytes, and four of a checksum.
    """
    if isinstance(file, str | Path):
        with open(file, "rb") as opened:
            return _without_text(opened)
    kept, place, end = io.BytesIO(), len(PNG), file.seek(0, os.SEEK_END)
    kept.write(PNG)
    while place + 8 <= end:
        file.seek(place)
        head = file.read(8)
        length, name = struct.unpack(">I4s", head)
        if name not in NO_PIXELS:
            kept.write(head)
            kept.write(file.read(min(length + 4, end - place - 8)))  # a length may lie
        place += length + 12
    kept.seek(0)
    return kept


def check_size(path: Path, size: tuple[int, int], form: str | None, bytes_there: int, most: int = MAX_PIXELS) -> None:
    """Raise `DataError` for a width and height that are too large, or more than a file of so many bytes can hold.

    A header that lies costs the memory and the time of a true one: a JPEG of 10 kB may claim 50 megapixels. But a flat
    ground takes little: of a JPEG a bit for 64 pixels, of a GIF 12 bits for 4096, of a PNG what zlib makes of 8
    pixels, at best a byte of 1032. Modern formats have no such bound.
    """
    width, height = size
    if (pixels := width * height) > most:
        raise DataError(
            f"{path}: expected an image of at most {most // 1_000_000} megapixels, "
            f"found {width}x{height}; scale it down first"
        )
    held = PIXELS_A_BYTE.get(form or "", ONE_COLOUR)
    if pixels > max(PLAUSIBLE, held * bytes_there):
        raise DataError(
            f"{path}: expected at least {pixels // held} bytes for {width}x{height} pixels, found {bytes_there}: "
            "its header lies, its end is missing, or it is of one colour; replace it"
        )


def _as_array(image: Image.Image, shrink: int = 1) -> np.ndarray:
    """All of it as RGB uint8, in strips: whole copies in other modes would take the memory several times."""
    width, height = image.size
    spare = spare_bits(np.asarray(image)) if image.mode.startswith("I;16") else 0
    found = np.empty((-(-height // shrink), -(-width // shrink), 3), np.uint8)
    for top in range(0, height, STRIP):
        part = _flatten(image.crop((0, top, width, min(top + STRIP, height))), spare)
        found[top // shrink : (top + STRIP) // shrink] = np.asarray(part.reduce(shrink) if shrink > 1 else part)
    return found


def _flatten(image: Image.Image, spare: int) -> Image.Image:
    """RGB over a white ground: an alpha channel would else show whatever colour lies under it."""
    if image.mode.startswith("I;16"):  # which convert() would clip rather than scale
        return Image.fromarray(np.minimum(np.asarray(image) >> spare, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image).convert("RGB")
    return image.convert("RGB")
