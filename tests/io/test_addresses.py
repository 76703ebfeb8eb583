import os
import shutil
import time
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from web import redirect, respond, serving

import aiface
from aiface.errors import DataError
from aiface.io import addresses, object_stores
from aiface.io.addresses import fetch, is_index_last, is_web, local, without_password
from aiface.io.sources import is_folder, search


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def picture(form="JPEG"):
    file = BytesIO()
    Image.effect_noise((300, 200), 90).convert("RGB").save(file, form)
    return file.getvalue()


# Paths


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("file:///a/b.jpg", "/a/b.jpg"),
        ("FILE:///a/b.jpg", "/a/b.jpg"),
        ("file://localhost/a/b.jpg", "/a/b.jpg"),
        ("file:///a%20b%2Fc%25.jpg", "/a b/c%.jpg"),
        ("file:///caf%C3%A9%23.jpg#part", "/café#.jpg"),
        ("file:///%E9.jpg?size=1", os.fsdecode(b"/\xe9.jpg")),
        ("file:///a b.jpg", "/a b.jpg"),
        ("file://elsewhere/a.jpg", "file://elsewhere/a.jpg"),  # not on this machine
        ("file:/a/b%20c.jpg", "/a/b c.jpg"),
        ("file:a.jpg", "file:a.jpg"),
        ("http://host/a%20b.jpg", "http://host/a%20b.jpg"),
        ("a%20b.jpg", "a%20b.jpg"),
        (Path("/a%20b.jpg"), Path("/a%20b.jpg")),
    ],
)
def test_local(name, path):
    assert local(name) == path


def test_what_a_file_address_stands_for(tmp_path):
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "c.jpg").touch()
    address = f"file://{tmp_path}/a%20b"
    assert is_folder(address)
    assert search(address).inputs == [tmp_path / "a b" / "c.jpg"]
    assert search(f"{address}/c.jpg").inputs == [f"{tmp_path}/a b/c.jpg"]


def test_a_file_address_is_no_store(tmp_path):
    (tmp_path / "a b#").mkdir()
    (tmp_path / "a b#" / "c.jpg").touch()
    address = f"file://{tmp_path}/a%20b%23"
    assert (object_stores.is_store(address), object_stores.is_store("s3://box/a.jpg")) == (False, True)
    assert object_stores.search(address).inputs == [tmp_path / "a b#" / "c.jpg"]


@pytest.mark.parametrize(
    ("name", "web"),
    [("http://a", True), ("HTTPS://a", True), ("rtsp://a", False), ("file:///a", False), ("http", False), (0, False)],
)
def test_is_web(name, web):
    assert is_web(name) is web


# Pictures


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
@pytest.mark.parametrize("path", ["/a.jpg", "/a.mp4", "/a", "/a?width=90&x=%20"])
def test_a_picture_is_fetched_whatever_it_is_called(form, path):
    content = picture(form)
    with serving({path: content}) as (at, seen):
        copy = fetch(at.replace("http", "HTTP") + path)
    assert copy.read_bytes() == content
    assert list(copy.parent.iterdir()) == [copy]
    assert seen == [(path, f"aiface/{aiface.__version__}", None)]


@pytest.mark.parametrize(
    ("path", "asked"), [("/a b.jpg", "/a%20b.jpg"), ("/é.jpg", "/%C3%A9.jpg"), ("/%C3%A9.jpg#top", "/%C3%A9.jpg")]
)
def test_addresses_as_people_paste_them(path, asked):
    with serving({asked: picture()}) as (at, seen):
        assert fetch(at + path)
    assert seen[0][0] == asked


def test_a_password_is_told_to_the_server_alone():
    with serving({"/a": picture()}) as (other, theirs), serving({"/a": redirect(f"{other}/a")}) as (at, seen):
        assert fetch(at.replace("//", "//user:p%40ss@") + "/a")
    assert seen[0][2] == "Basic " + b64encode(b"user:p@ss").decode()
    assert theirs[0][2] is None


FRONT, BACK = b"\0\0\0\x10ftypisom\0\0\0\0", b"\0\0\0\x08free"


