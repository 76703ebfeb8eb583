"""Questions about strangers' files are answered by another process, whatever becomes of it."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from clips import seconds, text, write_clip
from PIL import Image

from aiface.errors import DataError
from aiface.io import media_kinds
from aiface.io.media_kinds import IMAGE, VIDEO
from aiface.provenance import inspector
from aiface.provenance.claims import read_provenance
from aiface.provenance.inspector import kind, provenance


@pytest.fixture(autouse=True)
def own_process(monkeypatch):
    """An inspector of each test's own, in place of the one that all share."""
    mine = inspector._Inspector()
    monkeypatch.setattr(inspector, "_inspector", mine)
    yield mine
    mine.end()


@pytest.fixture
def picture(tmp_path):
    exif = Image.Exif()
    exif[0x0131] = "Midjourney"
    Image.new("RGB", (64, 48)).save(tmp_path / "picture.jpg", exif=exif)
    return tmp_path / "picture.jpg"


def test_the_same_answers_as_in_this_process(tmp_path, picture):
    clip = write_clip(tmp_path / "clip.mp4", seconds(3))
    for path in (picture, clip):
        assert kind(path) == media_kinds.kind(path)
        assert provenance(path) == read_provenance(path)
    assert provenance(picture).says_generated == ("EXIF Software: Midjourney",)
    with pytest.raises(DataError) as here:
        media_kinds.kind(text(tmp_path))
    with pytest.raises(DataError) as there:
        kind(text(tmp_path))
    assert str(here.value) == str(there.value)


def test_one_process_answers_all(picture, own_process):
    kind(picture)
    first = own_process._process
    provenance(picture)
    assert own_process._process is first


def test_a_name_that_is_no_text_and_another_folder(tmp_path, picture, monkeypatch):
    kind(picture)  # the process is started here
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/a\xff\n.jpg")
    picture.rename(odd)
    monkeypatch.chdir(tmp_path)
    assert kind(os.path.relpath(odd)) == IMAGE


def stand_in(monkeypatch, code):
    """Another program in place of the process, with `send(**message)` at hand, run for each line."""
    given = (
        "import json, os, signal, struct, sys, time\n"
        "def send(**message):\n"
        "    line = json.dumps(message).encode()\n"
        "    sys.stdout.buffer.write(struct.pack('<I', len(line)) + line); sys.stdout.buffer.flush()\n"
        "for line in sys.stdin.buffer:\n    "
    )
    inner = subprocess.Popen.__init__

    def start(self, command, **options):
        inner(
            self,
            [sys.executable, "-c", given + code] if "aiface.provenance.inspector" in command else command,
            **options,
        )

    monkeypatch.setattr(subprocess.Popen, "__init__", start)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"it ended \(signal 11\)"),
        ("sys.exit(3)", r"it ended \(status 3\)"),
        ("time.sleep(60)", r"it gave nothing for 0\.5 s \(signal 9\)"),
        ("sys.stdout.buffer.write(b'\\xff' * 99); sys.stdout.buffer.flush()", "it sent nonsense"),
    ],
)
def test_a_file_that_kills_the_process(picture, monkeypatch, code, reason):
    monkeypatch.setattr(inspector, "PATIENCE", 0.5)
    with monkeypatch.context() as patch:
        stand_in(patch, code)
        with pytest.raises(DataError, match=rf"picture\.jpg: expected a file that can be looked into.*{reason}"):
            kind(picture)
    monkeypatch.setattr(inspector, "PATIENCE", 30.0)
    assert kind(picture) == IMAGE  # another process answers the next


def test_threads_get_each_their_own_answer(tmp_path, picture):
    clip = write_clip(tmp_path / "clip.mp4", seconds(3))
    wrong = []

    def ask(path, expected):
        wrong.extend(1 for _ in range(20) if kind(path) != expected)

    threads = [threading.Thread(target=ask, args=asked) for asked in ((picture, IMAGE), (clip, VIDEO)) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_process_ends_with_its_parent(picture):
    code = (
        "import json, sys; from aiface.provenance import inspector; inspector.kind(sys.argv[1])\n"
        "print(json.dumps(inspector._inspector._process.pid), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(picture)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        pid = json.loads(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
        parent.wait()
    state = Path(f"/proc/{pid}/stat")  # a zombie has ended, too: nobody here is told how
    for _ in range(100):
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    raise AssertionError("the process outlived its parent")
