"""Folders of many kinds of files, and what is written about them."""

import json

from clips import seconds, write_clip
from PIL import Image
from scene import BLUE, HEIGHT, RED, WIDTH, picture


def mixed(folder, count):
    """So many files: pictures, clips, broken and empty ones, one that claims to be huge, and what is neither."""
    huge = b"BM" + bytes(12) + b"\x28\0\0\0" + 2 * b"\x60\xea\0\0" + b"\1\0\x18\0" + bytes(24)  # 60,000 x 60,000
    red, blue = (Image.fromarray(picture((100, 40, 100, colour))) for colour in (RED, BLUE))
    couple = picture((20, 30, 100, RED), (180, 40, 90, BLUE))
    kinds = (
        lambda at: red.save(at.with_suffix(".png")),
        lambda at: blue.save(at.with_suffix(".jpg")),
        lambda at: write_clip(at.with_suffix(".mp4"), seconds(8), lambda _: couple, (WIDTH, HEIGHT)),
        lambda at: at.with_suffix(".txt").write_text("notes"),
        lambda at: at.with_suffix(".jpeg").write_bytes(b""),
        lambda at: at.with_suffix(".mov").write_text("no clip"),
        lambda at: Image.fromarray(picture()).save(at.with_suffix(".webp")),
        lambda at: at.with_suffix(".bmp").write_bytes(huge),
    )
    for number in range(count):
        kinds[number % len(kinds)](folder / f"{number // 20}" / f"file {number:03}")
    return folder


def index(out):
    return json.loads((out / "index.json").read_text(encoding="utf-8"))["inputs"]


def reports_of(out):
    """When each was written; not those that are being written, whose names begin with a dot."""
    return {path: path.stat().st_mtime_ns for path in out.glob("[!.]*.json") if path.name != "index.json"}
