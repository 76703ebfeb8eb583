from math import inf

import numpy as np
import pytest
from animations import FORMS, animation, plain
from clips import assert_looks_like, picture, read, times_of
from PIL import Image

from aiface.errors import VideoError
from aiface.video.opening import open_video, sample
from aiface.video.writer import VideoWriter

TITLE = np.full_like(picture(), 128)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("isolated", [False, True])
def test_frames_come_at_their_own_times(tmp_path, form, isolated):
    path = animation(tmp_path / "a.mp4", [TITLE, picture(), TITLE], [150, 40, 100], form, **quality(form))
    frames = read(path, isolated=isolated)
    assert times_of(frames) == [0, 0.15, 0.19]
    for frame, shown in zip(frames, (TITLE, picture(), TITLE), strict=True):
        assert_looks_like(frame.image, shown)


def quality(form):
    return {} if form in ("GIF", "PNG") else {"quality": 100}


@pytest.mark.parametrize(
    ("milliseconds", "times"),
    [
        ([100, 100], [0, 0.1]),
        ([0, 100], [0, 0.1]),  # what says nothing is shown for as long as browsers do
        ([10, 100], [0, 0.1]),
        ([20, 100], [0, 0.02]),
        ([400, 100], [0, 0.2, 0.4]),  # still shown
        ([5000, 600], [0, 0.2, 0.4, 5.0, 5.2, 5.4]),  # but no more often than a verdict needs
    ],
)
def test_a_frame_that_is_shown_for_long_is_given_again(tmp_path, milliseconds, times):
    path = animation(tmp_path / "a.gif", [picture(), TITLE], milliseconds)
    assert times_of(read(path)) == times
    with open_video(path, rate=5, isolated=True) as video:
        assert set(np.round([frame.time for frame in video], 3)) <= set(times)


def test_transparency_lies_over_white(tmp_path):
    path = animation(tmp_path / "a.webp", plain((0, 0, 0, 0), (200, 0, 0, 255)), 100, "WEBP", lossless=True)
    assert [frame.image[0, 0].tolist() for frame in read(path)] == [[255] * 3, [200, 0, 0]]


def test_what_stands_in_for_an_animation_is_no_frame(tmp_path):
    images = plain((255, 0, 0), (0, 255, 0), (0, 0, 255))
    path = animation(tmp_path / "a.png", images, 100, "PNG", default_image=True)
    assert [frame.image[0, 0].tolist() for frame in read(path)] == [[0, 255, 0], [0, 0, 255]]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_still_is_a_clip_of_one_frame(tmp_path, form):
    Image.fromarray(picture()).save(tmp_path / "a", form)
    (frame,) = read(tmp_path / "a")
    assert_looks_like(frame.image, picture())


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("form", ["GIF", "PNG"])
def test_one_that_breaks_off_gives_what_it_has(tmp_path, form, isolated):
    noisy = [np.random.default_rng(index).integers(0, 255, (48, 64, 3), np.uint8) for index in range(6)]
    content = animation(tmp_path / "a", noisy, 100, form, **quality(form)).read_bytes()
    (tmp_path / "a").write_bytes(content[: len(content) * 3 // 4])
    with open_video(tmp_path / "a", isolated=isolated) as video:
        count = len(list(video))
        assert 3 <= count < 6
        assert f"read {count} frames" in (video.warning or "")


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GIF89a" + bytes(20), r"expected frames, found none \(read 0 frames.*get another copy"),
        (b"RIFF\x99\0\0\0WEBPVP8X\x0a\0\0\0\2" + bytes(20), r"found none \(read 0 frames.*get another copy"),
        (b"GIF89a" + b"\xff\xff\xff\xff" + bytes(20), r"a\.gif: expected an image of at most|get another copy"),
    ],
)
def test_nothing_to_read(tmp_path, content, message, isolated):
    (tmp_path / "a.gif").write_bytes(content)
    with pytest.raises(VideoError, match=message):
        open_video(tmp_path / "a.gif", isolated=isolated)


def test_it_is_sampled_as_any_clip(tmp_path):
    path = animation(tmp_path / "a.gif", [picture(), TITLE] * 10, 50)
    with open_video(path, rate=5) as video:
        assert times_of(list(sample(video, 5))) == [0, 0.2, 0.4, 0.6, 0.8, 0.95]
    with open_video(path, rate=inf) as video, VideoWriter(tmp_path / "out.mp4", 64, 48) as writer:
        for frame in video:
            writer.write(frame)
    assert len(read(tmp_path / "out.mp4")) == 20
