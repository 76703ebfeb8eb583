"""What a picture's file gives away before a pixel is looked at: its container, its size, its JPEG tables."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, JpegImagePlugin

NUMBERS = {
    "width": "px",
    "height": "px",
    "aspect": "width over height",
    "file_bytes": "size of the file, bytes",
    "bytes_per_pixel": "size of the file over its number of pixels",
    "jpeg_quality": "nearest IJG quality of the luminance table, 1 to 100; JPEG only",
}
CATEGORIES = {
    "format": "container and codec, by content",
    "size": "width x height",
    "mode": "Pillow's colour mode",
    "jpeg_tables": "quantisation tables: nearest IJG quality and a hash of all tables",
    "subsampling": "chroma subsampling of a JPEG",
    "progressive": "progressive JPEG",
    "exif": "EXIF present",
}
METADATA = NUMBERS | CATEGORIES
_SAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0", -1: "other"}
# Luminance table of ITU-T T.81 (1992) annex K.1, row by row, which IJG's libjpeg scales by its quality setting
_LUMINANCE = np.array((
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
))  # fmt: skip


def file_traits(image: Image.Image, file_bytes: int) -> tuple[dict[str, float | str], list[list[int]]]:
    """METADATA of an image opened by Pillow, as a dict, and its JPEG quantisation tables, each 64 steps row by row."""
    tables = [list(table) for _, table in sorted(getattr(image, "quantization", {}).items())]
    quality = jpeg_quality(tables[0]) if tables else float("nan")
    digest = hashlib.sha256(repr(tables).encode()).hexdigest()[:6]
    return {
        "width": image.width,
        "height": image.height,
        "aspect": image.width / image.height,
        "file_bytes": file_bytes,
        "bytes_per_pixel": file_bytes / (image.width * image.height),
        "jpeg_quality": quality,
        "format": image.format or "",
        "size": f"{image.width}x{image.height}",
        "mode": image.mode,
        "jpeg_tables": f"q{quality} {digest}" if tables else "",
        "subsampling": _SAMPLING[JpegImagePlugin.get_sampling(image)] if tables else "",
        "progressive": "yes" if image.info.get("progressive") else "no",
        "exif": "yes" if image.info.get("exif") else "no",
    }, tables


def jpeg_quality(luminance: Sequence[int]) -> int:
    """The quality setting of IJG's libjpeg, 1 to 100, whose luminance table lies nearest to these 64 steps."""
    return 1 + int(np.abs(_ijg_tables() - np.asarray(luminance)).mean(axis=1).argmin())


@lru_cache(1)
def _ijg_tables() -> np.ndarray:
    """`(100, 64)`: `jpeg_quality_scaling` and `jpeg_add_quant_table` of libjpeg's jcparam.c."""
    quality = np.arange(1, 101)[:, None]
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return ((_LUMINANCE * scale + 50) // 100).clip(1, 255)
