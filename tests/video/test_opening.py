import itertools
import re
import subprocess
import sys
import threading
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from clips import (
    HEIGHT,
    WIDTH,
    FakeCamera,
    assert_looks_like,
    noise,
    nothing,
    picture,
    read,
    seconds,
    text,
    times_of,
    turned,
    write_clip,
    write_tone,
)

from aiface.errors import VideoError
from aiface.paths import ROOT
from aiface.video import decoding
from aiface.video.opening import Frame, open_video, sample
from aiface.video.prefetch import DEPTH


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "aiface ahead"]


def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


# Files


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("ts", "libx264"), ("mov", "mpeg4")]
)
def test_frames_keep_their_own_times(tmp_path, suffix, codec):
    times = [0.0, 0.04, 0.08, 0.5, 0.54, 1.5, 1.6]  # a variable frame rate
    path = write_clip(tmp_path / f"clip.{suffix}", [1.0 + at for at in times], codec=codec)  # starts at 1 s
    with open_video(path) as clip:
        assert (clip.name, clip.live, clip.width, clip.height) == (str(path), False, WIDTH, HEIGHT)
        assert clip.duration == pytest.approx(1.6, abs=1.2)
        frames = list(clip)
        assert list(clip) == []  # once
    assert times == times_of(frames)
    assert clip.warning is None
    for frame in frames:
        assert_looks_like(frame.image, picture())


def test_closing_ends_the_frames(tmp_path):
    with open_video(write_clip(tmp_path / "clip.mp4", seconds(60))) as clip:
        frames = iter(clip)
        assert len(list(itertools.islice(frames, 5))) == 5
    assert list(frames) == []
    assert clip.warning is None


@pytest.mark.parametrize("taken", [0, 1, 5, 59, 60, None])
def test_closing_ends_the_thread_and_lets_go_of_the_file(tmp_path, taken):
    with open_video(write_clip(tmp_path / "clip.mp4", seconds(60))) as clip:
        frames = list(itertools.islice(clip, taken))
        assert len(threads()) == 1 or taken in (59, 60, None)
    assert threads() == []
    with pytest.raises((AssertionError, ValueError), match=r"not open|closed"):
        clip._container.seek(0)
    assert len(frames) == (60 if taken is None else taken)
    for frame in frames:
        assert_looks_like(frame.image, picture())


def test_an_error_while_reading_ends_the_thread(tmp_path):
    with pytest.raises(ZeroDivisionError), open_video(write_clip(tmp_path / "clip.mp4", seconds(60))):
        _ = 1 / 0
    assert threads() == []


def test_a_clip_is_decoded_ahead_but_not_far(tmp_path, monkeypatch):
    """Frames decoded and not yet given bound the memory."""
    decoded = []
    decode = decoding.Clip._decode
    monkeypatch.setattr(decoding.Clip, "_decode", lambda clip: (decoded.append(f.pts) or f for f in decode(clip)))
    with open_video(write_clip(tmp_path / "clip.mp4", seconds(100))) as clip:
        ahead = []
        for given, _ in enumerate(clip.pictures()):
            if given % 25 == 3:
                until(lambda given=given: len(decoded) - given > DEPTH)
            ahead.append(len(decoded) - given)
    assert len(decoded) == 100
    assert DEPTH < max(ahead) <= DEPTH + 2


