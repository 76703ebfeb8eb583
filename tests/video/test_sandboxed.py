import itertools
import re
import subprocess
import sys
import time
from math import inf

import numpy as np
import pytest
from clips import noise, seconds, text, write_clip

from aiface.errors import VideoError
from aiface.io import sandbox
from aiface.paths import ROOT
from aiface.video import sandboxed
from aiface.video.opening import open_video, sample


@pytest.mark.parametrize(("rate", "count"), [(inf, 40), (10.0, 21), (3.0, 7)])
def test_the_same_frames_as_in_this_process(tmp_path, rate, count):
    path = write_clip(tmp_path / "clip.mp4", seconds(40, 0.05), noise)
    found = []
    for apart in (False, True):
        with open_video(path, rate=rate, isolated=apart) as clip:
            frames = list(clip if rate == inf else sample(clip, rate))
            found.append((frames, clip.width, clip.height, clip.duration, clip.warning, clip.name))
    (here, *facts), (there, *others) = found
    assert facts == others
    assert len(there) == len(here) == count
    assert [frame.time for frame in there] == [frame.time for frame in here]
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_the_process_imports_what_it_needs_alone():
    """So that starting it takes a fifth of what ten seconds of video do."""
    home = sandboxed.HOMES["Clip"]
    code = f"import sys, aiface.video.sandboxed, {home}; print(*{{'PIL', 'cv2', 'pi_heif'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_what_is_no_video_is_named_as_in_this_process(tmp_path):
    messages = []
    for apart in (False, True):
        with pytest.raises(VideoError) as caught:
            open_video(text(tmp_path), isolated=apart)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "text.mp4: expected a video, found what FFmpeg can't open" in messages[0]


def test_a_clip_that_breaks_off_says_so(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", seconds(60), noise, movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with open_video(path, isolated=True) as clip:
        assert 25 <= len(list(clip)) <= 45
    assert "of about 5.9 s" in clip.warning
    assert clip.warning.endswith("its end is missing")


def stand_in(monkeypatch, code):
    """Another program in place of the decoder, with `send(**message)` and `pixels(count)` at hand."""
    given = (
        "import json, os, signal, struct, sys, time\n"
        "def send(**message):\n"
        "    line = json.dumps(message).encode()\n"
        "    sys.stdout.buffer.write(struct.pack('<I', len(line)) + line); sys.stdout.buffer.flush()\n"
        "def pixels(count):\n"
        "    sys.stdout.buffer.write(bytes(count)); sys.stdout.buffer.flush()\n"
        "def frame(at):\n"
        "    send(time=at, height=4, width=4, duration=9.0); pixels(48)\n"
    )
    inner = subprocess.Popen.__init__

    def start(self, command, **options):
        inner(self, [sys.executable, "-c", given + code] if "aiface.video.sandboxed" in command else command, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", start)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"it ended \(signal 11\)"),
        ("sys.exit(3)", r"it ended \(status 3\)"),
        ("time.sleep(60)", r"it gave nothing for 0\.5 s \(signal 9\)"),
        ("send(time=2, height=4, width=4, duration=9.0); pixels(7)", r"it ended \(status 0\)"),
        ("send(time=2, height=-4, width=4, duration=9.0)", "expected frames of at most"),
        ("send(time=2, height=90000, width=90000, duration=9.0)", "expected frames of at most"),
        ("send(time=2)", r"'height'"),
        ("send(time='x', height=4, width=4, duration=9.0); pixels(48)", "could not convert"),
        ("sys.stdout.buffer.write(b'\\xff' * 99)", "it sent nonsense"),
        ("sys.stdout.buffer.write(struct.pack('<I', 4) + b'{{{{')", "Expecting property name"),
    ],
)
def test_a_decoder_that_fails_midway(tmp_path, monkeypatch, code, reason):
    monkeypatch.setattr(sandboxed, "PATIENCE", 0.5)
    stand_in(monkeypatch, f"frame(0.0); frame(1.0)\n{code}")
    path = write_clip(tmp_path / "clip.mp4", seconds(3))
    with open_video(path, isolated=True) as clip:
        assert [frame.time for frame in clip] == [0.0, 1.0]
    assert clip.warning.startswith("read 2 frames, 1.0 of about 9.0 s: ")
    assert clip.warning.endswith("so its end is missing")
    assert re.search(reason, clip.warning)


def test_a_decoder_that_fails_before_the_first_frame(tmp_path, monkeypatch):
    stand_in(monkeypatch, "os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(
        VideoError, match=r"expected frames, found none \(read 0 frames, 0\.0 s: its decoder failed: it ended"
    ):
        open_video(write_clip(tmp_path / "clip.mp4", seconds(3)), isolated=True)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_closing_ends_the_process(tmp_path, taken):
    with open_video(write_clip(tmp_path / "clip.mp4", seconds(200), noise), isolated=True) as clip:
        frames = list(itertools.islice(clip, taken))
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert len(frames) == taken
    assert not clip._ahead._thread.is_alive()  # which has waited for the process


def test_the_other_process_ends_with_this_one(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", seconds(200), noise)
    with sandbox.start("aiface.video.sandboxed", "Clip", str(path), "clip", "inf") as decoder:
        decoder.stdin.close()
        assert decoder.wait(10) == 1


LOADED = (
    "import sys; sys.argv = ['']; import aiface.video.sandboxed; print(*{name.split('.')[0] for name in sys.modules})"
)


def test_the_other_process_loads_little():
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"cv2", "keras", "openvino", "tensorflow", "scipy"} & set(done.stdout.split())


def test_the_other_process_has_its_limits():
    code = "from aiface.io import sandbox; sandbox.confine(); bytearray(5 << 30)"
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **pipes) as process:
        assert "MemoryError" in process.stderr.read()
