"""Damaged pictures: each is looked at as the app and `analyze` look at what strangers send."""

import io
import tempfile
import warnings
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from aiface.errors import DataError
from aiface.io.images import read_image
from aiface.io.media_kinds import kind
from aiface.provenance.tags import read_tags
from benchmarks.soak.mutate import mutate
from benchmarks.soak.watch import Tally, run, serve
from benchmarks.speed.clocks import Row

COUNT, SEED = 50_000, 7
SECONDS, MIB = 0.5, 256
LARGE = ("JPEG", "PNG", "WEBP")  # kinds of which there is one of 1280x960 too
SAVED = (
    ("JPEG", "RGB", {"quality": 85}), ("JPEG", "RGB", {"progressive": True}), ("JPEG", "L", {}), ("JPEG", "CMYK", {}),
    ("PNG", "RGB", {}), ("PNG", "RGBA", {}), ("PNG", "P", {}), ("PNG", "1", {}), ("PNG", "I;16", {}),
    ("WEBP", "RGB", {}), ("WEBP", "RGBA", {"lossless": True}), ("WEBP", "RGB", {"save_all": True}),
    ("BMP", "RGB", {}), ("BMP", "P", {}), ("GIF", "P", {}), ("GIF", "P", {"save_all": True}), ("TIFF", "RGB", {}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}), ("TIFF", "RGB", {"compression": "jpeg"}),
    ("TIFF", "RGBA", {"compression": "tiff_adobe_deflate"}), ("TIFF", "I;16", {}),
    ("TIFF", "1", {"compression": "group4"}),
)  # fmt: skip


@cache
def seeds() -> tuple[bytes, ...]:
    """Whole pictures of every kind that is read: most of 96x72 pixels, with EXIF, text and profiles in some."""
    small = [_encoded(_scene(96, 72, index), *saved) for index, saved in enumerate(SAVED)]
    return (*small, *(_encoded(_scene(1280, 960, 0), form, "RGB", {}) for form in LARGE))


def _scene(width: int, height: int, seed: int) -> Image.Image:
    """Soft shapes and some grain: compresses as a photo does."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(0, 255, (6, 8, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    return Image.fromarray((coarse + rng.normal(0, 4, coarse.shape)).clip(0, 255).astype(np.uint8))


def _encoded(image: Image.Image, form: str, mode: str, options: dict) -> bytes:
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    extra, exif = {}, Image.Exif()
    exif.update({0x0112: 6, 0x0131: "a program", 0x010E: "a description"})
    if form in ("JPEG", "PNG", "WEBP"):
        extra["exif"] = exif
    if form == "PNG":
        extra["pnginfo"] = PngImagePlugin.PngInfo()
        extra["pnginfo"].add_text("parameters", "a prompt " * 50, zip=True)
    if options.get("save_all"):
        extra["append_images"] = [image.rotate(90 * turn).convert(mode) for turn in (1, 2)]
    buffer = io.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(buffer, form, **options, **extra)
    return buffer.getvalue()


def damaged(seed: int, case: int) -> bytes:
    """The same bytes each time; a whole picture for case -1."""
    whole = seeds()
    if case < 0:
        return whole[0]
    rng = np.random.default_rng((seed, case))
    return mutate(rng, whole[rng.integers(len(whole))], whole)


def attempt(seed: int, case: int) -> str:
    """What `read_image` makes of a damaged picture, after all else that the app does with one: `read` or `refused`."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder, "picture")
        path.write_bytes(damaged(seed, case))
        warnings.simplefilter("ignore")
        read_tags(path)
        try:
            kind(path)
            image = read_image(path)
        except DataError:
            return "refused"
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise AssertionError(f"expected an RGB uint8 image, found {image.shape} {image.dtype}")
    return "read"


def measure(count: int = COUNT, kept: Path | None = None) -> list[Row]:
    """The figures asked for."""
    return rows(run("benchmarks.soak.images", count, SEED, kept), "images")


def rows(tally: Tally, what: str) -> list[Row]:
    """A tally held against the bars."""
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(tally.outcomes.items()))
    return [
        Row(f"crashes in {tally.cases} damaged {what}", listed(tally.crashes), "0", not tally.crashes),
        Row(f"hangs ({outcomes})", listed(tally.hangs), "0", not tally.hangs),
        Row("longest", f"{tally.seconds[0]:.2f} s (case {tally.seconds[1]})", f"<= {SECONDS:g} s",
            tally.seconds[0] <= SECONDS),
        Row("memory above base", f"{tally.mib[0]:.0f} MiB (case {tally.mib[1]})", f"<= {MIB} MiB",
            tally.mib[0] <= MIB),
    ]  # fmt: skip


def listed(cases: list[str]) -> str:
    """How many, and the first few."""
    return "; ".join([str(len(cases)), *cases[:3]])


if __name__ == "__main__":
    serve(attempt)
