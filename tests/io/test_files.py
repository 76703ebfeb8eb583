import contextlib
import csv
import hashlib
import io
import json
import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aiface import errors, labels
from aiface.errors import AifaceError, DataError
from aiface.io.files import (
    atomic_path,
    read_image,
    sha256,
    write_csv,
    write_json,
    write_text,
)
from aiface.io.media_kinds import kind
from aiface.paths import WEIGHTS
from aiface.provenance.tags import read_tags

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)

# Labels and errors


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("real", labels.REAL), ("REAL", labels.REAL), ("fake", labels.AI), ("Fake", labels.AI), ("ai", labels.AI),
        ("AI", labels.AI), ("reals", None), ("training_fake", None), ("", None),
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


# Reading images: left half red, right half blue, so that swapped channels and wrong turns show at once


def halves(mode="RGB"):
    image = Image.new("RGB", (64, 48), RED)
    image.paste(BLUE, (32, 0, 64, 48))
    return image.convert(mode)


def with_hidden_green():
    """RGBA: red and opaque on the left, green and wholly transparent on the right."""
    image = Image.new("RGBA", (64, 48), (*RED, 255))
    image.paste((*GREEN, 0), (32, 0, 64, 48))
    return image


def palette_with_transparency():
    image = Image.new("P", (64, 48), 0)
    image.putpalette([*RED, *GREEN])
    image.paste(1, (32, 0, 64, 48))
    image.info["transparency"] = 1
    return image


def sixteen_bits(low=10_000, high=50_000):
    values = np.full((48, 64), low, np.uint16)
    values[:, 32:] = high
    return Image.fromarray(values)


def turned(orientation):
    """Halves stored as a camera held in another way stores them: a reader that follows EXIF turns them back."""
    stored = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
              6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[orientation]  # fmt: skip
    image = halves() if stored is None else halves().transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return image, exif


WHITE = (255, 255, 255)


@pytest.mark.parametrize(
    ("name", "image", "options", "left", "right", "tolerance"),
    [
        ("a.png", halves(), {}, RED, BLUE, 0),
        ("a.bmp", halves(), {}, RED, BLUE, 0),
        ("a.gif", halves(), {}, RED, BLUE, 0),
        ("a.tif", halves(), {}, RED, BLUE, 0),
        ("a.webp", halves(), {"lossless": True}, RED, BLUE, 0),
        ("a.jpg", halves(), {"quality": 95}, RED, BLUE, 3),
        ("progressive.jpg", halves(), {"quality": 95, "progressive": True}, RED, BLUE, 3),
        ("grey.png", halves("L"), {}, (76, 76, 76), (29, 29, 29), 0),
        ("grey.jpg", halves("L"), {"quality": 95}, (76, 76, 76), (29, 29, 29), 3),
        ("grey_alpha.png", with_hidden_green().convert("LA"), {}, (76, 76, 76), WHITE, 0),
        ("bits.png", halves("1"), {"bits": 1}, None, None, 0),
        ("palette.png", halves("P"), {}, RED, BLUE, 0),
        ("palette_alpha.png", palette_with_transparency(), {}, RED, WHITE, 0),
        ("alpha.gif", palette_with_transparency(), {}, RED, WHITE, 0),
        ("alpha.png", with_hidden_green(), {}, RED, WHITE, 0),
        ("alpha.webp", with_hidden_green(), {"lossless": True}, RED, WHITE, 0),
        ("cmyk.jpg", halves("CMYK"), {"quality": 95}, RED, BLUE, 3),
        ("sixteen.png", sixteen_bits(), {}, (39, 39, 39), (195, 195, 195), 1),
        ("sixteen.tif", sixteen_bits(), {}, (39, 39, 39), (195, 195, 195), 1),
        ("wrong_suffix.png", halves(), {"format": "JPEG", "quality": 95}, RED, BLUE, 3),
    ],
)  # fmt: skip
def test_every_kind_of_image_comes_as_rgb(tmp_path, name, image, options, left, right, tolerance):
    image.save(tmp_path / name, **options)
    found = read_image(tmp_path / name)
    assert (found.dtype, found.shape) == (np.uint8, (48, 64, 3))
    for part, colour in ((found[:, :24], left), (found[:, 40:], right)):
        if colour:
            assert np.abs(part.astype(int) - colour).max() <= tolerance


@pytest.mark.parametrize("orientation", [1, 2, 3, 6, 8])
@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("tif", {}), ("webp", {"lossless": True}), ("jpg", {})])
def test_exif_orientation(tmp_path, orientation, suffix, options):
    image, exif = turned(orientation)
    image.save(tmp_path / f"a.{suffix}", exif=exif, **options)
    found = read_image(tmp_path / f"a.{suffix}")
    assert found.shape == (48, 64, 3)
    assert np.abs(found[:, :24].astype(int) - RED).max() <= 3
    assert np.abs(found[:, 40:].astype(int) - BLUE).max() <= 3


def test_pictures_are_read_whole_in_strips(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (601, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), noise)


def test_path_as_text(tmp_path):
    halves().save(tmp_path / "a.png")
    assert read_image(str(tmp_path / "a.png")).shape == (48, 64, 3)


def encoded(suffix, **options):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, suffix, **options)
    return buffer.getvalue()


def png_of(width, height):
    """A PNG that claims these sides and holds nothing."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def lying_tiff(order, number, big=False):
    """A directory that claims so many tags, and room for them behind it."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    head += struct.pack(order + "HHQQ", 8, 0, 16, number) if big else struct.pack(order + "IH", 8, number)
    return head + bytes(20 * 2000)


