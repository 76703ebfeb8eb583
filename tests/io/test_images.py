import contextlib
import io
import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from heif import heic
from PIL import Image

from aiface.errors import DataError
from aiface.io.images import read_image
from aiface.io.media_kinds import kind
from aiface.paths import WEIGHTS
from aiface.provenance.tags import read_tags

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


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
        (
            "eps.jpg",
            encoded("EPS"),
            "expected an image, found PostScript, which is not read; save it as JPEG, PNG or TIFF",
        ),
        ("header.png", encoded("PNG")[:20], r"expected .*image, found .+; (remove or )?replace it"),
        ("empty.jpg", b"", "expected an image, found an empty file; get another copy of it"),
        ("text.jpg", b"not an image\n", "expected an image, found 13 bytes that are none; remove or replace it"),
        ("huge.png", png_of(16_400, 12_300), "at most 201 megapixels, found 16400x12300; scale it down first"),
        ("bomb.png", png_of(60_000, 60_000), "at most 201 megapixels, found 60000x60000; scale it down first"),
        ("lie.png", png_of(7000, 7000), "at least 5935 bytes for 7000x7000 pixels, found 65: its header lies, its end"),
        ("lie.jpg", lying_jpeg(), r"at least 95703 bytes for 7000x7000 pixels, found \d+: its header lies, its end"),
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


def test_50_megapixels_are_read_whole(tmp_path):
    grain = np.random.default_rng(0).integers(0, 2, (6144, 8160), np.uint8)
    Image.fromarray(grain * 255).convert("1").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0] // 255, grain)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_what_is_larger_comes_at_half_its_size(tmp_path, monkeypatch, suffix, orientation):
    monkeypatch.setattr("aiface.io.images.FULL_PIXELS", 80_000)
    rows, columns = np.mgrid[:301, :801]
    pixels = np.stack((rows * 0.8, columns * 0.3, rows * 0.2 + columns * 0.2), axis=2).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", exif=exif)
    expected = np.asarray(Image.fromarray(pixels).reduce(2)).astype(int)
    expected = expected if orientation == 1 else np.rot90(expected, -1)
    found = read_image(tmp_path / f"a.{suffix}")
    assert found.flags.c_contiguous
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 4


def test_a_large_deep_tiff_comes_at_half_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr("aiface.io.images.FULL_PIXELS", 3000)
    sixteen_bits().save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").shape == (24, 32, 3)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [("png", {}), ("webp", {}), ("jpg", {"optimize": True}), ("jpg", {"progressive": True}), ("gif", {}), ("avif", {})],
)
def test_a_flat_ground_is_no_lie(tmp_path, suffix, options):
    """12 megapixels of one colour but for a small picture, as screens and studios make them."""
    image = Image.new("RGB", (4000, 3000), (240, 240, 240))
    image.paste(halves(), (1000, 1000))
    image.save(tmp_path / f"a.{suffix}", **options)
    assert (tmp_path / f"a.{suffix}").stat().st_size < 120_000
    assert read_image(tmp_path / f"a.{suffix}").shape == (3000, 4000, 3)


def test_too_little_memory_is_named(tmp_path, monkeypatch):
    def load(*_):
        raise MemoryError

    halves().save(tmp_path / "a.png")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(DataError, match="expected memory for all its pixels, found too little; scale it down first"):
        read_image(tmp_path / "a.png")


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


def words(chunk, size):
    """Noise of so many bytes as a PNG's text or profile, in one piece."""
    from PIL.PngImagePlugin import PngInfo

    letters = np.random.default_rng(0).integers(97, 123, size, np.uint8).tobytes()
    if chunk == "iCCP":
        return {"icc_profile": letters}
    info = PngInfo()
    if chunk == "iTXt":
        info.add_itxt("workflow", letters.decode(), zip=True)
    else:
        info.add_text("workflow", letters.decode(), zip=chunk == "zTXt")
    return {"pnginfo": info}


