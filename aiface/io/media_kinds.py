"""What is read: THE table of pictures and clips, and which of the two a file is.

A file's kind is decided by its content (`kind`). Its name is a hint: for which files of a folder to look at, where it
says anything (`presumed`), and for what lies elsewhere. To read another format, add a row; `python -m PIL` and
`ffmpeg -demuxers` list the names.
"""

import os
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pi_heif import register_heif_opener
from PIL import Image

from aiface.errors import DataError
from aiface.io.animations import is_animated
from aiface.io.formats import linear
from aiface.io.formats.unread import RAW, unread

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

IMAGE, VIDEO = "image", "video"
NEITHER = "neither a picture nor a clip"
HEAD = 24  # bytes of a file by which Pillow tells a picture's format
SAMPLE = 1024  # bytes of a file by which text is told, and a clip that is not named like one


class Format(NamedTuple):
    """A row: endings of names, and who reads it, Pillow (a picture) or FFmpeg (a clip), by their names of it.

    starts: a pattern of a clip's first bytes; of a picture's, where Pillow takes too much for its own, or has no idea.
    text_too: the endings that files of text have as well. not_ours: those of what starts so too, but is no picture to
    judge nor a clip.
    """

    suffixes: tuple[str, ...]
    pillow: str | None = None
    ffmpeg: str | None = None
    starts: bytes = b""
    text_too: tuple[str, ...] = ()
    not_ours: tuple[str, ...] = ()


# Left out on purpose: EPS, for which Pillow would run Ghostscript, and playlists (HLS, DASH, concat), which name other
# files that FFmpeg would open for a stranger
TABLE = (
    Format((".avif",), pillow="AVIF"),
    Format((".bmp",), pillow="BMP"),
    Format((".dds",), pillow="DDS"),
    Format((".dib",), pillow="DIB", starts=rb"[(l|]\0\0\0.{8}\x01\0[\x01\x04\x08\x10\x18 ]\0"),
    Format((".gif",), pillow="GIF"),
    Format((".heic", ".heif", ".hif"), pillow="HEIF"),
    Format((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), pillow="JPEG"),
    Format((".hdr", ".pfm"), pillow=linear.NAME, starts=rb"#\?R(ADIANCE|GBE)|P[Ff]\s"),
    Format((".icns",), pillow="ICNS"),
    Format((".ico",), pillow="ICO", starts=rb"\0\0\x01\0[^\0]\0"),
    Format((".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"), pillow="JPEG2000"),
    Format((".pcx",), pillow="PCX", starts=rb"\n[\0\x02-\x05]\x01[\x01\x02\x04\x08]"),
    Format((".png", ".apng"), pillow="PNG"),
    Format((".ppm", ".pgm", ".pbm", ".pnm"), pillow="PPM", starts=rb"P[1-6]\s"),
    Format((".psd",), pillow="PSD"),
    Format((".qoi",), pillow="QOI"),
    Format((".sgi",), pillow="SGI", starts=rb"\x01\xda[\0\x01][\x01\x02]"),
    # by what its first 18 bytes may hold: map of colours or none, kind, that map's size, place, sides, bits, direction
    Format((".tga",), pillow="TGA",
           starts=rb".(\0[\x02\x03\n\x0b]\0{5}|\x01[\x01\t].{4}[\x0f\x10\x18 ]).{4}(?!\0\0).{2}(?!\0\0).{2}"
           rb"[\x08\x0f\x10\x18 ][\0-?]"),
    Format((".ras",), pillow="SUN"),
    Format((".tif", ".tiff"), pillow="TIFF", not_ours=RAW),
    Format((".webp",), pillow="WEBP"),
    Format((".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v", ".lrv", ".insv"), ffmpeg="mov",
           starts=rb".{4}(ftyp(?!M4[ABP]|crx|hei|hev|mif|msf|avi)|moov|mdat|wide|free|skip)",  # no sound, no picture
           not_ours=(".m4a", ".m4b", ".m4p", ".m4r", ".aac", ".aax", ".cr3")),
    Format((".mkv", ".webm", ".mk3d"), ffmpeg="matroska", starts=rb"\x1aE\xdf\xa3", not_ours=(".mka", ".mks", ".weba")),
    Format((".avi", ".divx"), ffmpeg="avi", starts=rb"RIFF.{4}AVI "),
    Format((".mpg", ".mpeg", ".mpe", ".vob", ".mod"), ffmpeg="mpeg", starts=rb"\0\0\x01\xba", text_too=(".mod",)),
    Format((".m1v", ".m2v", ".mpv"), ffmpeg="mpegvideo", starts=rb"\0\0\x01\xb3"),
    Format((".ts", ".mts", ".m2ts", ".m2t", ".tod", ".trp"), ffmpeg="mpegts",
           starts=rb"(G.{187}){4}|.{4}(G.{191}){4}", text_too=(".ts", ".mts")),  # TypeScript's
    Format((".wmv", ".asf"), ffmpeg="asf", starts=rb"0&\xb2u\x8ef\xcf\x11", not_ours=(".wma",)),
    Format((".flv",), ffmpeg="flv", starts=rb"FLV\x01"),
    Format((".ogv", ".ogm"), ffmpeg="ogg", starts=rb"OggS.*(\x80theora|OVP80|\x01video|BBCD|fishead)",
           not_ours=(".oga", ".opus", ".spx")),
    Format((".dv", ".dif"), ffmpeg="dv", starts=rb"\x1f\x07\0[\x3f\xbf]"),
    Format((".mxf",), ffmpeg="mxf", starts=rb"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02"),
    Format((".rm", ".rmvb"), ffmpeg="rm", starts=rb"\.RMF\0"),
    Format((".wtv",), ffmpeg="wtv", starts=rb"\xb7\xd8\x00\x20\x37\x49\xda\x11"),
    Format((".ivf",), ffmpeg="ivf", starts=rb"DKIF\0\0"),
    Format((".y4m",), ffmpeg="yuv4mpegpipe", starts=rb"YUV4MPEG2 "),
    Format((".h264", ".264", ".avc"), ffmpeg="h264", starts=rb"\0\0(\0\x01|\x01)[\x07'Gg]"),
    Format((".h265", ".265", ".hevc"), ffmpeg="hevc", starts=rb"\0\0(\0\x01|\x01)@\x01"),
)  # fmt: skip
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


