"""Clips as browsers play them: themselves, or copies that keep their times."""

import os
from pathlib import Path

import pytest
from clips import read, seconds, text, times_of, turned, write_clip

from aiface.errors import VideoError
from aiface.io.files import sha256
from aiface.video import playable
from aiface.video.playable import place, plays_as

LATER = [5 + at for at in seconds(6)]


@pytest.mark.parametrize(
    ("name", "options", "ending"),
    [
        ("a.mp4", {}, ".mp4"),
        ("a.mp4", {"tone": (0, 0.6)}, ".mp4"),
        ("a.mov", {}, ".mp4"),
        ("a.webm", {"codec": "libvpx"}, ".webm"),
        ("a.webm", {"codec": "libvpx-vp9"}, ".webm"),
        ("called so.avi", {"codec": "libvpx", "format": "webm"}, ".webm"),
        ("a.mkv", {}, None),
        ("a.mkv", {"codec": "libvpx"}, None),
        ("a.mp4", {"codec": "mpeg4"}, None),
        ("a.avi", {"codec": "mpeg4"}, None),
        ("a.ts", {}, None),
        ("late.webm", {"codec": "libvpx", "times": LATER}, None),
    ],
)
def test_what_browsers_play_as_it_is(tmp_path, monkeypatch, name, options, ending):
    options = {"times": seconds(6)} | options
    if kind := options.pop("format", None):
        path = write_clip(tmp_path / f"a.{kind}", **options).rename(tmp_path / name)
    else:
        path = write_clip(tmp_path / name, **options)
    assert plays_as(path) == ending


def test_what_is_no_clip_is_not_played(tmp_path):
    assert plays_as(text(tmp_path)) is None
    with pytest.raises(FileNotFoundError):
        plays_as(tmp_path / "missing.mp4")


@pytest.mark.parametrize("linked", [True, False])
def test_the_clip_itself_takes_no_room_where_it_can(tmp_path, monkeypatch, linked):
    def refuse(path, out):
        raise OSError(18, "Invalid cross-device link")

    path = write_clip(tmp_path / "a.mp4", seconds(6))
    if not linked:
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "behind.mp4").symlink_to(path)
    out, anew = place(tmp_path / "behind.mp4", ".mp4", tmp_path / "out" / "page", 0.5)
    assert not anew
    assert out == tmp_path / "out" / "page.mp4"
    assert (out.samefile(path), sha256(out), out.is_symlink()) == (linked, sha256(path), False)


def test_a_copy_made_anew_keeps_times_and_turn(tmp_path):
    times = [0.0, 0.04, 0.5, 1.2, 1.5, 2.0]
    path = turned(write_clip(tmp_path / "a.mp4", times, codec="mpeg4"), 90)
    out, anew = place(path, None, tmp_path / "page", 1.5)
    assert anew
    assert plays_as(out) == ".mp4"
    frames = read(out)
    assert times_of(frames) == times[:5]  # what was judged, and no more
    assert frames[0].image.shape == (64, 48, 3)


@pytest.mark.parametrize(
    ("size", "expected"), [((1920, 1080), (1280, 720)), ((1080, 1920), (720, 1280)), ((64, 48), (64, 48)),
                           ((3000, 300), (1280, 128)), ((801, 601), (800, 600))],
)  # fmt: skip
def test_a_copy_made_anew_is_small(tmp_path, size, expected):
    path = write_clip(tmp_path / "a.avi", seconds(2), size=size, codec="mpeg4")
    (first, *_) = read(place(path, None, tmp_path / "page", 0.1)[0])
    assert first.image.shape[1::-1] == expected


def test_thirty_frames_a_second_are_enough(tmp_path):
    path = write_clip(tmp_path / "a.avi", seconds(60, 1 / 60), codec="mpeg4")
    assert len(read(place(path, None, tmp_path / "page", 1.0)[0])) == pytest.approx(30, abs=1)


def test_an_earlier_copy_goes(tmp_path):
    (tmp_path / "page.webm").touch()
    (tmp_path / "page.mp4").touch()
    path = write_clip(tmp_path / "a.mp4", seconds(3))
    assert sha256(place(path, ".mp4", tmp_path / "page", 0.2)[0]) == sha256(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "page.mp4"]


@pytest.mark.parametrize(
    ("longest", "break_off", "expected"),
    [
        (0.1, False, r"a\.avi: expected a clip that browsers play, or one of at most .* resizing\.sh"),
        (9, True, "a.avi"),
    ],
)
def test_what_cant_be_made_anew(tmp_path, monkeypatch, longest, break_off, expected):
    path = write_clip(tmp_path / "a.avi", seconds(6), codec="mpeg4")
    if break_off:
        path.write_bytes(b"no clip")
    monkeypatch.setattr(playable, "LONGEST", longest)
    with pytest.raises(VideoError, match=expected):
        place(path, None, Path(tmp_path, "page"), 0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["a.avi"]
