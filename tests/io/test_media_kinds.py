import os
import socket
import warnings
from collections import Counter
from pathlib import Path

import av
import pytest
from clips import seconds, text, write_clip
from PIL import Image

from aiface.errors import DataError, VideoError
from aiface.evaluation.clips import list_clips
from aiface.io import media_kinds
from aiface.io.files import check_opens
from aiface.io.media_kinds import (
    FFMPEG,
    HEAD,
    IMAGE,
    NEITHER,
    PILLOW,
    SAMPLE,
    TABLE,
    VIDEO,
    is_clip,
    is_image,
    is_still,
    is_video,
    kind,
    presumed,
)
from aiface.io.sources import search
from aiface.video.opening import open_video

CLIPS = [("mp4", "libx264"), ("m4v", "libx264"), ("mov", "libx264"), ("3gp", "libx264"), ("mkv", "libx264"),
         ("webm", "libvpx"), ("avi", "mpeg4"), ("mpg", "libx264"), ("vob", "libx264"), ("ts", "libx264"),
         ("mts", "libx264"), ("m2ts", "libx264"), ("wmv", "mpeg4"), ("flv", "libx264")]  # fmt: skip
PICTURES = [
    "avif",
    "bmp",
    "gif",
    "heic",
    "heif",
    "hif",
    "jpg",
    "jpeg",
    "jpe",
    "jfif",
    "jp2",
    "j2k",
    "jpx",
    "png",
    "tga",
    "ico",
    "pcx",
    "ppm",
    "pgm",
    "pnm",
    "hdr",
    "psd",
    "tif",
    "tiff",
    "webp",
]
FORMS = [
    "AVIF",
    "BMP",
    "DDS",
    "GIF",
    "ICO",
    "JPEG",
    "JPEG2000",
    "PCX",
    "PNG",
    "PPM",
    "QOI",
    "SGI",
    "TGA",
    "TIFF",
    "WEBP",
]
TEXTS = {"index.ts": b"export const answer = 42\n", "index.mts": "export {}\n".encode("utf-16"), "empty.ts": b"",
         "list.ts": b"#EXTM3U\n#EXTINF:2,\n/secret.mp4\n", "Map.TS": b"BM and GIF are formats"}  # fmt: skip


def clip(path, codec="libx264"):
    return write_clip(path, seconds(3), codec=codec)


def picture(path, **options):
    Image.new("RGB", (64, 48), (200, 30, 30)).save(path, **options)
    return path


# The table


def test_each_ending_is_in_one_row():
    counts = Counter(suffix for row in TABLE for suffix in row.suffixes)
    assert set(counts.values()) == {1}
    assert all(suffix == "." + suffix.lower().strip(".") for suffix in counts)
    assert all(bool(row.pillow) != bool(row.ffmpeg) and set(row.text_too) <= set(row.suffixes) for row in TABLE)
    assert all((not row.ffmpeg or row.starts) and not counts.keys() & set(row.not_ours) for row in TABLE)


def test_pillow_and_ffmpeg_know_their_names():
    assert not list(media_kinds.readers(bytes(HEAD)))  # has Pillow know all of them
    assert set(PILLOW) <= set(Image.OPEN)
    known = {name for names in av.formats_available for name in names.split(",")}
    assert set(FFMPEG) <= known


@pytest.mark.parametrize("name", ["hls", "dash", "concat", "sdp", "image2", "EPS", "PDF"])
def test_what_names_other_files_or_runs_programs_is_left_out(name):
    assert name not in {*FFMPEG, *PILLOW}


@pytest.mark.parametrize(
    ("name", "image", "video"),
    [*((f"a.{suffix}", True, False) for suffix in PICTURES), *((f"a.{suffix}", False, True) for suffix, _ in CLIPS),
     ("a.JPEG", True, False), ("a.MOV", False, True), ("a.txt", False, False), ("jpg", False, False)],
)  # fmt: skip
def test_what_names_say(name, image, video):
    assert (is_image(Path(name)), is_video(Path(name))) == (image, video)


# The content


