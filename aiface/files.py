"""Files: hashes, writes that are whole or absent, and images as RGB uint8."""

import csv
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from aiface.errors import DataError

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"  # beside the package, whatever folder one works in
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
VIDEO_SUFFIXES = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"}
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")  # by content; for EPS Pillow would run Ghostscript
MAX_PIXELS = 50_000_000
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns or raises before read_image can say what to do


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` on success and vanishes on failure.

    The suffix is kept, since encoders choose their container by it. Parents are created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files private
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: str | Path, rows: Iterable[dict], fields: Iterable[str]) -> None:
    """Write rows under a header of `fields`, whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(fields))
        writer.writeheader()
        writer.writerows(rows)


def is_image(path: Path) -> bool:
    """Whether a file's name says that it is an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def is_video(path: Path) -> bool:
    """Whether a file's name says that it is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def folder_name(path: str | Path) -> str:
    """A name for the folder that holds an input's results: the input's own, of letters, digits and dashes.

    >>> folder_name("clips/who? me.mp4")
    'who-me-mp4'
    """
    return re.sub(r"\W+", "-", Path(path).name).strip("-") or "input"


def read_image(path: str | Path) -> np.ndarray:
    """Decode an image, turned upright by its EXIF orientation, to RGB uint8 `(height, width, 3)`.

    Pillow rather than OpenCV: it reports a truncated file, where OpenCV fills the rest with grey.
    Raises `DataError` for a file that is missing, empty, truncated, no image, or over 50 megapixels.
    """
    path = Path(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    f"{path}: expected an image of at most {MAX_PIXELS // 1_000_000} megapixels, "
                    f"found {image.width}x{image.height}; scale it down first"
                )
            return np.asarray(_flatten(ImageOps.exif_transpose(image)))
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: expected an image, found no such file; check the path") from None
    except UnidentifiedImageError:
        size = path.stat().st_size
        raise DataError(f"{path}: expected an image, found {size} bytes that are none; remove or replace it") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise DataError(f"{path}: expected a whole image, found a damaged one ({error}); replace it") from None


def _flatten(image: Image.Image) -> Image.Image:
    """RGB over a white ground: an alpha channel would else show whatever colour lies under it."""
    if image.mode.startswith("I;16"):  # which convert() would clip rather than scale
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image).convert("RGB")
    return image.convert("RGB")