def lying_jpeg():
    """A small JPEG that claims 49 megapixels: a decoder fills in what is missing, at the cost of all of them."""
    content = bytearray(encoded("JPEG"))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", 7000, 7000)
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("half.jpg", encoded("JPEG")[:2000], r"expected a whole image, found a damaged one \(.+\); replace it"),
        ("half.png", encoded("PNG")[:5000], r"expected a whole image, found a damaged one \(.+\); replace it"),
        ("half.webp", encoded("WEBP")[:1000], r"expected .*image, found .+; (remove or )?replace it"),
        ("half.gif", encoded("GIF")[:1000], r"expected a whole image, found a damaged one \(.+\); replace it"),
        ("half.bmp", encoded("BMP")[:5000], r"expected a whole image, found a damaged one \(.+\); replace it"),
        ("eps.jpg", encoded("EPS"), r"expected an image, found \d+ bytes that are none; remove or replace it"),
        ("header.png", encoded("PNG")[:20], r"expected .*image, found .+; (remove or )?replace it"),
        ("empty.jpg", b"", "expected an image, found 0 bytes that are none; remove or replace it"),
        ("text.jpg", b"not an image\n", "expected an image, found 13 bytes that are none; remove or replace it"),
        ("huge.png", png_of(8000, 8000), "at most 50 megapixels, found 8000x8000; scale it down first"),
        ("huger.png", png_of(12_000, 8000), "at most 50 megapixels, found 12000x8000; scale it down first"),
        ("bomb.png", png_of(60_000, 60_000), "at most 50 megapixels, found 60000x60000; scale it down first"),
        ("lie.png", png_of(7000, 7000), "at least 490000 bytes for 7000x7000 pixels, found 65: its header lies"),
        ("lie.jpg", lying_jpeg(), r"at least 490000 bytes for 7000x7000 pixels, found \d+: its header lies"),
        ("tags.tif", lying_tiff("<", 1001), "expected at most 1000 tags, found 1001 claimed; save the picture anew"),
        ("tags.jpg", lying_tiff(">", 65_535), "expected at most 1000 tags, found 65535 claimed"),
        ("big.tif", lying_tiff("<", 1 << 40, True), f"expected at most 1000 tags, found {1 << 40} claimed"),
        ("zero.png", png_of(0, 10), r"expected .*image, found .+; (remove or )?replace it"),
        ("missing.png", None, "expected an image, found no such file; check the path"),
    ],
)
def test_bad_images_are_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_image(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: expected")
    assert caught.value.__cause__ is None  # one message, not two tracebacks


def test_a_false_length_takes_no_memory(tmp_path):
    """OpenCV takes 2 GB for this file."""
    content = bytearray(encoded("PNG"))
    at = content.index(b"IDAT") - 4
    content[at : at + 4] = struct.pack(">I", 0x7FFFFFFF)
    (tmp_path / "a.png").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(DataError):
        assert read_image(tmp_path / "a.png").shape == (64, 64, 3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_50_megapixels_are_not_too_many(tmp_path):
    grain = np.random.default_rng(0).integers(0, 2, (5000, 10_000), np.uint8)
    Image.fromarray(grain * 255).convert("1").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0] // 255, grain)


LIMITED = """
from PIL import Image
before = Image.MAX_IMAGE_PIXELS
import aiface.provenance.tags
print(Image.MAX_IMAGE_PIXELS == before > 0)
"""


def test_the_limit_of_pillow_is_as_it_was():
    found = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, cwd=WEIGHTS.parent)
    assert found.stdout == "True\n", found.stderr


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "bmp"])  # of a TIFF Pillow looks at each part too
def test_a_limit_that_another_sets_holds_for_that_one(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (64, 1024)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 1024 - 1)
    assert read_image(path).shape == (1024, 64, 3)
    with pytest.raises(Image.DecompressionBombWarning):
        Image.open(path)


def test_a_gif_whose_picture_is_larger_than_its_screen(tmp_path, monkeypatch):
    content = bytearray(encoded("GIF"))
    content[6:10] = struct.pack("<HH", 1, 1)
    (tmp_path / "a.gif").write_bytes(content)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"expected an image of usual size, found: .*; scale it down first") as caught:
        read_image(tmp_path / "a.gif")
    assert str(caught.value).startswith(f"{tmp_path / 'a.gif'}: ")


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(DataError, match="expected"):
        read_image(tmp_path)


def test_a_directory_of_tags_is_not_walked(tmp_path, monkeypatch):
    """By nobody who opens a picture: Pillow would take half a second for each."""
    path = tmp_path / "tags.tif"
    path.write_bytes(lying_tiff("<", 60_000))
    monkeypatch.setattr("PIL.TiffImagePlugin.ImageFileDirectory_v2.load", lambda *_: pytest.fail("it was walked"))
    assert kind(path) == "image"
    assert read_tags(path) == {}
    with pytest.raises(DataError, match="found 60000 claimed"):
        read_image(path)


@pytest.mark.parametrize("tail", [b"", b"\x08\0\0\0", b"\xff" * 12, b"\x08\0\0\0" + bytes(8)])
def test_a_tiff_cut_short_is_as_damaged_as_before(tmp_path, tail):
    (tmp_path / "cut.tif").write_bytes(b"II*\0" + tail)
    with pytest.raises(DataError, match=r"expected .*image, found .+; (remove or )?replace it"):
        read_image(tmp_path / "cut.tif")
