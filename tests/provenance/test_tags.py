import json
import zlib

import av
import numpy as np
import pytest
from clips import write_clip
from marked import TRAINED, save, xmp
from PIL import Image
from PIL.ExifTags import IFD, Base

from aiface.errors import DataError
from aiface.provenance.tags import MAX_TAGS, MAX_TEXT, plain, read_tags


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif(tmp_path, suffix):
    path = save(tmp_path, suffix, exif={Base.Make: "Canon", Base.Model: "EOS R5", Base.Software: "A Tool\nof  mine"})
    assert read_tags(path) == {"EXIF Make": "Canon", "EXIF Model": "EOS R5", "EXIF Software": "A Tool of mine"}


@pytest.mark.parametrize(
    ("number", "value", "expected"),
    [
        (Base.UserComment, b"UNICODE\0" + "größer".encode("utf-16-be"), "EXIF UserComment: größer"),
        (Base.UserComment, b"UNICODE\0" + "grow".encode("utf-16-le"), "EXIF UserComment: grow"),
        (Base.UserComment, b"ASCII\0\0\0a comment", "EXIF UserComment: a comment"),
        (Base.UserComment, bytes(8) + b"a comment", "EXIF UserComment: a comment"),
        (Base.UserComment, b"no code at all", "EXIF UserComment: no code at all"),
        (Base.UserComment, b"UNICODE\0", None),
        (Base.XPComment, "größer".encode("utf-16-le"), "EXIF XPComment: größer"),
        (Base.Orientation, 1, None),  # nothing of an origin
        (Base.Software, "  \0 ", None),
    ],
)
def test_exif_in_its_encodings(tmp_path, number, value, expected):
    assert [f"{name}: {text}" for name, text in read_tags(save(tmp_path, "jpg", exif={number: value})).items()] == (
        [expected] if expected else []
    )


def test_no_place_is_told(tmp_path):
    exif = Image.Exif()
    exif[Base.Make] = "Canon"
    exif.get_ifd(IFD.GPSInfo)[2] = (48.0, 8.0, 0.0)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert read_tags(tmp_path / "a.jpg") == {"EXIF Make": "Canon"}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (xmp(), {"XMP CreatorTool": "Some Tool 3"}),
        (xmp("", "<xmp:CreatorTool>Some &amp; Tool</xmp:CreatorTool>"), {"XMP CreatorTool": "Some & Tool"}),
        (xmp(f'ext:DigitalSourceType="{TRAINED}"'), {"XMP DigitalSourceType": TRAINED}),
        (xmp("", f"<ext:DigitalSourceType>{TRAINED}</ext:DigitalSourceType>"), {"XMP DigitalSourceType": TRAINED}),
        (xmp("", f'<ext:DigitalSourceType rdf:resource="{TRAINED}"/>'), {"XMP DigitalSourceType": TRAINED}),
        (xmp("", '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">A cat</rdf:li></rdf:Alt></dc:description>'),
         {"XMP description": "A cat"}),
        (xmp('xmp:CreatorTool="one"', "<xmp:CreatorTool>two</xmp:CreatorTool>"), {"XMP CreatorTool": "one; two"}),
        (xmp('xmp:Rating="5"'), {}),
        (b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>" + xmp("", "<xmp:CreatorTool>&b;</xmp:CreatorTool>"),
         {}),
        (xmp()[:300], {}),
        (b"no packet", {}),
    ],
)  # fmt: skip
def test_xmp(tmp_path, suffix, packet, expected):
    assert read_tags(save(tmp_path, suffix, packet=packet)) == expected


