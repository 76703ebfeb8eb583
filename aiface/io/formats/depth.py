"""Pictures of more than 8 bits a sample, brought to 8: a 12-bit scan kept in 16 bits is no dark one."""

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from aiface.errors import DataError
from aiface.io.formats.pages import judged, pages

MOST_BYTES = 1_250_000_000  # of its samples as they are: 200 megapixels of 16-bit colour
RANGE = (0.1, 99.9)  # per cent of the samples: what lies beyond is a hot pixel or a lamp
SOME = 1_000_000  # samples that tell the range
PLANAR = 2  # TIFF 6.0, page 38
INVERTED, GREY, RGB, LAB = 0, 1, 2, 8  # photometric interpretations; TIFF 6.0, page 37
SIGNED = 2
SAMPLES = {1: "whole numbers", SIGNED: "whole numbers with a sign", 3: "floating-point numbers"}  # by SampleFormat
COLOURED = {2, 4, 6}  # a PNG's kinds but grey and palettes; PNG, third edition, section 11.2.1
HOW = "save it with 8 or 16 bits as whole numbers, grey or RGB"


class DeepTiff(NamedTuple):
    """What a TIFF's directory says of its picture. end: bytes into the file, where its last pixels end."""

    size: tuple[int, int]
    bits: int
    samples: int
    form: int
    photometric: int
    end: int
    planes: bool  # each colour by itself
    page: int = 0


def deep_tiff(file: BinaryIO) -> DeepTiff | None:
    """What is said of itself by an opened TIFF whose samples are not Pillow's 8 bits without a sign; None of any other.

    Of the page that is judged, grey, RGB or Lab.
    """
    with suppress(Exception):  # whatever damaged tags make Pillow raise: who reads the picture says so
        found = pages(file)
        page = judged(found)
        return _directory(file, found[page].at if found else 0, page)
    return None


def _directory(file: BinaryIO, at: int, page: int) -> DeepTiff | None:
    file.seek(0)
    head = file.read(8)
    tags = ImageFileDirectory_v2(head + (file.read(8) if 43 in head[2:4] else b""))
    file.seek(at or tags.next)
    tags.load(file)
    bits, photometric, form = max(tags.get(258, (1,))), tags.get(262, -1), tags.get(339, (1,))[0]
    if photometric not in ({INVERTED, GREY, RGB, LAB} if bits > 8 else {INVERTED, GREY, RGB} if form == SIGNED else ()):
        return None
    samples, planes = tags.get(277, 1), tags.get(284) == PLANAR
    size = (tags[256], tags[257])
    return DeepTiff(size, bits, samples, form, photometric, _end(tags), planes and samples > 1, page)


def _end(tags: ImageFileDirectory_v2) -> int:
    strips, tiles = (
        zip(tags.get(273, ()), tags.get(279, ()), strict=False),
        zip(tags.get(324, ()), tags.get(325, ()), strict=False),
    )
    return max((start + count for start, count in (*strips, *tiles)), default=0)


def read_deep(path: Path, tiff: DeepTiff) -> np.ndarray:
    """The picture of a deep TIFF as RGB uint8 `(height, width, 3)`, upright, over white where it is transparent.

    By OpenCV: Pillow halves 16-bit colour before its range is known, and knows no deeper colour; by tifffile what
    OpenCV mixes up or doesn't know, unless its compression is too rare. Raises `DataError` for one that neither can
    read, is cut short, or takes over 1.25 GB.
    """
    width, height = tiff.size
    if width * height * tiff.samples * tiff.bits > 8 * MOST_BYTES:
        found = f"{width}x{height} pixels of {tiff.samples} times {tiff.bits} bits"
        raise DataError(f"{path}: expected a TIFF of at most {MOST_BYTES / 1e9} GB, found {found}; save it with 8 bits")
    if tiff.end > (there := path.stat().st_size):  # OpenCV would take some such for whole
        raise DataError(f"{path}: expected a whole TIFF, of {tiff.end} bytes at least, found {there}; replace it")
    plain = not (tiff.planes or tiff.page or tiff.photometric == LAB)
    image = decoded(np.fromfile(path, np.uint8)) if plain else None
    if image is None or image.dtype == np.uint8 or (image.ndim == 3 and image.shape[2] not in {3, 4}):
        image = _by_tifffile(path, tiff)
    if image is None:
        what = f"{tiff.samples} {SAMPLES.get(tiff.form, 'unknown samples')} a pixel of {tiff.bits} bits"
        raise DataError(f"{path}: expected a whole TIFF that can be read, found {what}, damaged or unusual; {HOW}")
    return image if image.dtype == np.uint8 else _as_rgb(image, inverted=tiff.photometric == INVERTED)


