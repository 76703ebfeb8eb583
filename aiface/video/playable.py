"""Copies of clips that browsers play: the clip itself where each of them does, its streams in MP4, or a small one."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

import av

from aiface.errors import VideoError
from aiface.io.files import atomic_path
from aiface.io.media_kinds import OPTIONS
from aiface.video.frames import VideoSource, sample, seconds_of
from aiface.video.opening import open_video
from aiface.video.remux import PIXELS, VIDEO, remux
from aiface.video.writer import VideoWriter

ENDINGS = (".mp4", ".webm")
PLAYED = {"mp4": VIDEO, "webm": {"vp8", "vp9", "av1"}}  # by Chromium, Firefox and Safari
WEBM = b"webm"  # in the head of such a file
LATE = 0.1  # seconds: what starts later has times of its own in a browser
RATE, SIDES = 30.0, (1280, 720)  # frames a second and pixels, longer side first, of a copy made anew
LONGEST = 600.0  # seconds of a clip that is made anew: that takes longer than to judge it


def plays_as(path: str | Path) -> str | None:
    """The ending under which browsers play a clip as it is, at the times that `open_video` gives; else None.

    A stranger's clip can crash it: ask `aiface.provenance.inspector`.
    """
    try:
        # By its number, as `aiface.io.media_kinds.kind` opens it
        with open(os.open(path, os.O_RDONLY), "rb") as file:
            webm = WEBM in file.read(64)  # else it is Matroska of any kind
            file.seek(0)
            with av.open(file, options=OPTIONS, metadata_errors="replace") as container:
                kind = "webm" if webm else "mp4" if "mp4" in container.format.name else None
                return f".{kind}" if kind and _plays(container.streams.video, PLAYED[kind]) else None
    except av.FFmpegError:
        return None


def _plays(streams: Iterable[av.VideoStream], codecs: set[str]) -> bool:
    moving = [stream for stream in streams if not stream.disposition & av.stream.Disposition.attached_pic]
    return len(moving) == 1 and all(
        stream.codec_context.codec.canonical_name in codecs
        and stream.codec_context.pix_fmt in PIXELS
        and abs(seconds_of(stream.start_time, stream.time_base)) < LATE
        for stream in moving
    )


def place(path: str | Path, ending: str | None, stem: Path, seconds: float) -> tuple[Path, bool]:
    """Put a clip where a page plays it, under the name `stem` and an ending; return that path, and if it is made anew.

    ending: what `plays_as` says. With one, the clip itself, which takes no room on the same disk (a hard link); else
    its streams in MP4 where that can hold them (H.264 in Matroska or MPEG-TS, say), else a copy made anew of its first
    `seconds`, of 720p and 30 frames a second at most, without sound. Raises `VideoError` where these are too many for
    that, or the clip can't be read, `OSError` where nothing can be written.
    """
    out = stem.with_name(stem.name + (ending or ".mp4"))
    for other in ENDINGS:
        stem.with_name(stem.name + other).unlink(missing_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    if ending:
        return _same(Path(path).resolve(), out), False
    if os.name == "posix":  # Windows can't wait for a pipe
        with suppress(VideoError):
            remux(path, out)
            return out, False
    return _anew(path, out, seconds), True


def _same(path: Path, out: Path) -> Path:
    try:
        os.link(path, out)
    except OSError:  # another disk, or one that has no links
        with atomic_path(out) as temporary:
            shutil.copyfile(path, temporary)
    return out


def _anew(path: str | Path, out: Path, seconds: float) -> Path:
    if seconds > LONGEST:
        raise VideoError(
            f"{path}: expected a clip that browsers play, or one of at most {LONGEST / 60:.0f} minutes to make such a "
            f"copy of, found {seconds / 60:.0f} minutes; make it small with resizing.sh and judge that"
        )
    with open_video(path, rate=RATE, isolated=True) as video, VideoWriter(out, *_fitted(video)) as writer:
        for frame in takewhile(lambda frame: frame.time <= seconds + 1 / RATE, sample(video, RATE)):
            writer.write(frame)
    return out


def _fitted(video: VideoSource) -> tuple[int, int]:
    long, short = max(video.width, video.height), min(video.width, video.height)
    scale = min(1.0, SIDES[0] / long, SIDES[1] / short)
    return max(2, round(video.width * scale)), max(2, round(video.height * scale))