def presumed(path: Path) -> str | None:
    """What a file of a folder is taken for, `image` or `video`: by its name, or where that says nothing by its start.

    None for what is neither, such as text, and for what can't be opened and has no name of ours.
    """
    if is_image(path):
        return IMAGE
    named = VIDEO if is_video(path) else None
    if named and path.suffix.lower() not in TEXT_TOO:
        return named
    try:
        start = _start(path, SAMPLE)
    except OSError:  # whoever reads it says why it can't be
        return named
    return None if is_text(start) else named or _by_content(start, path.suffix.lower())


def why_left_out(path: Path) -> str:
    """What a file of a folder is that is neither a picture nor a clip, as far as that is known."""
    try:
        return unread(path.suffix.lower(), _start(path, SAMPLE)) or NEITHER
    except OSError as error:
        return f"a file that can't be opened ({error.strerror})"


def _by_content(start: bytes, suffix: str) -> str | None:
    for row in TABLE:
        if any(_readers(row, start[:HEAD])) or (row.ffmpeg and re.match(row.starts, start, re.DOTALL)):
            return None if suffix in row.not_ours else IMAGE if row.pillow else VIDEO
    return None


def is_still(path: Path) -> bool:
    """Whether a file of a folder is taken for a picture."""
    return presumed(path) == IMAGE


def is_clip(path: Path) -> bool:
    """Whether a file of a folder is taken for a clip."""
    return presumed(path) == VIDEO


def is_text(start: bytes) -> bool:
    """Whether a file that starts so is text: UTF-16 by its mark, or without a byte that text has not."""
    return start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" not in start


def readers(head: bytes) -> Iterator[Callable[..., "ImageFile"]]:
    """Pillow's readers of our formats that take a file which starts with these `HEAD` bytes for theirs."""
    return chain.from_iterable(_readers(row, head) for row in TABLE)


def _readers(row: Format, head: bytes) -> Iterator[Callable[..., "ImageFile"]]:
    if row.pillow is None:
        return
    if row.pillow not in Image.OPEN:
        Image.init()
        register_heif_opener()
        linear.register()
    reader, accepts = Image.OPEN[row.pillow]
    if row.starts and not re.match(row.starts, head, re.DOTALL):
        return
    if accepts is None or accepts(head) is True:  # else False, or why it can't be read here
        yield reader


def is_picture(path: str | Path) -> bool:
    """Whether a file's content is a picture's, whole or damaged. Raises `OSError` for one that can't be opened."""
    return any(readers(_start(path, HEAD)))


def kind(path: str | Path) -> str:
    """Whether a file is an `image` or a `video`, by its content: what its name says was chosen by whoever sent it.

    A picture that moves is a video. Raises `DataError` if it is neither.
    """
    import av  # here: what lists and reads pictures alone needs no FFmpeg

    try:
        if is_picture(path):
            return VIDEO if is_animated(path) else IMAGE
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