def _by_tifffile(path: Path, tiff: DeepTiff) -> np.ndarray | None:
    """As OpenCV gives a picture: `(height, width)` or BGR, with alpha or without; of Lab RGB uint8. None if not."""
    import tifffile  # here: few pictures need it

    with suppress(Exception), tifffile.TiffFile(path) as file:
        found = np.asarray(file.pages[tiff.page].asarray())
        found = np.moveaxis(found, 0, -1) if tiff.planes else found
        found = found.astype(np.float32) if found.dtype == np.float16 else found
        if found.shape[:2] != tiff.size[::-1]:
            return None
        if tiff.photometric == LAB:
            return _from_lab(found)
        if found.ndim == 2:
            return found
        if found.shape[2] == 2:
            return found[..., [0, 0, 0, 1]]
        return found[..., [2, 1, 0, 3][: found.shape[2]]]
    return None


def _from_lab(found: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of 16 bits, a and b with a sign (TIFF 6.0, section 23), as RGB uint8."""
    import cv2

    light, tints = found[..., :1].astype(np.float32) / 655.35, found[..., 1:3].astype(np.int16).astype(np.float32) / 256
    seen = cv2.cvtColor(np.concatenate((light, tints), axis=2), cv2.COLOR_LAB2RGB)
    return (255 * seen.clip(0, 1)).round().astype(np.uint8)


def is_deep_jp2(file: BinaryIO) -> bool:
    """Whether an opened file is a JPEG 2000 of over 8 bits a sample and in RGB, of which Pillow drops the low bits.

    ISO/IEC 15444-1, A.5.1, the codestream's size, and I.5.3.3, where 18 stands for YCC.
    """
    file.seek(0)
    head = file.read(1 << 16)
    at = head.find(b"\xff\x4f\xff\x51")
    if at < 0 or not head.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")):
        return False
    bits = [each & 0x7F for each in head[at + 42 :: 3][: int.from_bytes(head[at + 40 : at + 42])]]
    return len(bits) >= 3 and max(bits) >= 8 and b"colr\1\0\0\0\0\0\x12" not in head[:at]


def is_deep_png(file: BinaryIO) -> bool:
    """Whether an opened file is a PNG of 16 bits a sample, and not of plain grey, which Pillow reads as it is."""
    file.seek(0)
    head = file.read(26)
    return head.startswith(b"\x89PNG") and len(head) == 26 and head[24] == 16 and head[25] in COLOURED


def read_deep_picture(path: Path) -> np.ndarray | None:
    """The pixels of what `is_deep_png` or `is_deep_jp2`, as RGB uint8 `(height, width, 3)`, over white; None if not."""
    image = decoded(np.fromfile(path, np.uint8))
    return None if image is None or image.ndim != 3 else _as_rgb(image, inverted=False)


def decoded(data: np.ndarray) -> np.ndarray | None:
    """What OpenCV makes of a file's bytes, all bits kept: BGR, with alpha or grey."""
    import cv2  # here: the command's help needs the limits of pictures alone

    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)


def _as_rgb(found: np.ndarray, inverted: bool) -> np.ndarray:
    """OpenCV's picture as RGB uint8."""
    if found.ndim == 2:
        grey = to_8_bits(found)
        return np.repeat((255 - grey if inverted else grey)[..., None], 3, axis=2)
    colours = np.ascontiguousarray(to_8_bits(found[..., :3])[..., ::-1])
    if found.shape[2] == 3:
        return colours
    most = float(found[..., 3].max()) or 1.0
    opaque = (found[..., 3:] / most).astype(np.float32)
    return (colours * opaque + 255 * (1 - opaque)).round().astype(np.uint8)


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Samples of any depth as uint8 of the same shape, their own range stretched.

    Of up to 16 bits: by as many bits as the brightest thousandth needs, 8 at least, so that what fills its 16 bits only
    loses the lower half. Of others, whose range nobody states: from the darkest to the brightest thousandth.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.uint16:
        return np.minimum(values >> spare_bits(values), 255).astype(np.uint8)
    low, high = _range(values)
    scale = 255 / (high - low) if high > low else 0.0
    found = np.empty(values.shape, np.uint8)
    for row, samples in enumerate(values):  # else as 8 bytes a sample
        found[row] = np.nan_to_num((np.clip(samples, low, high) - low) * scale).round()
    return found


def spare_bits(values: np.ndarray) -> int:
    """By how many bits uint16 samples are shifted to be of 8."""
    return max(0, int(_range(values)[1]).bit_length() - 8)


def _range(values: np.ndarray) -> tuple[float, float]:
    """The darkest and the brightest thousandth of the samples, of large pictures by some of them."""
    step = 1 + int((values.size / SOME) ** 0.5)
    some = values[::step, ::step]
    some = some[np.isfinite(some)]
    low, high = np.percentile(some, RANGE, method="nearest") if some.size else (0.0, 0.0)
    return float(low), float(high)