@pytest.mark.parametrize(
    "code",
    [
        "clip = open_video(path); next(iter(clip))",  # forgotten
        "clip = open_video(path); del clip",
        "for taken in 3 * list(range(12)):\n"
        "    with open_video(path) as clip:\n"
        "        frames = list(itertools.islice(clip, taken))",
        "with open_video(path) as clip:\n    frames = iter(clip); next(frames); sys.exit(0)",
        "clip = open_video(path); pictures = list(itertools.islice(clip.pictures(), 9)); clip.close()\n"
        "assert len([load() for _, load in pictures]) == 9",  # after it was closed
    ],
)
def test_however_it_is_left_python_ends_well(tmp_path, code):
    path = write_clip(tmp_path / "clip.mp4", seconds(200))
    code = f"import itertools, sys\nfrom aiface.video.opening import open_video\npath = {str(path)!r}\n{code}"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_clip_comes_upright(tmp_path, degrees):
    with open_video(turned(write_clip(tmp_path / "clip.mp4", seconds(3)), degrees)) as clip:
        image = next(iter(clip)).image
        assert (clip.height, clip.width) == image.shape[:2]
    assert_looks_like(image, np.rot90(picture(), -degrees // 90))


def test_pixels_come_square(tmp_path):
    """A 4:3 frame stored narrow, as broadcasters do, would else give narrow faces."""
    (frame, *_) = read(write_clip(tmp_path / "clip.mp4", seconds(3), aspect=Fraction(3, 2)))
    assert_looks_like(frame.image, picture(WIDTH * 3 // 2, HEIGHT))


def test_size_may_change_and_time_starts_anew_midway(tmp_path):
    parts = [write_clip(tmp_path / f"{w}.ts", seconds(20), size=(w, HEIGHT)) for w in (WIDTH, 96)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = read(joined)
    assert [frame.image.shape[1] for frame in frames] == [WIDTH] * 20 + [96] * 20
    assert seconds(40) == times_of(frames)


@pytest.mark.parametrize(
    ("pts", "expected"),
    [
        ([0, 10, 20, 30], [0, 0.1, 0.2, 0.3]),
        ([500, 510, 540], [0, 0.1, 0.4]),  # from the first frame on
        ([-20, -10, 0], [0, 0.1, 0.2]),
        ([0, 10, None, 30], [0, 0.1, 0.2, 0.3]),  # a median step on
        ([None, None, None], [0, 0.04, 0.08]),
        ([None, 700, 710], [0, 0.04, 0.14]),
        ([0, 10, 10, 20], [0, 0.1, 0.1, 0.2]),
        ([0, 20, 10, 30], [0, 0.2, 0.2, 0.3]),  # never back
        ([1000, 1010, 1020, 0, 10], [0, 0.1, 0.2, 0.3, 0.4]),  # starts anew
        ([0, 10, 99999, 20, 30], [0, 0.1, 999.99, 1000.09, 1000.19]),
    ],
)
def test_clock(pts, expected):
    clock = decoding.Clock(Fraction(1, 100))
    assert [clock.time(value) for value in pts] == pytest.approx(expected)


def test_a_raw_stream_without_timestamps(tmp_path):
    assert seconds(5, 0.04) == times_of(read(write_clip(tmp_path / "clip.h264", seconds(5))))


def cut_off(path):
    content = write_clip(path, seconds(60), noise, movflags="faststart").read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])


def blank_middle(path):
    content = bytearray(write_clip(path, seconds(60), noise, movflags="faststart").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 30_000] = bytes(30_000)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "least", "most", "last", "reason"),
    [
        (
            cut_off,
            25,
            45,
            4.5,
            r"read \d+ frames, \d\.\d of about 5\.9 s: (\d+ damaged frames? left out, )?its end is missing",
        ),
        (
            blank_middle,
            30,
            59,
            5.9,
            r"read \d+ frames, 5\.9 of about 5\.9 s: \d+ damaged frames? left out",
        ),
    ],
)
def test_a_damaged_clip_gives_what_it_has_and_says_so(tmp_path, damage, least, most, last, reason):
    damage(tmp_path / "clip.mp4")
    with open_video(tmp_path / "clip.mp4") as clip:
        frames = list(clip)
    assert least <= len(frames) <= most
    assert frames[-1].time <= last + 0.01
    for frame in frames:  # nothing smeared
        assert_looks_like(frame.image, noise(round(frame.time * 10)), tolerance=40)
    assert re.fullmatch(reason, clip.warning)


def empty(path):
    (path / "empty.mp4").touch()
    return path / "empty.mp4"


def plain_text(path):
    return text(path, "text.txt")  # FFmpeg would render it


def sound_only(path):
    return write_clip(path / "sound.m4a", tone=(0, 0.5))


def cover(sound):
    """A maker of files with a still cover picture, and maybe sound."""

    def make(path):
        with av.open(str(path / "cover.mp4"), "w") as container:
            tone = container.add_stream("aac", rate=16_000) if sound else None
            still = container.add_stream("mjpeg", rate=1)
            still.width, still.height, still.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            still.disposition = av.stream.Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(picture(), format="rgb24")
            container.mux([*still.encode(frame), *still.encode(None)])
            if tone:
                write_tone(container, tone, 0, 0.5)
        return path / "cover.mp4"

    return make


def no_frames(path):
    content = bytearray(write_clip(path / "zeros.mp4", seconds(5), movflags="faststart").read_bytes())
    start = content.index(b"mdat") + 4
    content[start:] = bytes(len(content) - start)
    (path / "zeros.mp4").write_bytes(content)
    return path / "zeros.mp4"


def no_images(path):
    (path / "notes.txt").touch()
    return path


def broken_images(path):
    (path / "a.png").write_bytes(b"no image")
    return path


def closed_port(path):
    return "http://user:secret@127.0.0.1:9/clip.mp4"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            nothing,
            r"missing\.mp4: expected a video or a folder of images, found neither; check the path",
        ),
        (empty, r"empty\.mp4: expected a video, found an empty file; get another copy of it"),
        (text, r"text\.mp4: expected a video, found what FFmpeg can't open \(Invalid data.*\); see whether it plays"),
        (plain_text, r"text\.txt: expected a video stream, found none"),
        (sound_only, r"sound\.m4a: expected a video stream, found none \(audio\); give a video"),
        (
            cover(True),
            r"cover\.mp4: expected a video stream, found sound and a still cover picture, no video; give the ",
        ),
        (cover(False), r"cover\.mp4: expected a video stream, found a still cover picture, no video; give the "),
        (no_frames, r"zeros\.mp4: expected frames, found none \(.+\); get another copy of it"),
        (no_images, r"expected images in this folder, found none"),
        (broken_images, r"expected frames, found none \(1 of 1 images could not be read\)"),
        (
            closed_port,
            r"^http://127\.0\.0\.1:9/clip\.mp4: expected a picture or a clip.*check address and network$",
        ),
    ],
)
def test_nothing_to_read(tmp_path, make, message):
    with pytest.raises(VideoError, match=message):
        open_video(make(tmp_path))


