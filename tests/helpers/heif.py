"""HEIC pictures as phones write them, made by code: PyAV encodes HEVC, and the boxes about it are put together here.

ISO/IEC 23008-12 (HEIF), and 14496-12 for the boxes.
"""

from fractions import Fraction
from struct import pack

import av
import numpy as np
from PIL import Image


def heic(pixels, tile=None, turns=0, orientation=None):
    """RGB uint8 `(height, width, 3)` as a HEIC's bytes.

    tile: the side of the squares that it is cut into, as iPhones do. turns: quarters that its `irot` turns it to the
    left when it is shown. orientation: what its EXIF says.
    """
    height, width = pixels.shape[:2]
    side = (tile, tile) if tile else (height, width)
    parts = [
        pixels[y : y + side[0], x : x + side[1]] for y in range(0, height, side[0]) for x in range(0, width, side[1])
    ]
    hvcc, samples = zip(*map(hevc, parts), strict=True)
    tiles = range(1, len(parts) + 1)
    main = len(parts) + 1 if tile else 1
    properties = hvcc[0] + size_box(*side) + size_box(height, width) + box(b"irot", pack("B", turns))
    kinds, data = dict.fromkeys(tiles, b"hvc1"), dict(zip(tiles, samples, strict=True))
    uses = dict.fromkeys(tiles, (0x81, 2) if tile else (0x81, 2, 0x84))
    links = b""
    if tile:
        kinds[main], uses[main] = b"grid", (3, 0x84)
        data[main] = pack(">BBBBHH", 0, 0, -(-height // tile) - 1, -(-width // tile) - 1, width, height)
        links += box(b"dimg", pack(f">HH{len(tiles)}H", main, len(tiles), *tiles))
    if orientation:
        exif = Image.Exif()
        exif[0x0112] = orientation
        kinds[main + 1], data[main + 1] = b"Exif", pack(">I", 6) + exif.tobytes()
        links += box(b"cdsc", pack(">HHH", main + 1, 1, main))
    return file(main, kinds, data, properties, uses, links)


def file(main, kinds, data, properties, uses, links):
    """Items of these kinds and data, the `main` one shown."""
    named = b"".join(full(b"infe", pack(">HH", item, 0) + kind + b"\0", 2) for item, kind in kinds.items())
    used = b"".join(pack(f">HB{len(them)}B", item, len(them), *them) for item, them in uses.items())
    start = box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")

    def meta(at):
        places = pack(">BBH", 0x44, 0, len(data))
        for item, content in data.items():
            places += pack(">HHHHII", item, 0, 0, 1, at, len(content))
            at += len(content)
        return full(
            b"meta",
            full(b"hdlr", bytes(4) + b"pict" + bytes(13))
            + full(b"pitm", pack(">H", main))
            + full(b"iloc", places, 1)
            + full(b"iinf", pack(">H", len(kinds)) + named)
            + (full(b"iref", links) if links else b"")
            + box(b"iprp", box(b"ipco", properties) + full(b"ipma", pack(">I", len(uses)) + used)),
        )

    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", b"".join(data.values()))


def hevc(pixels):
    """The configuration box and the only frame of an HEVC stream of this picture."""
    encoder = av.CodecContext.create("libx265", "w")
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1)
    encoder.options = {"x265-params": "log-level=none:pools=1:crf=12:repeat-headers=1", "preset": "ultrafast"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame.pts, frame.time_base = 0, Fraction(1)
    stream = b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
    units = [unit.rstrip(b"\0") for unit in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]
    kept = {unit[0] >> 1: unit for unit in units}  # by type: 32 to 34 are parameters, up to 31 what is seen
    (seen,) = (unit for kind, unit in kept.items() if kind < 32)
    return box(b"hvcC", configuration(kept)), pack(">I", len(seen)) + seen


def configuration(units):
    """ISO/IEC 14496-15, 8.3.3.1.2: profile and level as the sequence's parameters have them, and all parameters."""
    level = units[33].replace(b"\0\0\3", b"\0\0")[3:15]
    fixed = b"\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f"
    arrays = b"".join(pack(">BHH", 0x80 | kind, 1, len(units[kind])) + units[kind] for kind in (32, 33, 34))
    return b"\1" + level + fixed + b"\3" + arrays


def box(name, content):
    return pack(">I", len(content) + 8) + name + content


def full(name, content, version=0):
    return box(name, pack(">I", version << 24) + content)


def size_box(height, width):
    return full(b"ispe", pack(">II", width, height))
