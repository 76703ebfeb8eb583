"""Clips made by code, and stand-ins for a camera and for a face finder."""

import struct
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from aiface.faces.finder import Face
from aiface.video.opening import open_video

WIDTH, HEIGHT = 64, 48
QUARTERS = {(0, 0): (220, 30, 30), (0, 1): (30, 200, 30), (1, 0): (40, 40, 230), (1, 1): (230, 230, 230)}


def picture(width=WIDTH, height=HEIGHT):
    """Red, green, blue and white quarters: shows swapped channels and wrong turns at once."""
    image = np.empty((height, width, 3), np.uint8)
    for (row, column), colour in QUARTERS.items():
        rows = slice(row * height // 2, (row + 1) * height // 2)
        image[rows, column * width // 2 : (column + 1) * width // 2] = colour
    return image


def noise(index):
    """Frames that don't compress, so that bytes cut off a file are frames cut off."""
    return np.random.default_rng(index).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)


def seconds(count, step=0.1):
    return [step * index for index in range(count)]


def write_clip(
    path, times=(), image=None, size=(WIDTH, HEIGHT), codec="libx264", tone=None, audio="aac", aspect=1, **options
):
    """A clip with a frame at each of `times`; `tone` (start, end) adds a tone between these seconds."""
    with av.open(str(path), "w", container_options=options) as container:
        frames = container.add_stream(codec, rate=30, options={"g": "10"}) if len(times) else None
        sound = container.add_stream(audio, rate=16_000) if tone else None
        if frames:
            frames.width, frames.height = size
            frames.pix_fmt = "yuv420p"
            frames.codec_context.sample_aspect_ratio = aspect
            frames.codec_context.time_base = frames.time_base = Fraction(1, 1000)
            for index, at in enumerate(times):
                shown = image(index) if image else picture(*size)
                frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
                frame.pts, frame.time_base = round(at * 1000), Fraction(1, 1000)
                container.mux(frames.encode(frame))
            container.mux(frames.encode(None))
        if sound:
            write_tone(container, sound, *tone)
    return path


def write_tone(container, stream, start, end):
    wave = np.sin(np.arange(round((end - start) * 16_000)) * 0.2, dtype=np.float32)[None]
    layout = {"format": "fltp", "layout": "mono"}
    if stream.codec_context.format.name != "fltp":
        wave, layout["format"] = (wave * 30_000).astype(np.int16), "s16"
    for at in range(0, wave.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(wave[:, at : at + 1024], **layout)
        frame.sample_rate, frame.pts = 16_000, round(start * 16_000) + at
        frame.time_base = Fraction(1, 16_000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def turned(path, degrees):
    """Write the rotation a telephone writes, clockwise, into the track header of an MP4."""
    matrix = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (65536 * value for value in matrix)
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def read(source, **options):
    with open_video(source, **options) as frames:
        return list(frames)


def times_of(frames):
    return pytest.approx([frame.time for frame in frames], abs=2e-3)


def assert_looks_like(image, expected, tolerance=12):
    assert image.dtype == np.uint8
    assert image.shape == expected.shape
    assert image.flags.c_contiguous
    assert np.median(np.abs(image.astype(int) - expected)) <= tolerance


def nothing(path):
    return path / "missing.mp4"


def text(path, name="text.mp4"):
    (path / name).write_text("not a video\n" * 50)
    return path / name


class FakeCamera:
    """Stands in for `cv2.VideoCapture`: red counts its frames, then comes what `end` gives."""

    def __init__(self, count=10_000, opens=True, end=None):
        self.count, self.opens, self.end = count, opens, end
        self.reads = 0
        self.released = threading.Event()

    def __call__(self, index):
        return self

    def isOpened(self):
        return self.opens

    def read(self):
        time.sleep(0.005)
        if self.reads >= self.count and self.end:
            return self.end()
        self.reads += 1
        return True, np.full((HEIGHT, WIDTH, 3), (0, 0, self.reads % 256), np.uint8)

    def release(self):
        self.released.set()


# Landmarks of an FFHQ-aligned picture, in shares of its side
ALIGNED = ((0.375, 0.474), (0.625, 0.474), (0.5, 0.6), (0.4, 0.734), (0.6, 0.734))


class FakeFinder:
    """Answers at once: `faces`, or else one face that fills the image as in an aligned picture. Counts its `calls`."""

    name = "fake"

    def __init__(self, faces=None):
        self.faces = faces
        self.calls = 0

    def __call__(self, image):
        self.calls += 1
        return [self.aligned(image)] if self.faces is None else list(self.faces)

    @staticmethod
    def aligned(image):
        height, width = image.shape[:2]
        return Face((0.25 * width, 0.25 * height, 0.5 * width, 0.6 * height), np.float32(ALIGNED) * (width, height), 1)