def test_a_path_with_a_colon_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4", seconds(3)).rename("rtsp:clip.mp4")
    assert len(read("rtsp:clip.mp4")) == 3


def test_folder_of_images(tmp_path):
    for index in (2, 0, 3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture()[..., ::-1])
    (tmp_path / "1.jpg").write_bytes(b"no image")
    (tmp_path / "notes.txt").touch()
    with open_video(tmp_path) as folder:
        frames = list(folder)
        assert (folder.width, folder.height, folder.duration) == (WIDTH, HEIGHT, pytest.approx(0.16))
    assert times_of(frames) == [0, 0.08, 0.12]
    assert [name for name, reason in folder.skipped if "1.jpg" in reason] == ["1.jpg"]
    assert folder.warning == "1 of 4 images could not be read"
    assert_looks_like(frames[0].image, picture(), tolerance=0)


# Cameras


def no_driver(index):
    raise RuntimeError("no driver")


@pytest.fixture
def never():
    """An event to block on as a dead camera does, set when the test ends so that its thread can too."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("source", [3, "3"])
def test_camera_gives_its_newest_frame_once(source):
    camera = FakeCamera()
    with open_video(source, capture=camera) as live:
        assert (live.name, live.live, live.duration) == ("camera 3", True, None)
        assert (live.width, live.height) == (WIDTH, HEIGHT)
        frames = list(itertools.islice(live, 3))
        until(lambda before=camera.reads: camera.reads > before + 10)  # work on a frame, while others come and go
        frames += itertools.islice(live, 1)
    assert camera.released.wait(1)
    counts = [int(frame.image[0, 0, 0]) for frame in frames]
    assert counts == sorted(set(counts))
    assert counts[-1] - counts[-2] > 5
    assert [frame.image[0, 0, 2] for frame in frames] == [0] * 4
    times = [frame.time for frame in frames]
    assert times[0] == 0
    assert times == sorted(set(times))
    assert list(live) == []  # closed


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (FakeCamera(opens=False), "camera 7: expected a frame, but it can't be opened; close other programs"),
        (no_driver, r"camera 7: expected a frame, but its driver failed \(no driver\)"),
        (FakeCamera(count=0, end=lambda: (False, None)), "camera 7: expected a frame, but it stalled"),
    ],
)
def test_camera_that_does_not_open(monkeypatch, camera, message):
    monkeypatch.setattr("aiface.video.frames.STALL", 0.3)
    with pytest.raises(VideoError, match=message):
        open_video(7, capture=camera)
    if isinstance(camera, FakeCamera):
        assert camera.released.wait(1)


def test_missing_camera_is_quiet(capfd):
    with pytest.raises(VideoError, match="camera 97: expected a frame"):
        open_video(97)
    assert capfd.readouterr().err == ""


def test_camera_that_blocks_while_it_opens(monkeypatch, never):
    monkeypatch.setattr("aiface.video.frames.STALL", 0.2)
    began = time.monotonic()
    with pytest.raises(VideoError, match=r"it stalled: nothing for 0\.2 s"):
        open_video(0, capture=lambda index: never.wait() and FakeCamera())
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("end", ["blocks", "gives nothing"])
def test_camera_that_stalls_midway(monkeypatch, never, end):
    monkeypatch.setattr("aiface.video.frames.STALL", 0.2)
    camera = FakeCamera(count=5, end=(lambda: (never.wait(), None)) if end == "blocks" else (lambda: (False, None)))
    frames = []
    with (
        open_video(0, capture=camera) as live,
        pytest.raises(VideoError, match="camera 0: expected a frame, but it stalled"),
    ):
        frames.extend(live)  # keeps what came before
    assert 1 <= camera.reads <= 6


class Wide(FakeCamera):
    """One whose pictures are larger."""

    def read(self):
        ok, image = super().read()
        return ok, np.repeat(image, 2, axis=1)


def fails():
    raise RuntimeError("unplugged")


def quiet_for(count):
    """A camera that gives nothing so many times, and then goes on."""
    left = iter(range(count))
    camera = FakeCamera(count=5)
    camera.end = lambda: (False, None) if next(left, None) is not None else FakeCamera.read(FakeCamera())
    return camera


@pytest.mark.parametrize(
    ("openings", "width", "lost"),
    [
        ([FakeCamera(count=5, end=lambda: (False, None)), FakeCamera()], WIDTH, 1),
        ([FakeCamera(count=5, end=fails), FakeCamera()], WIDTH, 1),
        ([FakeCamera(count=5, end=fails), FakeCamera(opens=False), FakeCamera(opens=False), FakeCamera()], WIDTH, 3),
        ([FakeCamera(count=5, end=fails), None, FakeCamera()], WIDTH, 2),
        ([FakeCamera(count=5, end=fails), Wide()], 2 * WIDTH, 1),
        ([quiet_for(3)], WIDTH, 0),
    ],
    ids=["gives nothing", "fails", "away for long", "its driver too", "comes back larger", "hesitates"],
)
def test_camera_that_comes_back(monkeypatch, openings, width, lost):
    monkeypatch.setattr("aiface.video.camera.LOST", 0.3)
    monkeypatch.setattr("aiface.video.camera.RETRY", 0.05)
    left = list(openings)

    def capture(index):
        return left.pop(0) or no_driver(index)

    with open_video(0, capture=capture) as live:
        assert live.width == WIDTH
        frames = []
        assert until(lambda: frames.append(next(iter(live))) or (not left and len(frames) > 8))
        assert until(lambda: frames.append(next(iter(live))) or frames[-1].image.shape[1] == width)
        times = [frame.time for frame in frames]
        assert times == sorted(times)
        assert live.warning == (f"camera 0 was lost and opened anew, {lost} times" if lost else None)
        assert len(threads()) == 1
    assert threads() == []
    assert all(camera.released.is_set() for camera in openings if camera)


@pytest.mark.parametrize("end", [None, lambda: (False, None), fails], ids=["going", "gives nothing", "fails"])
def test_closing_a_camera_is_quick(end):
    camera = FakeCamera(count=5, end=end)
    with open_video(0, capture=camera):
        time.sleep(0.1)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert camera.released.wait(1)
    assert until(lambda: threads() == [])


# Sampling


@pytest.mark.parametrize(
    ("times", "rate", "expected"),
    [
        ([], 5, []),
        ([0], 5, [0]),
        (seconds(11), 5, seconds(6, 0.2)),
        (seconds(11), 10, seconds(11)),
        (seconds(11), 1000, seconds(11)),  # never more than there are
        (seconds(10), 2, [0, 0.5, 0.9]),  # the end is not lost
        (seconds(12), 2, [0, 0.5, 1.0]),  # but 0.1 s of it is not missed
        ([3.0, 3.1, 3.2, 3.3], 5, [3.0, 3.2]),  # the grid starts at the first frame
        ([0, 0.21, 0.39, 0.41, 0.6], 5, [0, 0.21, 0.41, 0.6]),  # late frames don't shift the grid
        ([0, 0.1, 5.0, 5.1, 5.2], 5, [0, 5.0, 5.2]),  # a gap is not made up for
        ([0, 0, 0, 0.2, 0.2], 5, [0, 0.2]),
        ([index / 1000 for index in range(1001)], 4, [0, 0.25, 0.5, 0.75, 1.0]),  # 1000 frames a second
    ],
)
def test_sample(times, rate, expected):
    frames = [Frame(None, at) for at in times]
    assert [frame.time for frame in sample(frames, rate)] == pytest.approx(expected)


PAUSES = [*seconds(30, 1 / 30), *(2 + at for at in seconds(30, 1 / 30))]


@pytest.mark.parametrize(
    ("suffix", "times", "rate", "spared"),
    [
        ("mp4", seconds(90, 1 / 30), 5, True),
        ("mkv", seconds(90, 1 / 25), 5, True),
        ("mp4", seconds(90, 1 / 30), 15, False),  # without some there would be too few
        ("mp4", seconds(30), 5, False),
        ("mp4", PAUSES, 5, True),
        ("h264", seconds(90, 1 / 30), 5, False),  # without timestamps each frame counts
    ],
)
def test_a_clip_to_be_sampled_leaves_out_what_no_frame_refers_to(tmp_path, monkeypatch, suffix, times, rate, spared):
    decoded = []
    decode = decoding.Clip._decode
    monkeypatch.setattr(decoding.Clip, "_decode", lambda clip: (decoded.append(f.pts) or f for f in decode(clip)))
    path = write_clip(tmp_path / f"clip.{suffix}", times, lambda index: picture() // (1 + index % 2))
    with open_video(path) as clip:
        every = [frame.time for frame in sample(clip, rate)]
    count, decoded[:] = len(decoded), []
    with open_video(path, rate=rate) as clip:
        some = [frame.time for frame in sample(clip, rate)]
    assert (count, clip.warning) == (len(times), None)
    assert (len(decoded) < count) == spared
    assert len(some) == pytest.approx(len(every), abs=1)
    assert np.abs(np.subtract(some[: len(every)], every[: len(some)])).max() <= 0.5 / rate + 1e-6
    if suffix != "h264":
        assert all(np.abs(np.subtract(times, at)).min() < 2e-3 for at in some)  # their own times


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_sample_refuses(rate):
    with pytest.raises(ValueError, match="expected a positive number of frames a second"):
        next(sample([], rate))


def test_sample_converts_only_what_it_gives(tmp_path, monkeypatch):
    converted = []
    upright = decoding._upright
    monkeypatch.setattr(decoding, "_upright", lambda *args: converted.append(args) or upright(*args))
    with open_video(write_clip(tmp_path / "clip.mp4", seconds(30))) as clip:
        converted.clear()
        frames = list(sample(clip, 1))
    assert times_of(frames) == [0, 1, 2, 2.9]
    assert len(converted) == 4
    assert_looks_like(frames[-1].image, picture())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("ftp://user:secret@host/a.mp4", r"^ftp://host/a.mp4: expected a file, or an address .*, found another; fetch"),
        ("file:/no/a%20b.mp4", "^/no/a b.mp4: expected a video or a folder of images, found neither"),
        ("file://localhost/no/a.mp4", "^/no/a.mp4: expected a video or a folder"),
        ("file://elsewhere/a.mp4", "found a file address at which there is nothing on this machine"),
        ("s3://box/a.mp4", "found a store's; add --engine ray, or copy it here"),
    ],
)
def test_addresses_that_are_not_opened(source, found):
    with pytest.raises(VideoError, match=found):
        open_video(source)


@pytest.mark.parametrize("sizes", [[(32, 32), (64, 48)], [(64, 48), (32, 32)], [(64, 48), (64, 48)]], ids=str)
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_the_largest_of_several_streams_is_read(tmp_path, name, sizes):
    with av.open(str(tmp_path / name), "w") as container:
        streams = [container.add_stream("mpeg4", rate=10) for _ in sizes]
        for stream, (stream.width, stream.height) in zip(streams, sizes, strict=True):
            stream.pix_fmt = "yuv420p"
        for index in range(5):
            for stream in streams:
                image = np.full((stream.height, stream.width, 3), 90 + 20 * stream.index, np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = index
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    assert {frame.image.shape[:2] for frame in read(tmp_path / name)} == {(48, 64)}
