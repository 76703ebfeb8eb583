"""The notebooks' widgets for a kernel elsewhere, from the kernel's side; see also test_notebook_browser.py."""

import io

import numpy as np
import pytest
import scene
from PIL import Image

from aiface.apps.notebooks.widgets import LARGEST, Camera, Upload
from aiface.reports.wording import WORDS


@pytest.fixture
def sent(monkeypatch):
    """What a widget sent to the browser."""
    found = []
    for kind in (Upload, Camera):
        monkeypatch.setattr(kind, "send", lambda self, content: found.append(content))
    return found


def give(upload, name, data, size=4):
    """Send a file as the browser does, which goes on from where the kernel says that it is."""
    for start in range(0, max(len(data), 1), size):
        upload._receive(upload, {"name": name, "start": start, "total": len(data)}, [data[start : start + size]])


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("clip.mp4", "clip.mp4"),
        ("my clip (1).MOV", "my-clip-1.MOV"),
        ("../../etc/passwd", "passwd"),
        ("..", "input"),
        ("a\x00b.mp4", "a-b.mp4"),
        ("no ending", "no-ending"),
    ],
)
def test_a_file_comes_in_parts(tmp_path, sent, name, kept):
    upload = Upload(tmp_path / "in")
    give(upload, name, b"0123456789")
    assert upload.path == tmp_path / "in" / kept
    assert upload.path.read_bytes() == b"0123456789"
    assert [answer["received"] for answer in sent] == [4, 8, 10]
    assert str(upload.path) in sent[-1]["text"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == [kept]


def test_an_empty_file_comes_too(tmp_path, sent):
    upload = Upload(tmp_path)
    give(upload, "empty.png", b"")
    assert upload.path.read_bytes() == b""


def test_a_file_that_breaks_off_leaves_the_one_before(tmp_path, sent):
    upload = Upload(tmp_path)
    give(upload, "one.mp4", b"0123456789")
    upload._receive(upload, {"name": "one.mp4", "start": 0, "total": 8}, [b"abcd"])
    assert upload.path.read_bytes() == b"0123456789"
    give(upload, "two.mp4", b"abcdefgh")  # begun again
    assert upload.path.read_bytes() == b"abcdefgh"


def test_a_folder_that_can_not_be_written_is_said(tmp_path, sent):
    (tmp_path / "file").write_text("")
    upload = Upload(tmp_path / "file" / "in")
    give(upload, "clip.mp4", b"0123", size=4)
    assert upload.path is None
    assert "can't be kept" in sent[-1]["text"]
    assert sent[-1]["received"] == 4  # so that the browser sends no more


def jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95)
    return memoryview(buffer.getvalue())


def test_a_camera_s_pictures_are_judged(sent):
    camera = Camera(scene.Finder(), scene.detector())
    for _ in range(6):
        camera._receive(camera, {}, [jpeg(scene.picture((60, 50, 100, scene.RED)))])
    assert len(sent) == 6
    assert "data:image/jpeg;base64," in sent[0]["page"]
    assert any(words.lower() in sent[-1]["page"].lower() for words in (*WORDS.values(), "hold still"))


@pytest.mark.parametrize(
    ("sends", "says"),
    [
        (memoryview(b"no picture"), "10 bytes that are none"),
        (jpeg(np.zeros((1100, 2000, 3), np.uint8)), "one of 2000x1100"),
        (jpeg(np.zeros((20, 20, 3), np.uint8))[:60], "bytes that are none"),
    ],
)
def test_what_is_no_picture_is_said(sent, sends, says):
    Camera(scene.Finder(), scene.detector())._receive(None, {}, [sends])
    assert says in sent[-1]["page"]
    assert str(LARGEST) in sent[-1]["page"]