@pytest.mark.parametrize(("suffix", "codec"), CLIPS)
@pytest.mark.parametrize("name", ["as it is", "a.jpg", "a", "a:b.txt"])
def test_clips(tmp_path, suffix, codec, name):
    path = clip(tmp_path / f"clip.{suffix}", codec)
    assert kind(path if name == "as it is" else path.rename(tmp_path / name)) == VIDEO


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["a.png", "a.mp4", "a.ts", "a"])
def test_pictures(tmp_path, form, name):
    path = picture(tmp_path / name, format=form)
    assert kind(path) == IMAGE
    path.write_bytes(path.read_bytes()[:40])
    assert kind(path) == IMAGE  # a damaged one: whoever reads it says so


def playlist(path):
    """What would show a stranger another clip of this machine, were FFmpeg let."""
    clip(path / "secret.ts")
    (path / "list.jpg").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{path}/secret.ts\n#EXT-X-ENDLIST\n")
    return path / "list.jpg"


def concatenation(path):
    clip(path / "secret.mp4")
    (path / "list.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    return path / "list.mp4"


@pytest.mark.parametrize(
    "make", [text, playlist, concatenation, lambda path: path / "missing.mp4", lambda path: path], ids=range(5)
)
def test_what_is_neither(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(DataError, match=rf"^{path.name}: expected a picture .* or a clip .*, found neither; "):
        kind(path)


# Folders


def test_what_is_looked_at_in_a_folder(tmp_path):
    wanted = [clip(tmp_path / f"clip.{suffix}", codec) for suffix, codec in CLIPS]
    wanted += [picture(tmp_path / f"picture.{suffix}", format="PNG") for suffix in PICTURES]
    for name, content in (TEXTS | {"notes.txt": b"a"}).items():
        (tmp_path / name).write_bytes(content)
    inputs, others, _ = search(tmp_path)
    assert inputs == sorted(wanted)
    assert {path.name for path, _ in others} == {*TEXTS, "notes.txt"}


@pytest.mark.parametrize("name", ["a", "a.txt", "a.jpg_large", "a.dat", "1.2.3", "a.m4a", "a.dng"])
@pytest.mark.parametrize("form", [form for form in FORMS if form != "PPM"])  # this one red is as good as text
def test_a_picture_of_a_folder_with_no_name_of_ours(tmp_path, name, form):
    path = picture(tmp_path / name, format=form)
    wanted = [] if (name, form) == ("a.dng", "TIFF") else [path]  # a camera's, whose first picture is a thumbnail
    assert search(tmp_path).inputs == wanted
    assert is_still(path) is bool(wanted)


@pytest.mark.parametrize(("suffix", "codec"), CLIPS)
def test_a_clip_of_a_folder_with_no_name_of_ours(tmp_path, suffix, codec):
    path = clip(tmp_path / f"clip.{suffix}", codec).rename(tmp_path / "clip")
    assert search(tmp_path).inputs == [path]
    assert is_clip(path)


@pytest.mark.parametrize(
    ("start", "found"),
    [(b"\x1f\7\0\xbf" + bytes(40), VIDEO), (b".RMF\0\0\0\x12", VIDEO), (b"DKIF\0\0 \0VP80", VIDEO),
     (b"\0\0\0\1gd\0\x1f", VIDEO), (b"\0\0\0\1@\1\x0c\1", VIDEO), (b"YUV4MPEG2 W64 H48\nFRAME\n", VIDEO),
     (b"\6\x0e+4\2\5\1\1\r\1\2\1", VIDEO), (b"\n\5\1abc", None), (b"PF\0\1", None), (b"(\0\0\0" + bytes(30), None),
     (b"\0\0\1\0free\0", VIDEO), (b"\0\0\1\0\0", None),
     (b"OggS\0\2" + bytes(20) + b"\1\x1e\x01vorbis" + bytes(30) + b"OggS\0\2" + bytes(20) + b"\1*\x80theora", VIDEO),
     (b"\0\0\1\xb3", VIDEO), (b"OggS\0\2" + bytes(20) + b"\1*\x80theora", VIDEO), (b"OggS\0\2" + bytes(40), None),
     (b"\0\0\0\x1cftypM4V ", VIDEO), (b"\0\0\0\x1cftypM4A ", None), (b"\0\0\0\x08wide\0\0\0\0mdat", VIDEO)],
)  # fmt: skip
def test_the_start_of_a_clip(tmp_path, start, found):
    (tmp_path / "clip").write_bytes(start + bytes(9))
    assert presumed(tmp_path / "clip") == found


SOUNDS = [("m4a", "aac"), ("mka", "aac"), ("ogg", "libopus"), ("opus", "libopus"), ("wav", "pcm_s16le"),
          ("flac", "flac"), ("mp3", "libmp3lame")]  # fmt: skip


@pytest.mark.parametrize(("suffix", "audio"), SOUNDS)
def test_sound_is_left_out(tmp_path, suffix, audio):
    sound = write_clip(tmp_path / f"sound.{suffix}", tone=(0, 0.5), audio=audio)
    assert [path for path, _ in search(tmp_path).others] == [sound]
    assert not search(tmp_path).inputs


OTHERS = {"empty": b"", "README": b"BM and GIF are formats", "page": b"<html>", "a.pdf": b"%PDF-1.7\n\0\0",
          "a.zip": b"PK\3\4" + bytes(99), "zeros": bytes(2000), "noise.bin": bytes(range(7, 256)) * 8,
          "a.crx": b"\0\0\0\x18ftypcrx " + bytes(9)}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_starts_like_nothing_of_ours_is_left_out(tmp_path, name):
    (tmp_path / name).write_bytes(OTHERS[name])
    found = search(tmp_path)
    assert (found.inputs, [path for path, _ in found.others]) == ([], [tmp_path / name])


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [("a.dng", b"II*\0" + bytes(90), "a camera's raw picture; save it as"), ("a", b"", "an empty file"),
     ("a", b"\xff\n" + bytes(90), "a JPEG XL picture, which is not read; save it as"),
     ("a.jxl", b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"), ("a.pdf", b"%PDF-1.7\n", "a PDF; save its"),
     ("a.svg", b"<?xml version='1.0'?>\n<!-- b -->\n<svg>", "an SVG drawing"), ("a.mp3", b"ID3\0", "sound alone"),
     ("a.zip", b"PK\3\4", "an archive; unpack it"), ("a.txt", b"a", NEITHER)],
)  # fmt: skip
def test_why_a_file_of_a_folder_is_left_out(tmp_path, name, content, why):
    (tmp_path / name).write_bytes(content)
    ((_, found),) = search(tmp_path).others
    assert found.startswith(why)


SPECIAL = {
    "a link to what is not there": lambda path: path.symlink_to("nowhere.jpg"),
    "a link that leads back to itself": lambda path: path.symlink_to(path.name),
    "a pipe": os.mkfifo,
    "a socket": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
}


@pytest.mark.skipif(os.name != "posix", reason="such files are of POSIX systems")
@pytest.mark.parametrize("name", ["a.jpg", "a.mp4", "a"])
@pytest.mark.parametrize("why", SPECIAL)
def test_what_is_no_file_is_left_out_and_never_waited_for(tmp_path, monkeypatch, why, name):
    monkeypatch.chdir(tmp_path)  # a socket's whole name may have 108 bytes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        SPECIAL[why](Path(name))
    picture(tmp_path / "b.png")
    assert search(tmp_path) == ([tmp_path / "b.png"], [(tmp_path / name, why)], [])
    with pytest.raises(DataError, match=f"a.*: expected a file, found {why}; name the file itself"):
        check_opens(tmp_path / name)
    with pytest.raises(VideoError, match=why if "link" not in why else "expected a video"):
        open_video(tmp_path / name)


def test_what_lies_in_a_folder_is_read_by_its_start_alone(tmp_path, monkeypatch):
    picture(tmp_path / "photo", format="PNG")
    picture(tmp_path / "named.png")
    counts = []
    start = media_kinds._start
    monkeypatch.setattr(
        media_kinds, "_start", lambda path, count: counts.append((path.name, count)) or start(path, count)
    )
    assert len(search(tmp_path).inputs) == 2
    assert counts == [("photo", SAMPLE)]


def test_a_set_of_clips_has_no_sources(tmp_path):
    for name in ("real", "fake"):
        (tmp_path / name / "folder.ts").mkdir(parents=True)
        clip(tmp_path / name / "a.ts")
        (tmp_path / name / "b.ts").write_bytes(TEXTS["index.ts"])
    assert [found.file for found in list_clips(tmp_path)] == ["fake/a.ts", "real/a.ts"]


def test_a_clip_that_cant_be_looked_into_is_one_by_name(tmp_path):
    assert is_clip(tmp_path / "missing.ts")
    assert not is_clip(tmp_path / "missing.tsx")
    assert presumed(tmp_path / "missing") is None
