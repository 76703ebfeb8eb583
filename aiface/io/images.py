"""Pictures as RGB uint8, from whoever: read in steps, upright, and refused where a header lies."""

import io
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from aiface.errors import DataError
from aiface.io.media_kinds import HEAD, readers

MAX_PIXELS = 50_000_000
PLAUSIBLE = 10_000_000  # pixels: a picture with more takes a byte for each 100, of which a plain JPEG holds 64
PIXELS_A_BYTE = 100
STRIP = 256  # rows
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
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < HEAD or not {42, 43} & set(head[2:4]):
        return head
    place, number = ((8, "Q"), "Q") if 43 in head[2:4] else ((4, "I"), "H")
    (offset,) = struct.unpack_from(order + place[1], head, place[0])
    if offset >= file.seek(0, os.SEEK_END):
        return head
    file.seek(offset)
    found = file.read(struct.calcsize(number))
    if len(found) == struct.calcsize(number) and (tags := struct.unpack(order + number, found)[0]) > MOST_TAGS:
        raise DataError(f"{file.name}: expected at most {MOST_TAGS} tags, found {tags} claimed; save the picture anew")
    return head


def read_image(path: str | Path) -> np.ndarray:
    """Decode an image, turned upright by its EXIF orientation, to RGB uint8 `(height, width, 3)`.

    Pillow rather than OpenCV: it reports a truncated file, where OpenCV fills the rest with grey, and it reads in
    steps, where OpenCV takes the memory that a file asks for. Raises `DataError` for a file that is missing, empty,
    truncated, no image, over 50 megapixels, or too small for the pixels that it claims.
    """
    path = Path(path)
    try:
        try:
            return _read(path, path)
        except ValueError:  # such text behind the pixels
            with open(path, "rb") as file:
                if not file.read(HEAD).startswith(PNG):
                    raise
            return _read(path, _without_text(path))
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: expected an image, found no such file; check the path") from None
    except UnidentifiedImageError:
        size = path.stat().st_size
        raise DataError(f"{path}: expected an image, found {size} bytes that are none; remove or replace it") from None
    except (
        Exception
    ) as error:  # Pillow's parsers raise whatever they stumble on: KeyError, struct.error, MemoryError...
        raise DataError(f"{path}: expected a whole image, found a damaged one ({error}); replace it") from None


def _read(path: Path, file: Path | BinaryIO) -> np.ndarray:
    with open_image(file) as image:
        check_size(path, image.size, path.stat().st_size)
        ImageOps.exif_transpose(image, in_place=True)  # a copy would hold the pixels twice
        return _as_array(image)


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


def check_size(path: Path, size: tuple[int, int], bytes_there: int) -> None:
    """Raise `DataError` for a width and height that are too large, or more than a file of so many bytes can hold.

    A header that lies costs the memory and the time of a true one: a JPEG of 10 kB may claim 50 megapixels.
    """
    width, height = size
    if (pixels := width * height) > MAX_PIXELS:
        raise DataError(
            f"{path}: expected an image of at most {MAX_PIXELS // 1_000_000} megapixels, "
            f"found {width}x{height}; scale it down first"
        )
    if pixels > max(PLAUSIBLE, PIXELS_A_BYTE * bytes_there):
        raise DataError(
            f"{path}: expected at least {pixels // PIXELS_A_BYTE} bytes for {width}x{height} pixels, "
            f"found {bytes_there}: its header lies, or it is of one colour; replace it"
        )


def _as_array(image: Image.Image) -> np.ndarray:
    """All of it as RGB uint8, in strips: whole copies in other modes would take the memory several times."""
    image.load()
    width, height = image.size
    found = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, STRIP):
        part = image.crop((0, top, width, min(top + STRIP, height)))
        found[top : top + STRIP] = np.asarray(_flatten(part))
    return found


def _flatten(image: Image.Image) -> Image.Image:
    """RGB over a white ground: an alpha channel would else show whatever colour lies under it."""
    if image.mode.startswith("I;16"):  # which convert() would clip rather than scale
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image).convert("RGB")
    return image.convert("RGB")
