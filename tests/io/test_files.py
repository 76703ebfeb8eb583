import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiface import errors, labels
from aiface.errors import AifaceError
from aiface.io.files import atomic_path, folder_name, json_line, sha256, shown, write_csv, write_json, write_text
from aiface.paths import WEIGHTS

# Labels and errors


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("real", labels.REAL), ("REAL", labels.REAL), ("fake", labels.AI), ("Fake", labels.AI), ("ai", labels.AI),
        ("AI", labels.AI), ("reals", None), ("", None),
        ("0_real", labels.REAL), ("1_FAKE", labels.AI), ("nature", labels.REAL), ("Original", labels.REAL),
        ("manipulated", labels.AI), ("training_fake", labels.AI), ("test-real", labels.REAL), ("training_x", None),
        ("2_fake", None), ("Ai Weiwei", None),
    ],
)  # fmt: skip
def test_label_of_folder(name, label):
    assert labels.label_of_folder(name) == label


def test_ai_is_the_positive_class():
    assert (labels.REAL, labels.AI) == (0, 1)
    assert labels.NAMES[labels.AI] == "ai"
    assert labels.NAMES[labels.REAL] == "real"


PACKAGE = Path(errors.__file__).parent


@pytest.mark.parametrize("name", sorted(name for name in vars(errors) if name[0].isupper()))
def test_errors_share_a_base_and_are_raised(name):
    assert issubclass(getattr(errors, name), AifaceError)
    assert any(f"raise {name}(" in path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))


# Writing


def test_atomic_path_puts_the_file_in_place_at_the_end(tmp_path):
    path = tmp_path / "new" / "folder" / "clip.mp4"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent  # the same disk, so that the move is one step
        assert temporary.suffix == ".mp4"  # encoders choose their container by it
        temporary.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [None, b"old"])
def test_atomic_path_leaves_all_as_it_was(tmp_path, error, old):
    path = tmp_path / "card.json"
    if old:
        path.write_bytes(old)
    with pytest.raises(error), atomic_path(path) as temporary:  # noqa: PT012
        temporary.write_bytes(b"half")
        raise error
    assert (path.read_bytes() if old else path.exists()) == (old or False)
    assert [file.name for file in tmp_path.iterdir()] == (["card.json"] if old else [])


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_atomic_path_follows_the_umask(tmp_path, monkeypatch, umask, mode):
    before = os.umask(umask)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", None)  # it is the process's: other threads make files meanwhile
            write_text(tmp_path / "a.txt", "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == mode


def test_atomic_path_takes_nobody_elses_name(tmp_path, monkeypatch):
    tokens = iter(["taken", "taken", "free"])
    monkeypatch.setattr("aiface.io.files.secrets.token_hex", lambda size: next(tokens))
    (tmp_path / ".a-taken.txt").write_text("another's")
    with atomic_path(tmp_path / "a.txt") as temporary:
        assert temporary.name == ".a-free.txt"
    assert (tmp_path / ".a-taken.txt").read_text() == "another's"


def test_text_is_utf8(tmp_path):
    write_text(tmp_path / "a.txt", "été — 脸\n")
    assert (tmp_path / "a.txt").read_bytes() == "été — 脸\n".encode()


def test_json_comes_back(tmp_path):
    value = {"b": [1, 2.5, None, True], "a": "脸"}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert text.endswith("}\n")
    assert "脸" in text  # to be read by people


def test_failed_json_keeps_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", [1])
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", [object()])
    assert json.loads((tmp_path / "a.json").read_text()) == [1]


def test_csv_comes_back(tmp_path):
    rows = [{"a": "1", "b": 'x,"y"\nz'}, {"a": "", "b": "脸"}]
    write_csv(tmp_path / "a.csv", rows, ("a", "b"))
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == rows


def test_sha256(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_weights_lie_beside_the_package():
    assert Path(__file__).parents[2] / "weights" == WEIGHTS


ODD, SHOWN = os.fsdecode(b"caf\xe9 \xff.jpg"), "caf\ufffd \ufffd.jpg"


@pytest.mark.parametrize(("name", "seen"), [(ODD, SHOWN), ("Zoë 写真 😀.jpg", "Zoë 写真 😀.jpg"), (Path(ODD), SHOWN)])
def test_a_name_is_shown_everywhere(tmp_path, name, seen):
    assert shown(name) == seen
    assert json.loads(json_line({"path": str(name)})) == {"path": seen}
    assert json_line([str(name)]).isascii()
    write_text(tmp_path / "a.txt", str(name))
    write_json(tmp_path / "a.json", [str(name)])
    write_csv(tmp_path / "a.csv", [{"path": name}], ["path"])
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == seen
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == [seen]
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines() == ["path", seen]


@pytest.mark.parametrize(("encoding", "bytes_seen"), [("utf-8", SHOWN.encode()), ("ascii", rb"caf\udce9 \udcff.jpg")])
def test_a_terminal_shows_any_name(encoding, bytes_seen):
    code = f"from aiface.io.files import print_any_name as ready; ready(); print({ODD!a})"
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout
    assert printed.strip() == bytes_seen


@pytest.mark.parametrize("name", ["会" * 78 + ".jpg", "😀" * 60, "e\u0301" * 84, "x" * 255, "ü" * 127])
def test_results_of_a_long_name_have_a_shorter_one(tmp_path, name):
    (found := tmp_path / f"{folder_name(name)}-0123456789.html").touch()
    assert len(found.name.encode()) <= 116
    write_text(found, "there is room for a temporary name, too")
