"""What is read: THE table of pictures and clips, and which of the two a file is.

A file's kind is decided by its content (`kind`). Its name is a hint: for which files of a folder to look at, and for
what lies elsewhere. To read another format, add a row; `python -m PIL` and `ffmpeg -demuxers` list the names.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

from aiface.errors import DataError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

IMAGE, VIDEO = "image", "video"
HEAD = 16  # bytes of a file by which Pillow tells a picture's format
SAMPLE = 1024  # bytes of a file by which text is told


class Format(NamedTuple):
    """A row: endings of names, and who reads it, Pillow (a picture) or FFmpeg (a clip), by their names of it.

    text_too: the endings that files of text have as well.
    """

    suffixes: tuple[str, ...]
    pillow: str | None = None
    ffmpeg: str | None = None
    text_too: tuple[str, ...] = ()


# Left out on purpose: EPS, for which Pillow would run Ghostscript, and playlists (HLS, DASH, concat), which name other
# files that FFmpeg would open for a stranger
TABLE = (
    Format((".avif",), pillow="AVIF"),
    Format((".bmp",), pillow="BMP"),
    Format((".gif",), pillow="GIF"),
    Format((".jpg", ".jpeg", ".jpe", ".jfif"), pillow="JPEG"),
    Format((".jp2", ".j2k", ".jpx"), pillow="JPEG2000"),
    Format((".png",), pillow="PNG"),
    Format((".tif", ".tiff"), pillow="TIFF"),
    Format((".webp",), pillow="WEBP"),
    Format((".mp4", ".m4v", ".mov", ".3gp", ".3g2"), ffmpeg="mov"),
    Format((".mkv", ".webm"), ffmpeg="matroska"),
    Format((".avi",), ffmpeg="avi"),
    Format((".mpg", ".mpeg", ".vob"), ffmpeg="mpeg"),
    Format((".m1v", ".m2v"), ffmpeg="mpegvideo"),
    Format((".ts", ".mts", ".m2ts"), ffmpeg="mpegts", text_too=(".ts", ".mts")),  # TypeScript's
    Format((".wmv", ".asf"), ffmpeg="asf"),
    Format((".flv",), ffmpeg="flv"),
    Format((".ogv",), ffmpeg="ogg"),
)
IMAGE_SUFFIXES = {suffix for row in TABLE if row.pillow for suffix in row.suffixes}
VIDEO_SUFFIXES = {suffix for row in TABLE if row.ffmpeg for suffix in row.suffixes}
TEXT_TOO = {suffix for row in TABLE for suffix in row.text_too}
PILLOW = tuple(row.pillow for row in TABLE if row.pillow)
FFMPEG = tuple(row.ffmpeg for row in TABLE if row.ffmpeg)
OPTIONS = {"format_whitelist": ",".join(FFMPEG)}  # of `av.open`


def is_image(path: Path) -> bool:
    """Whether a file's name says that it is an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def is_video(path: Path) -> bool:
    """Whether a file's name says that it is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def is_clip(path: Path) -> bool:
    """As `is_video`, but no text of the same ending."""
    try:
        return is_video(path) and not (path.suffix.lower() in TEXT_TOO and is_text(_start(path, SAMPLE)))
    except OSError:  # whoever reads it says why it can't be
        return True


def is_text(start: bytes) -> bool:
    """Whether a file that starts so is text: UTF-16 by its mark, or without a byte that text has not."""
    return start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" not in start


def readers(head: bytes) -> Iterator[Callable[..., "ImageFile"]]:
    """Pillow's readers of our formats that take a file which starts with these `HEAD` bytes for theirs."""
    for name in PILLOW:
        if name not in Image.OPEN:
            Image.init()
        reader, accepts = Image.OPEN[name]
        if accepts and accepts(head) is True:  # else False, or why it can't be read here
            yield reader


def is_picture(path: str | Path) -> bool:
    """Whether a file's content is a picture's, whole or damaged. Raises `OSError` for one that can't be opened."""
    return any(readers(_start(path, HEAD)))


def kind(path: str | Path) -> str:
    """Whether a file is an `image` or a `video`, by its content: what its name says was chosen by whoever sent it.

    Raises `DataError` if it is neither.
    """
    import av  # here: what lists and reads pictures alone needs no FFmpeg

    try:
        if is_picture(path):
            return IMAGE
        # By its number: of a name FFmpeg would take the ending into account, and "a:b" for a protocol
        with open(os.open(path, os.O_RDONLY), "rb") as file, av.open(file, options=OPTIONS, metadata_errors="replace"):
            return VIDEO
    except (av.FFmpegError, OSError):
        raise DataError(
            f"{Path(path).name}: expected a picture (such as JPEG, PNG, WebP) or a clip (such as MP4, MOV, WebM), "
            "found neither; see whether it opens on your device, and save it as one of these"
        ) from None


def _start(path: str | Path, count: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(count)