def test_xmp_in_a_tiff(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.tif", tiffinfo={700: xmp()})
    assert read_tags(tmp_path / "a.tif") == {"XMP CreatorTool": "Some Tool 3"}


def test_xmp_nested_to_keep_a_reader_busy(tmp_path):
    deep = "<dc:title>" * 20_000 + "x" + "</dc:title>" * 20_000
    found = read_tags(save(tmp_path, "png", packet=xmp("", deep)))
    assert found.get("XMP title", "x") == "x"


@pytest.mark.parametrize("suffix", ["jpg", "gif"])
def test_a_comment(tmp_path, suffix):
    assert read_tags(save(tmp_path, suffix, comment="made by hand"))["text comment"] == "made by hand"


def test_text_chunks(tmp_path):
    text = {"parameters": "a cat\nSteps: 20", "Software": "Some Tool", "Title": "日本語"}
    assert read_tags(save(tmp_path, text=text)) == {
        "text parameters": "a cat Steps: 20", "text Software": "Some Tool", "text Title": "日本語"
    }  # fmt: skip


def chunk(name, data):
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def before_the_end(path, *chunks):
    """Put chunks after a PNG's pixels."""
    content = path.read_bytes()
    path.write_bytes(content[:-12] + b"".join(chunks) + content[-12:])
    return path


def test_text_after_the_pixels(tmp_path):
    path = before_the_end(save(tmp_path, text={"Title": "first"}), chunk(b"tEXt", b"parameters\0late"))
    assert read_tags(path) == {"text Title": "first", "text parameters": "late"}


LONG = b"a cat, Steps: 20 " * 120_000


@pytest.mark.parametrize(
    "piece",
    [
        chunk(b"zTXt", b"parameters\0\0" + zlib.compress(LONG)),
        chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(LONG)),
        chunk(b"iTXt", b"parameters\0\0\0\0\0" + LONG),
        chunk(b"tEXt", b"parameters\0" + LONG),
    ],
)
def test_of_long_text_the_beginning(tmp_path, piece):
    found = read_tags(before_the_end(save(tmp_path, text={"Title": "first"}), piece))
    assert found["text parameters"].startswith("a cat, Steps: 20 a cat")
    assert found["text Title"] == "first"


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(100_000_000)))],  # 100 kB that would be 100 MB
        [chunk(b"tEXt", b"parameters\0" + b"x" * 5_000_000)],
        [chunk(b"tEXt", b"key%d\0" % index + b"x" * 1000) for index in range(5000)],
        [chunk(b"tEXt", b"parameters\0" + "\u202e\u0000 \u200b".encode() * 1000)],
        [b"\xff\xff\xff\xfftEXtparameters\0"],
        [chunk(b"iTXt", b"parameters\0\1\0\0\0no zlib")],
    ],
)
def test_hostile_text_chunks(tmp_path, chunks):
    found = read_tags(before_the_end(save(tmp_path, text={"Title": "first"}), *chunks))
    assert found["text Title"] == "first"
    assert len(found) <= MAX_TAGS
    assert all(len(text) <= MAX_TEXT for text in found.values())


@pytest.mark.parametrize(("suffix", "names"), [("mp4", ("comment", "encoder")), ("mkv", ("comment", "encoder")),
                                               ("avi", ("comment", "software"))])  # fmt: skip
def test_a_container(tmp_path, suffix, names):
    path = tmp_path / f"clip.{suffix}"
    with av.open(str(path), "w") as container:
        container.metadata.update({"comment": "made\tby hand", "location": "+48.1+11.5/", "title": "mine"})
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    found = read_tags(path)
    assert found["container title"] == "mine"
    assert found[f"container {names[0]}"] == "made by hand"
    assert found[f"container {names[1]}"].startswith("Lavf")
    assert not any("48.1" in text for text in found.values())
    if suffix == "mp4":
        assert found["container major_brand"] == "isom"
        assert found["video handler_name"] == "VideoHandler"


def test_what_a_container_calls_its_own(tmp_path):
    path = tmp_path / "clip.mp4"
    write_clip(path, [0.0, 0.1], movflags="use_metadata_tags")
    assert read_tags(path)["container major_brand"] == "isom"


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"hello " * 1000, b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1\xff\xff", b"RIFF\0\0\0\0WEBPVP8 ",
     b"\0\0\0\x18ftypisom" + b"\xff" * 100, b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n",
     b"ffconcat version 1.0\nfile /etc/hostname\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"],
)  # fmt: skip
def test_what_is_no_picture_and_no_video_has_no_tags(tmp_path, content):
    for name in ("file", "file.png", "file.mp4", "file.m3u8"):
        (tmp_path / name).write_bytes(content)
        assert read_tags(tmp_path / name).keys() <= {"container major_brand"}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_damage_anywhere_raises_nothing(tmp_path, suffix):
    content = save(tmp_path, suffix, {"a": "b"}, xmp(), {Base.Make: "Canon", Base.UserComment: b"x"}).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content[: rng.integers(1, len(content) + 1)])
        for at in rng.integers(0, len(damaged), 5):
            damaged[at] = rng.integers(256)
        (tmp_path / "damaged").write_bytes(damaged)
        json.dumps(read_tags(tmp_path / "damaged"))


@pytest.mark.parametrize("name", ["missing.jpg", "."])
def test_a_file_that_does_not_open_is_named(tmp_path, name):
    with pytest.raises(DataError, match=r"expected a file, found none that opens \(.+\); check the path"):
        read_tags(tmp_path / name)


@pytest.mark.parametrize(
    ("value", "length", "expected"),
    [
        ("  a \t\n b ", 99, "a b"),
        ("a\0b\x1b[31mc", 99, "a b [31mc"),
        ("photo\u202egpj.exe", 99, "photo gpj.exe"),
        ("a\u200b\u2028b", 99, "a b"),
        ("\ud800 half", 99, "half"),
        (b"caf\xc3\xa9 \xff", 99, "café \ufffd"),
        ("x" * 100, 10, "xxxxxxx..."),
        ("x" * 10, 10, "x" * 10),
        (" " * 1000 + "x", 10, ""),  # beyond what is looked at
        ("<b>&", 99, "<b>&"),  # escaped where it is shown
        (5, 99, "5"),
        (("a", 1), 99, "('a', 1)"),
    ],
)
def test_plain(value, length, expected):
    assert plain(value, length) == expected
    json.dumps(plain(value, length)).encode()
