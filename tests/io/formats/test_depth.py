import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from aiface.errors import DataError
from aiface.io.formats import depth, pages
from aiface.io.formats.depth import to_8_bits
from aiface.io.images import read_image

ROWS, COLUMNS = np.mgrid[:40, :50]
GREY = (ROWS * 4 + COLUMNS) / 205  # from 0 to 1
COLOUR = np.stack((GREY, GREY[::-1], 1 - GREY), axis=2)


def kind_of(values, kind):
    """Shares of 1 as another kind of numbers."""
    if kind.startswith("float"):
        return (values * float(kind.split(" to ")[1])).astype(kind.split()[0])
    bits, stored = kind.split(" bits in ")
    return (values * (2.0 ** int(bits) - 1)).astype(stored)


WHOLE = ["10 bits in uint16", "12 bits in uint16", "14 bits in uint16", "16 bits in uint16"]
OTHER = ["12 bits in int16", "12 bits in int32", "16 bits in uint32", "32 bits in uint32", "float32 to 1",
         "float32 to 255", "float64 to 65535", "float32 to 0.01"]  # fmt: skip
WAYS = [{}, {"compression": "deflate"}, {"bigtiff": True}, {"byteorder": ">"}, {"tile": (16, 16)}]


def off(found, expected):
    assert found.dtype == np.uint8
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert found.shape == expected.shape
    return np.abs(found.astype(int) - expected * 255).max()


@pytest.mark.parametrize("kind", WHOLE + OTHER)
@pytest.mark.parametrize("values", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_is_deep_is_not_dark(tmp_path, kind, values, way):
    form = "rgb" if values.ndim == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", kind_of(values, kind), photometric=form, **way)
    assert off(read_image(tmp_path / "a.tif"), values) <= 4  # the darkest and the brightest thousandth are cut


def packed(values):
    """A TIFF of 12 bits a sample, two in three bytes, as scanners write it."""
    rows, columns, samples = values.shape
    flat = (values * 4095).astype(int).reshape(rows, -1)
    first, second = flat[:, ::2], flat[:, 1::2]
    data = np.stack((first >> 4, (first & 15) << 4 | second >> 8, second & 255), axis=2).astype(np.uint8).tobytes()
    after = 8 + 2 + 12 * 10 + 4
    tags = [(256, columns), (257, rows), (258, after if samples > 1 else 12), (259, 1), (262, 2 if samples > 1 else 1),
            (273, after + 6), (277, samples), (278, rows), (279, len(data)), (284, 1)]  # fmt: skip
    wide = {256, 257, 273, 278, 279}
    entries = [
        struct.pack("<HHII", tag, 4 if tag in wide else 3, samples if tag == 258 else 1, value) for tag, value in tags
    ]
    return b"II*\0" + struct.pack("<IH", 8, 10) + b"".join(entries) + bytes(4) + struct.pack("<3H", 12, 12, 12) + data


@pytest.mark.parametrize("values", [GREY[..., None], COLOUR], ids=["grey", "colour"])
def test_12_bits_in_12(tmp_path, values):
    (tmp_path / "a.tif").write_bytes(packed(values))
    assert off(read_image(tmp_path / "a.tif"), np.broadcast_to(values, (40, 50, 3))) <= 1


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_orientation(tmp_path, orientation):
    """As Pillow turns the same picture of 8 bits."""
    tag = [(274, 3, 1, orientation, True)]
    for name, values in (("deep.tif", kind_of(COLOUR, WHOLE[1])), ("plain.tif", (COLOUR * 255).astype(np.uint8))):
        tifffile.imwrite(tmp_path / name, values, photometric="rgb", extratags=tag)
    plain = read_image(tmp_path / "plain.tif")
    assert off(read_image(tmp_path / "deep.tif"), plain / 255) <= 1


def test_white_is_zero(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", kind_of(GREY, WHOLE[1]), photometric="miniswhite")
    assert off(read_image(tmp_path / "a.tif"), 1 - GREY) <= 1


def test_what_is_transparent_is_white(tmp_path):
    opaque = (ROWS < 20).astype(float)
    values = kind_of(np.dstack((COLOUR, opaque)), WHOLE[1])
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    assert off(read_image(tmp_path / "a.tif"), COLOUR * opaque[..., None] + 1 - opaque[..., None]) <= 1


def test_a_png_of_12_bits_in_16(tmp_path):
    Image.fromarray(kind_of(GREY, WHOLE[1])).save(tmp_path / "a.png")
    assert off(read_image(tmp_path / "a.png"), GREY) <= 1


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("opaque", [None, (ROWS < 20).astype(float)], ids=["opaque", "with alpha"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_png_of_deep_colours(tmp_path, bits, opaque, orientation):
    values = kind_of(COLOUR, f"{bits} bits in uint16")
    expected = COLOUR
    if opaque is not None:
        values = np.dstack((values, (opaque * 65535).astype(np.uint16)))
        expected = COLOUR * opaque[..., None] + 1 - opaque[..., None]
    backwards = [2, 1, 0, 3][: values.shape[2]]
    data = cv2.imencode(".png", np.ascontiguousarray(values[..., backwards]))[1].tobytes()
    exif = b"eXIf" + b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    piece = struct.pack(">I", len(exif) - 4) + exif + struct.pack(">I", zlib.crc32(exif))
    (tmp_path / "a.png").write_bytes(data[:33] + piece + data[33:])
    assert off(read_image(tmp_path / "a.png"), np.rot90(expected, -(orientation == 6))) <= 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0, 255]], [[0, 255]]),  # 8 bits in 16
        ([[0, 4095] * 999 + [0, 65535]], [[0, 255] * 999 + [0, 255]]),  # a hot pixel
        ([[100, 60_000]], [[0, 234]]),
    ],
)
def test_16_bits(values, expected):
    assert to_8_bits(np.array(values, np.uint16)).tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[np.nan, 1.0, 3.0, np.inf, -np.inf]], [[0, 0, 255, 255, 0]]),
        ([[-1000.0, 1000.0, 3000.0]], [[0, 128, 255]]),
        ([[7.0, 7.0]], [[0, 0]]),
        ([[np.nan, np.nan]], [[0, 0]]),
    ],
)
def test_other_numbers(values, expected):
    assert to_8_bits(np.array(values, np.float32)).tolist() == expected


