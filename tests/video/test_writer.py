from types import SimpleNamespace

import av
import numpy as np
import pytest
from clips import HEIGHT, WIDTH, assert_looks_like, nothing, picture, read, seconds, text, times_of, write_clip

from aiface.errors import VideoError
from aiface.video.opening import Frame
from aiface.video.writer import VideoWriter


def test_bt709_colours(tmp_path):
    """Written as BT.709 and said to be so: a reader that ignores the tag is off by about 15."""
    with VideoWriter(tmp_path / "clip.mp4", WIDTH, HEIGHT) as writer:
        writer.write(Frame(np.full((HEIGHT, WIDTH, 3), (200, 30, 60), np.uint8), 0.0))
    (frame,) = read(tmp_path / "clip.mp4")
    assert np.abs(frame.image.astype(int) - (200, 30, 60)).max() <= 5


def streams_of(path):
    """Of each kind of stream: its codec, and the first and last time in seconds that a packet covers."""
    found = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is not None:
                kind, start = packet.stream.type, float(packet.pts * packet.time_base)
                end = start + float((packet.duration or 0) * packet.time_base)
                first, last = found.get(kind, SimpleNamespace(first=start, last=end)).__dict__.values()
                found[kind] = SimpleNamespace(first=min(first, start), last=max(last, end))
    return found


@pytest.mark.parametrize(("width", "height"), [(64, 48), (63, 48), (64, 47), (65, 49)])
def test_written_frames_come_back(tmp_path, width, height):
    times = [0.0, 0.04, 0.5, 0.5, 1.234]
    with VideoWriter(tmp_path / "out.mp4", width, height) as writer:
        for at in times:
            writer.write(Frame(picture(width, height), at))
    frames = read(tmp_path / "out.mp4")
    assert times == times_of(frames)
    for frame in frames:
        assert_looks_like(frame.image, picture(width, height)[: height // 2 * 2, : width // 2 * 2])
    content = (tmp_path / "out.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # plays while it loads
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_frame_of_another_size_is_scaled(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", WIDTH, HEIGHT) as writer:
        writer.write(Frame(picture(), 0.0))
        writer.write(Frame(picture(WIDTH * 2, HEIGHT * 2), 0.1))
    for frame in read(tmp_path / "out.mp4"):
        assert_looks_like(frame.image, picture())


@pytest.mark.parametrize(
    ("tone", "start", "expected"),
    [
        ((0, 2), 0.0, (0.0, 2.0)),
        ((0, 1), 0.0, (0.0, 1.0)),  # shorter than the picture
        ((0, 5), 0.0, (0.0, 2.0)),  # longer: ends with the last frame written
        ((0.5, 2), 0.0, (0.5, 2.0)),
        ((0, 3), 0.5, (0.0, 2.0)),  # what comes before the first frame is left out
    ],
)
def test_audio_is_copied_and_aligned(tmp_path, tone, start, expected):
    source = write_clip(tmp_path / "in.mkv", [start + at for at in seconds(20)], tone=tone)
    with VideoWriter(tmp_path / "out.mp4", WIDTH, HEIGHT, audio_from=source) as writer:
        for frame in read(source):
            writer.write(frame)
    assert writer.warning is None
    audio = streams_of(tmp_path / "out.mp4")["audio"]
    assert (audio.first, audio.last) == pytest.approx(expected, abs=0.14)  # AAC frames of 64 ms, and their lead


@pytest.mark.parametrize(
    ("make", "warning"),
    [
        (lambda path: write_clip(path / "in.mp4", seconds(5)), None),  # silent
        (
            lambda path: write_clip(path / "in.avi", seconds(5), tone=(0, 1), audio="pcm_mulaw"),
            "MP4 can't hold pcm_mulaw",
        ),
        (nothing, "No such file"),
        (text, "Invalid data"),
    ],
)
def test_audio_left_out(tmp_path, make, warning):
    with VideoWriter(tmp_path / "out.mp4", WIDTH, HEIGHT, audio_from=make(tmp_path)) as writer:
        writer.write(Frame(picture(), 0.0))
    assert writer.warning is None if warning is None else warning in writer.warning
    assert set(streams_of(tmp_path / "out.mp4")) == {"video"}


@pytest.mark.parametrize(
    ("error", "count", "kept"),
    [(KeyboardInterrupt, 5, True), (KeyboardInterrupt, 0, False), (RuntimeError, 5, False)],
)
def test_interrupted_writing(tmp_path, error, count, kept):
    source = write_clip(tmp_path / "in.mp4", seconds(60), tone=(0, 6))
    with pytest.raises(error):
        write_until(error, count, tmp_path / "out.mp4", audio_from=source)
    assert {path.name for path in tmp_path.iterdir()} == ({"in.mp4", "out.mp4"} if kept else {"in.mp4"})
    if kept:
        assert times_of(read(tmp_path / "out.mp4")) == seconds(5)
        assert streams_of(tmp_path / "out.mp4")["audio"].last == pytest.approx(0.5, abs=0.14)


def write_until(error, count, path, audio_from=None):
    with VideoWriter(path, WIDTH, HEIGHT, audio_from) as writer:
        for at in seconds(count):
            writer.write(Frame(picture(), at))
        raise error


def test_failed_writing_keeps_the_old_file(tmp_path):
    (tmp_path / "out.mp4").write_text("old")
    with pytest.raises(RuntimeError):
        write_until(RuntimeError, 1, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_text() == "old"


def test_no_frames_no_file(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", WIDTH, HEIGHT):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("out.mp4", (1, 48), r"out\.mp4: expected frames of at least 2x2 pixels, found 1x48"),
        (
            "file/out.mp4",
            (64, 48),
            r"out\.mp4: expected to write a video here, but (Not a directory|File exists)",
        ),
    ],
)
def test_writing_refused(tmp_path, name, size, message):
    (tmp_path / "file").touch()
    with pytest.raises(VideoError, match=message), VideoWriter(tmp_path / name, *size) as writer:
        writer.write(Frame(picture(*size), 0.0))
