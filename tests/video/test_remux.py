"""Streams as they are, in a container that browsers play."""

import os

import av
import pytest
from clips import read, seconds, text, turned, write_clip

from aiface.errors import VideoError
from aiface.video import remux as remuxing
from aiface.video.playable import place, plays_as
from aiface.video.remux import remux

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows can't wait for a pipe")
LATER = [5 + at for at in seconds(20)]
UNEVEN = [0.0, 0.04, 0.5, 1.2, 1.5, 2.0]


@pytest.mark.parametrize("times", [seconds(20), LATER, UNEVEN], ids=["even", "late", "uneven"])
@pytest.mark.parametrize(
    ("name", "audio", "kept"),
    [("a.mkv", "aac", "aac"), ("a.mkv", "libopus", "opus"), ("a.mkv", "libmp3lame", "mp3"), ("a.mkv", "flac", None),
     ("a.ts", "aac", "aac"), ("a.m2ts", "libmp3lame", "mp3"), ("a.flv", "aac", "aac")],
)  # fmt: skip
def test_frames_keep_their_times_and_sound_stays(tmp_path, name, audio, kept, times):
    tone = (times[0], times[-1]) if name.endswith("mkv") and audio != "libopus" else None
    path = write_clip(tmp_path / name, times, tone=tone, audio=audio)
    out, anew = place(path, None, tmp_path / "page", times[-1])
    assert (out, anew, plays_as(out)) == (tmp_path / "page.mp4", False, ".mp4")
    assert [frame.time for frame in read(out)] == pytest.approx([frame.time for frame in read(path)], abs=0.002)
    with av.open(str(out)) as container:
        codecs = [stream.codec_context.codec.canonical_name for stream in container.streams.audio]
    assert codecs == ([kept] if kept and tone else [])


def test_a_turned_clip_stays_turned(tmp_path):
    path = turned(write_clip(tmp_path / "a.mp4", seconds(6)), 90)
    remux(path, tmp_path / "b.mp4")
    assert read(tmp_path / "b.mp4")[0].image.shape == (64, 48, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: write_clip(folder / "a.avi", seconds(3), codec="mpeg4"), "found: not one stream of H.264"),
        (lambda folder: write_clip(folder / "a.mkv", tone=(0, 0.5)), "found: not one stream of H.264"),
        (text, "expected a clip that MP4 can hold, found: "),
    ],
)
def test_what_cant_be_copied(tmp_path, make, message):
    path = make(tmp_path)
    with pytest.raises(VideoError, match=message):
        remux(path, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_a_copy_that_grows_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(remuxing, "MORE", 0.0)
    monkeypatch.setattr(remuxing, "SPARE", 100)
    with pytest.raises(VideoError, match="expected a clip that can be copied, found: its copy is too large"):
        remux(write_clip(tmp_path / "a.mkv", seconds(6)), tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