def cut(path):
    tifffile.imwrite(path, kind_of(COLOUR, WHOLE[1]), photometric="rgb", planarconfig="contig")
    path.write_bytes(path.read_bytes()[:-100])


def cut_floats(path):
    """Which Pillow doesn't know."""
    tifffile.imwrite(path, COLOUR.astype(np.float32), photometric="rgb")
    path.write_bytes(path.read_bytes()[:-100])


def rare(path):
    """OpenCV doesn't know it, and tifffile no compression like this."""
    tifffile.imwrite(path, COLOUR.astype(np.float16), photometric="rgb", compression="deflate")
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[259].overwrite(34712)


def squeezed_and_damaged(path):
    noise = np.random.default_rng(0).integers(0, 4096, (40, 50, 3), np.uint16)
    tifffile.imwrite(path, noise, photometric="rgb", compression="deflate")
    with tifffile.TiffFile(path) as file:
        start = file.pages[0].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[start : start + 100] = b"\xff" * 100
    path.write_bytes(data)


def huge(path):
    path.write_bytes(packed(COLOUR).replace(struct.pack("<I", 50), struct.pack("<I", 9_000_000), 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (cut, r"expected a whole image, found a damaged one \(.+\); replace it"),
        (cut_floats, r"expected a whole TIFF, of \d+ bytes at least, found \d+; replace it"),
        (rare, "found 3 floating-point numbers a pixel of 16 bits, damaged or unusual; save it with 8 or 16 bits"),
        (squeezed_and_damaged, r"expected a whole image, found a damaged one \(.+\); replace it"),
        (huge, "expected an image of at most 201 megapixels, found 9000000x40; scale it down first"),
    ],
)
def test_what_cant_be_read_is_named(tmp_path, capfd, make, message):
    make(tmp_path / "a.tif")
    with pytest.raises(DataError, match=message) as caught:
        read_image(tmp_path / "a.tif")
    assert str(caught.value).startswith(f"{tmp_path / 'a.tif'}: expected")
    assert "OpenCV" not in capfd.readouterr().err


def test_what_takes_too_much_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(depth, "MOST_BYTES", 1000)
    tifffile.imwrite(tmp_path / "a.tif", kind_of(COLOUR, WHOLE[1]), photometric="rgb")
    with pytest.raises(
        DataError, match=r"expected a TIFF of at most .* GB, found 50x40 pixels of 3 times 16 bits; save"
    ):
        read_image(tmp_path / "a.tif")