@pytest.mark.parametrize(
    ("start", "last"),
    [(FRONT + b"\0\0\0\x09mdat", True), (FRONT + BACK + b"\0\0\0\1mdat", True), (b"\0\0\0\x08wide\0\0\1\0mdat", True),
     (FRONT + b"\0\0\0\x09moov", False), (FRONT, False), (b"", False), (b"\0\0\0\0ftyp", False), (picture(), False)],
)  # fmt: skip
def test_where_the_index_of_a_clip_lies(start, last):
    assert is_index_last(start) is last


@pytest.mark.parametrize(
    ("start", "headers", "fetched"),
    [(FRONT + b"\0\0\0\1mdat", {}, True), (FRONT + b"\0\0\0\1mdat", {"Accept_Ranges": "none"}, True),
     (FRONT + b"\0\0\0\1mdat", {"Accept_Ranges": "bytes"}, False), (FRONT + b"\0\0\0\1moov", {}, False)],
)  # fmt: skip
def test_a_clip_that_must_be_a_file_is_fetched(start, headers, fetched):
    content = start + bytes(3000)
    with serving({"/a.mp4": lambda request: respond(request, content, **headers)}) as (at, _):
        copy = fetch(f"{at}/a.mp4")
    assert (copy.read_bytes() if copy else None) == (content if fetched else None)


@pytest.mark.parametrize("code", [401, 404, 410, 500, 503])
def test_what_is_not_there_is_said(code):
    with (
        serving({"/a.jpg": lambda request: request.send_error(code)}) as (at, _),
        pytest.raises(DataError, match=rf"a.jpg: expected a picture or a clip, found .* none for us there \({code} "),
    ):
        fetch(f"{at}/a.jpg")


def drip(request):
    respond(request, picture()[:2000], length=9999)


def endless(request):
    respond(request, picture(), length=0)
    for _ in range(100):
        request.wfile.write(bytes(1 << 16))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b" <!DOCTYPE html><title>a</title>", "expected a picture or a clip, found a web page; give the picture's own"),
        (drip, "expected a picture of at most 1 MB, found one that breaks off on its way; try again"),
        (endless, "expected a picture of at most 1 MB, found more; shrink it, or save it"),
    ],
)
def test_what_cant_be_fetched(monkeypatch, tmp_path, answer, message):
    monkeypatch.setattr(addresses, "LARGEST", 1 << 20)
    with (
        serving({"/a.jpg": answer}) as (at, _),
        pytest.raises(DataError, match=rf"^http://127.0.0.1:\d+/a.jpg: {message}"),
    ):
        fetch(at.replace("//", "//user:secret@") + "/a.jpg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("limit", "sent"), [("SILENCE", b""), ("SILENCE", picture()[:1500]), ("LONGEST", picture())])
def test_a_server_that_falls_silent_or_is_too_slow(monkeypatch, tmp_path, limit, sent):
    def stall(request):
        respond(request, sent, length=99_999)
        for _ in range(100):
            request.wfile.write(bytes(limit == "LONGEST"))
            time.sleep(0.01)

    monkeypatch.setattr(addresses, limit, 0.2)
    message = "/a: expected a picture or a clip, found a server that is silent or too slow; "
    with serving({"/a": stall}) as (at, _), pytest.raises(DataError, match=message):
        fetch(f"{at}/a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    [
        "/text",
        "/list.m3u8",
        "/to-a-file",
        "/empty",
        "http://127.0.0.1:9/a.jpg",
        "http://",
        "http://[/a",
    ],
)
def test_the_rest_is_left_to_ffmpeg(tmp_path, address):
    shutil.copyfile(__file__, tmp_path / "kept")
    answers = {
        "/text": b"text",
        "/list.m3u8": b"#EXTM3U\n",
        "/empty": b"",
        "/to-a-file": redirect("file:///etc/passwd"),
    }
    with serving(answers) as (at, _):
        assert fetch(address if "//" in address else at + address) is None
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_without_password():
    assert without_password("rtsp://user:secret@host/a") == "rtsp://host/a"
