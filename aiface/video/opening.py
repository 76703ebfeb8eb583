"""Frames in: clips, URLs, cameras and folders of images, all as one kind of source."""

import os
import re
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path

import cv2

from aiface.errors import DataError, VideoError
from aiface.io.addresses import local, without_password
from aiface.io.formats.unread import unread
from aiface.io.images import read_image
from aiface.io.media_kinds import SAMPLE, is_picture, is_still
from aiface.io.walk import FILE, FOLDER, what
from aiface.video.animation import Animation
from aiface.video.camera import Camera
from aiface.video.decoding import Clip
from aiface.video.frames import IMAGE_STEP, Frame, Picture, VideoSource, ready_made, sample
from aiface.video.sandboxed import IsolatedClip

__all__ = ["Frame", "open_video", "sample"]


def open_video(
    source: str | Path | int,
    capture: Callable[[int], cv2.VideoCapture] = cv2.VideoCapture,
    rate: float = inf,
    isolated: bool = False,
) -> VideoSource:
    """Open a video file, an animated picture, a URL (http, https, rtsp), a camera number or a folder of images.

    The result is a context manager to iterate once, for each `Frame` in presentation order, upright and with
    square pixels. A folder's images come sorted by name, 1/25 s apart; a camera gives its newest frame. It has

    - `name`, and `live`: whether there is no end to wait for;
    - `width` and `height` of the first frame in pixels; later frames may differ;
    - `duration` in seconds or None: an estimate, for progress bars only;
    - `warning`, None or what was amiss: a clip that breaks off ends there, and damaged frames are left out up
      to the next keyframe, since what refers to them is smeared;
    - `skipped`: pairs of the name of an image in the folder that can't be read, and the reason.

    `capture` makes a camera from its number, as `cv2.VideoCapture` does. `rate` is how many frames a second will be
    `sample`d: a clip's decoder may leave out others, as long as those that remain come twice as often, and at least
    every 0.1 s. `isolated` decodes a file in a process of its own, which a stranger's file may crash or fill without
    harm (`aiface.video.sandboxed`); of it come only the frames that `sample` takes at `rate`. Raises `VideoError` when
    there is nothing to read, and when a camera gives no frame for 4 seconds.
    """
    opened = _choose(source, capture, rate, isolated)
    opened.start()
    return opened


def _choose(
    source: str | Path | int, capture: Callable[[int], cv2.VideoCapture], rate: float, isolated: bool
) -> VideoSource:
    if isinstance(source, int) or (isinstance(source, str) and source.isdecimal()):
        return Camera(int(source), capture)
    if isinstance(source, str) and (scheme := re.match(r"(https?|rtsps?)://", source, re.IGNORECASE)):
        address = scheme[0].lower() + source[scheme.end() :]  # FFmpeg knows no HTTP://
        return Clip(address, without_password(source), rate)
    path = Path(local(source))
    if (scheme := re.match(r"([a-z][a-z0-9+.-]+):/", str(local(source)), re.IGNORECASE)) and not path.exists():
        wanted = f"{without_password(str(source))}: expected a file, or an address that begins with http, https or rtsp"
        raise VideoError(f"{wanted}, found {_ELSE.get(scheme[1].lower(), _ELSE[''])}")
    if path.is_dir():
        return _Folder(path)
    if not path.exists():
        raise VideoError(f"{path}: expected a video or a folder of images, found neither; check the path")
    if why := _no_clip(path):
        raise VideoError(f"{path}: expected a video, found {why}")
    kind = Animation if _is_picture(path) else Clip
    opened = partial(IsolatedClip, kind) if isolated and os.name == "posix" else kind  # Windows can't wait for a pipe
    return opened(str(path.resolve()), str(path), rate)  # absolute: FFmpeg takes "a:b.mp4" for a protocol


def _is_picture(path: Path) -> bool:
    """Whether a file's content is a picture's, so that Pillow reads its frames."""
    try:
        return is_picture(path)
    except OSError:  # FFmpeg says what is wrong
        return False


def _no_clip(path: Path) -> str:
    """What a path leads to that is known to be no clip; to open a pipe would wait for who writes to it."""
    if (kind := what(path)) not in (FILE, FOLDER):
        return kind
    with suppress(OSError), open(path, "rb") as file:  # who reads it says why it can't be
        return unread("", file.read(SAMPLE))
    return ""


_ELSE = {
    "": "another; fetch it with a browser or curl, and judge the file",
    "file": "a file address at which there is nothing on this machine; check the path",
    **dict.fromkeys(("s3", "s3a", "gs", "az", "hdfs"), "a store's; add --engine ray, or copy it here"),
}


class _Folder(VideoSource):
    """The images of a folder as a clip."""

    def __init__(self, path: Path):
        self._paths = sorted(file for file in path.iterdir() if file.is_file() and is_still(file))
        if not self._paths:
            raise VideoError(f"{path}: expected images in this folder, found none; give the one they lie in")
        super().__init__(str(path), duration=len(self._paths) * IMAGE_STEP)

    def _read(self) -> Generator[Picture, None, None]:
        for index, path in enumerate(self._paths):
            try:
                image = read_image(path)
            except DataError as error:
                self.skipped.append((path.name, str(error)))
                self.warning = f"{len(self.skipped)} of {len(self._paths)} images could not be read"
                continue
            yield index * IMAGE_STEP, ready_made(image)