def planes(path):
    values = kind_of(np.moveaxis(COLOUR, 2, 0), WHOLE[1])
    tifffile.imwrite(path, values, photometric="rgb", planarconfig="separate")


def grey_with_alpha(path):
    values = kind_of(np.dstack((GREY, np.ones_like(GREY))), WHOLE[1])
    tifffile.imwrite(path, values, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])


def lab(path):
    lightness, *tints = np.moveaxis(cv2.cvtColor(COLOUR.astype(np.float32), cv2.COLOR_RGB2LAB), 2, 0)
    values = np.stack((lightness * 655.35, *(tint * 256 for tint in tints)), axis=2)
    tifffile.imwrite(path, values.astype(np.int32).astype(np.uint16), photometric="cielab")


def signed(values):
    form = "rgb" if values.ndim == 3 else "minisblack"
    return lambda path: tifffile.imwrite(path, (values * 255 - 128).astype(np.int8), photometric=form)


def floats(path):
    tifffile.imwrite(path, COLOUR.astype(np.float16), photometric="rgb")


def behind_a_thumbnail(path):
    with tifffile.TiffWriter(path) as file:
        file.write(kind_of(COLOUR[::4, ::4], WHOLE[-1]), photometric="rgb", subfiletype=1)
        file.write(kind_of(COLOUR, WHOLE[-1]), photometric="rgb")


@pytest.mark.parametrize(
    ("make", "values"),
    [(planes, COLOUR), (grey_with_alpha, GREY), (lab, COLOUR), (signed(GREY), GREY), (signed(COLOUR), COLOUR),
     (floats, COLOUR), (behind_a_thumbnail, COLOUR)],
)  # fmt: skip
def test_rare_kinds_are_read(tmp_path, make, values):
    make(tmp_path / "a.tif")
    assert off(read_image(tmp_path / "a.tif"), values) <= 4


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("values", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_jpeg_2000_of_few_bits_in_16(tmp_path, bits, values):
    stored = (values * (2**bits - 1)).astype(np.uint16)
    assert cv2.imwrite(str(tmp_path / "a.jp2"), stored[..., ::-1] if stored.ndim == 3 else stored)
    assert off(read_image(tmp_path / "a.jp2"), values) <= 4


PAGE = np.full((40, 50, 3), 90, np.uint8)


@pytest.mark.parametrize(("kinds", "number"), [((0,), 1), ((0, 0, 0), 3), ((1, 0), 1), ((0, 1, 1), 1), ((2, 2), 2)])
@pytest.mark.parametrize("way", [{}, {"bigtiff": True}, {"byteorder": ">"}], ids=str)
def test_which_page_is_judged_is_said(tmp_path, kinds, number, way):
    with tifffile.TiffWriter(tmp_path / "a.tif", **way) as file:
        for kind in kinds:
            file.write(PAGE if kind != 1 else PAGE[::2, ::2], photometric="rgb", subfiletype=kind, metadata=None)
    assert read_image(tmp_path / "a.tif").shape == PAGE.shape
    assert pages.note(tmp_path / "a.tif") == (
        f"the file holds {number} pages; the first is judged" if number > 1 else ""
    )


@pytest.mark.parametrize(
    "content", [b"", b"II*\0", b"II*\0\x08\0\0\0\0\0\x08\0\0\0", b"MM\0*\xff\xff\xff\xff", b"\x89PNG" + bytes(99)]
)
def test_what_has_no_pages(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(content)
    assert pages.note(tmp_path / "a.tif") == ""
    assert pages.note(tmp_path / "missing.tif") == ""


@pytest.mark.parametrize(
    ("packet", "moves"),
    [(b'GCamera:MotionPhoto="1"', True), (b"<Camera:MotionPhoto>1</Camera:MotionPhoto>", True), (b"", False),
     (b'GCamera:MicroVideo="1"', True), (b'GCamera:MotionPhoto="0"', False)],
)  # fmt: skip
def test_a_motion_photo_is_said_to_be_one(tmp_path, packet, moves):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.jpg", xmp=b"<x:xmpmeta " + packet + b"/>")
    with (tmp_path / "a.jpg").open("ab") as file:
        file.write(b"\0\0\0\x18ftypmp42" + bytes(99))
    assert read_image(tmp_path / "a.jpg").shape == (20, 20, 3)
    assert pages.note(tmp_path / "a.jpg").startswith("a motion photo: the picture is judged") is moves