@pytest.mark.parametrize("chunk", ["tEXt", "zTXt", "iTXt", "iCCP"])
@pytest.mark.parametrize("size", [500, 1_500_000])
def test_words_and_profiles_of_any_size_leave_the_pixels_whole(tmp_path, chunk, size):
    pixels = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)
    image, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "a.png", exif=exif, **words(chunk, size))
    assert np.array_equal(read_image(tmp_path / "a.png"), pixels[::-1, ::-1])


@pytest.mark.parametrize("size", [500, 1_500_000])
def test_words_behind_the_pixels_leave_them_whole(tmp_path, size):
    pixels = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", **words("zTXt", size))
    data = (tmp_path / "a.png").read_bytes()
    start = data.index(b"zTXt") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    (tmp_path / "a.png").write_bytes(data[:start] + data[end:-12] + data[start:end] + data[-12:])
    assert np.array_equal(read_image(tmp_path / "a.png"), pixels)


def test_a_png_cut_short_behind_its_words_is_damaged(tmp_path):
    Image.new("RGB", (500, 500)).save(tmp_path / "a.png", **words("zTXt", 1_500_000))
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[:-200])
    with pytest.raises(DataError, match="found a damaged one"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize(("suffix", "off"), [("avif", 12), ("jp2", 0)])
def test_formats_of_phones_and_archives(tmp_path, suffix, off):
    rows, columns = np.mgrid[:48, :64]
    pixels = np.stack((rows * 4, columns * 3, rows + columns), axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    found = read_image(tmp_path / f"a.{suffix}")
    assert found.shape == pixels.shape
    assert np.abs(found.astype(int) - pixels).max() <= off


def framed(height=96, width=160):
    """Smooth colours in which each corner is another, so that turns and swapped channels show."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack((rows * 255 // height, columns * 255 // width, 255 - rows * 255 // height), axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", ["a.heic", "a.jpg", "a"])
@pytest.mark.parametrize("tile", [None, 64])
@pytest.mark.parametrize(("turns", "orientation"), [(0, None), (0, 1), (1, None), (3, None), (3, 6), (2, 3), (1, 8)])
def test_heic_of_phones(tmp_path, name, tile, turns, orientation):
    """Of one turned by its `irot` EXIF says the same once more, which is not to count."""
    pixels = framed(128, 192)
    (tmp_path / name).write_bytes(heic(pixels, tile, turns, orientation))
    assert kind(tmp_path / name) == "image"
    expected = np.rot90(pixels, turns).astype(int)
    found = read_image(tmp_path / name)
    assert (found.dtype, found.shape) == (np.uint8, expected.shape)
    assert np.median(np.abs(found - expected)) <= 3


def test_heic_beyond_its_tiles(tmp_path):
    """As of 4032x3024 pixels in tiles of 512, the last of which reach past the border."""
    padded = framed(128, 192)
    content = heic(padded, 64).replace(struct.pack(">BBHH", 1, 2, 192, 128), struct.pack(">BBHH", 1, 2, 150, 100))
    (tmp_path / "a.heic").write_bytes(content.replace(struct.pack(">II", 192, 128), struct.pack(">II", 150, 100)))
    found = read_image(tmp_path / "a.heic")
    assert found.shape == (100, 150, 3)
    assert np.median(np.abs(found - padded[:100, :150].astype(int))) <= 3


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_damaged_heic_is_named(tmp_path, share):
    content = heic(np.random.default_rng(0).integers(0, 256, (128, 192, 3), np.uint8), 64)
    (tmp_path / "a.heic").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"expected .*image, found .+; (remove or )?replace it") as caught:
        read_image(tmp_path / "a.heic")
    assert str(caught.value).startswith(f"{tmp_path / 'a.heic'}: expected")


@pytest.mark.parametrize("tail", [b"SEFT", b"\0\0\0\2trail" * 9, b"\0\0\0\0free" + bytes(50), bytes(100)])
def test_what_a_phone_appends_to_a_heic_is_no_damage(tmp_path, tail):
    (tmp_path / "a.heic").write_bytes(heic(framed(), None) + tail)
    assert read_image(tmp_path / "a.heic").shape == (96, 160, 3)
