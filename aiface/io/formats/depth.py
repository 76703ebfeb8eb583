"""Pictures of more than 8 bits a sample, brought to 8: a 12-bit scan kept in 16 bits is no dark one."""

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from aiface.errors import DataError

MOST_BYTES = 1_250_000_000  # of its samples as they are: 200 megapixels of 16-bit colour
RANGE = (0.1, 99.9)  # per cent of the samples: what lies beyond is a hot pixel or a lamp
SOME = 1_000_000  # samples that tell the range
PLANAR = 2  # TIFF 6.0, page 38
INVERTED, GREY, RGB = 0, 1, 2  # photometric interpretations; TIFF 6.0, page 37
SAMPLES = {1: "whole numbers", 2: "whole numbers with a sign", 3: "floating-point numbers"}  # by SampleFormat
COLOURED = {2, 4, 6}  # a PNG's kinds but grey and palettes; PNG, third edition, section 11.2.1
HOW = "save it with 8 or 16 bits as whole numbers, grey or RGB"


class DeepTiff(NamedTuple):
    """What a TIFF's first directory says of its picture."""

    size: tuple[int, int]
    bits: int
    samples: int
    form: int
    photometric: int
    end: int  # bytes into the file, where its last pixels end
    planes: bool  # each colour by itself


def deep_tiff(file: BinaryIO) -> DeepTiff | None:
    """What is said of itself by an opened TIFF that has more than 8 bits a sample, grey or RGB; None of any other."""
    with suppress(Exception):  # whatever damaged tags make Pillow raise: who reads the picture says so
        return _first_directory(file)
    return None


def _first_directory(file: BinaryIO) -> DeepTiff | None:
    file.seek(0)
    head = file.read(8)
    tags = ImageFileDirectory_v2(head + (file.read(8) if 43 in head[2:4] else b""))
    file.seek(tags.next)
    tags.load(file)
    bits, photometric = max(tags.get(258, (1,))), tags.get(262)
    if bits <= 8 or photometric not in {INVERTED, GREY, RGB}:
        return None
    samples, planes = tags.get(277, 1), tags.get(284) == PLANAR
    form = tags.get(339, (1,))[0]
    return DeepTiff((tags[256], tags[257]), bits, samples, form, photometric, _end(tags), planes and samples > 1)


def _end(tags: ImageFileDirectory_v2) -> int:
    strips, tiles = (
        zip(tags.get(273, ()), tags.get(279, ()), strict=False),
        zip(tags.get(324, ()), tags.get(325, ()), strict=False),
    )
    return max((start + count for start, count in (*strips, *tiles)), default=0)


def read_deep(path: Path, tiff: DeepTiff) -> np.ndarray:
    """The picture of a deep TIFF as RGB uint8 `(height, width, 3)`, upright, over white where it is transparent.

    By OpenCV: Pillow halves 16-bit colour before its range is known, and knows no deeper colour. Raises `DataError` for
    one that OpenCV can't read either, is cut short, or takes over 1.25 GB.
    """
    width, height = tiff.size
    if width * height * tiff.samples * tiff.bits > 8 * MOST_BYTES:
        found = f"{width}x{height} pixels of {tiff.samples} times {tiff.bits} bits"
        raise DataError(f"{path}: expected a TIFF of at most {MOST_BYTES / 1e9} GB, found {found}; save it with 8 bits")
    if tiff.planes:  # OpenCV would mix them up
        raise DataError(f"{path}: expected a TIFF whose colours lie together, found each in a plane by itself; {HOW}")
    if tiff.end > (there := path.stat().st_size):  # OpenCV would take some such for whole
        raise DataError(f"{path}: expected a whole TIFF, of {tiff.end} bytes at least, found {there}; replace it")
    image = decoded(np.fromfile(path, np.uint8))
    if image is None or image.dtype == np.uint8 or (image.ndim == 3 and image.shape[2] not in {3, 4}):
        what = f"{tiff.samples} {SAMPLES.get(tiff.form, 'unknown samples')} a pixel of {tiff.bits} bits"
        raise DataError(f"{path}: expected a whole TIFF that can be read, found {what}, damaged or unusual; {HOW}")
    return _as_rgb(image, inverted=tiff.photometric == INVERTED)


def is_deep_png(file: BinaryIO) -> bool:
    """Whether an opened file is a PNG of 16 bits a sample, and not of plain grey, which Pillow reads as it is."""
    file.seek(0)
    head = file.read(26)
    return head.startswith(b"\x89PNG") and len(head) == 26 and head[24] == 16 and head[25] in COLOURED


def read_deep_png(path: Path) -> np.ndarray | None:
    """The pixels of a PNG for which `is_deep_png` holds, as RGB uint8 `(height, width, 3)`, over white; None if not."""
    image = decoded(np.fromfile(path, np.uint8))
    return None if image is None else _as_rgb(image, inverted=False)


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
