"""Degrade an image the way cameras, messengers and video platforms do.

One set of degradations serves training (`degrade`, blind to the class) and the robustness curves of evaluation (each
function by itself). Every function takes and returns RGB uint8 `(height, width, 3)`.
"""

import io
from collections.abc import Callable

import av
import cv2
import numpy as np


def jpeg(image: np.ndarray, quality: float) -> np.ndarray:
    """JPEG at `quality` 1 to 100."""
    return _through_codec(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, int(quality)])


def webp(image: np.ndarray, quality: float) -> np.ndarray:
    """Lossy WebP at `quality` 1 to 100."""
    return _through_codec(image, ".webp", [cv2.IMWRITE_WEBP_QUALITY, min(int(quality), 100)])


def _through_codec(image: np.ndarray, suffix: str, options: list[int]) -> np.ndarray:
    _, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))  # never None: it was just encoded
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def h264(image: np.ndarray, crf: float) -> np.ndarray:
    """One H.264 key frame at constant rate factor `crf`, 0 (lossless) to 51; sides must be even."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = *image.shape[:2], "yuv420p"
        stream.options = {"crf": str(int(crf)), "preset": "ultrafast", "tune": "zerolatency", "threads": "1"}
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer, "r") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of `sigma` pixels; 0 leaves the image as it is."""
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0 else image


def rescale(image: np.ndarray, side: float) -> np.ndarray:
    """Shrink to `side` pixels wide and enlarge back, as a small face in a frame comes out of the crop."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (int(side), max(1, round(side * height / width))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian sensor noise of `sigma` grey levels, independent by pixel and channel."""
    grain = rng.standard_normal(image.shape, np.float32) * sigma
    return _to_uint8(image + grain)


def tone(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another light: saturation 0.5 to 1.5, contrast 0.7 to 1.4, brightness +-35, each channel's gain +-8 %."""
    grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
    coloured = grey[..., None] + (image - grey[..., None]) * np.float32(rng.uniform(0.5, 1.5))
    gain = np.float32(rng.uniform(0.7, 1.4) * rng.uniform(0.92, 1.08, 3))
    return _to_uint8((coloured - 128) * gain + np.float32(128 + rng.uniform(-35, 35)))


def mute(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Little or no colour and less contrast, as old, official or graded photos have: saturation 0 to 0.5, half grey."""
    grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
    muted = grey[..., None] + (image - grey[..., None]) * np.float32(max(0.0, rng.uniform(-0.5, 0.5)))
    return _to_uint8((muted - 128) * np.float32(rng.uniform(0.6, 1.0)) + np.float32(128 + rng.uniform(-30, 10)))


def levels(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stretched until up to 4 % of the values are black and up to 4 % white, as cameras and editors do.

    Generators clip less than cameras (McCloskey and Albright 2018): without this, that alone gives them away.
    """
    low, high = np.percentile(image, (rng.uniform(0, 4), rng.uniform(96, 100))).astype(np.float32)
    return _to_uint8((image - low) * (255 / max(high - low, np.float32(32))))


def smooth(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Edges kept, skin flattened, as beauty filters and noise reduction do: a bilateral filter of 5 to 9 px."""
    return cv2.bilateralFilter(image, int(rng.integers(5, 10)), rng.uniform(10, 40), rng.uniform(2, 5))


def sharpen(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Unsharp masking, as in cameras and editors: sigma 0.6 to 2, amount 0.2 to 1.5."""
    amount = rng.uniform(0.2, 1.5)
    return cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 2)), -amount, 0)


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def tighten(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lose up to a quarter at each edge and mirror what is left, as crops near an image's border have it.

    Some sources are tiles cut tightly round the face: without this a mirrored border would give them away.
    """
    height, width = image.shape[:2]
    top, bottom = (rng.uniform(0, 0.25, 2) * height).astype(int)
    left, right = (rng.uniform(0, 0.25, 2) * width).astype(int)
    inner = image[top : height - bottom, left : width - right]
    return cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_REFLECT_101)


def occlude(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A rectangle of 2 to 20 % of the area in one colour, as hands, microphones and captions cover a face.

    Random erasing (Zhong et al. 2017): no single region of a face can be learnt by heart.
    """
    covered = image.copy()
    covered[rectangle(image.shape, 0.02, 0.2, rng)] = rng.integers(0, 256, 3)
    return covered


def rectangle(shape: tuple[int, ...], least: float, most: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a part of a picture of `shape`: `least` to `most` of its area, at most 2.7 to 1 in sides."""
    height, width = shape[:2]
    share, aspect = rng.uniform(least, most), np.exp(rng.uniform(-1, 1))
    sides = np.sqrt(share * height * width * np.array([aspect, 1 / aspect]))
    tall, wide = np.minimum(sides, (height, width)).astype(int)
    top, left = rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1)
    return slice(top, top + tall), slice(left, left + wide)


def window(image: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A random square of `size`, as FFHQ's random shift: half of them native pixels, half warped.

    The warped half turns up to 15 degrees and rescales to between 0.6 and 1.25, so that sources that were resampled on
    their way into the crop don't differ in that from sources that were not, and landmarks may be off.
    """
    side = image.shape[0]
    if rng.random() < 0.5 and size <= side:
        top, left = rng.integers(0, side - size + 1, 2)
        return image[top : top + size, left : left + size]
    scale = rng.uniform(max(0.6, 0.93 * size / side), 1.25)
    slack = max(0.0, side - size / scale) / 2
    centre = side / 2 + rng.uniform(-slack, slack, 2) + rng.uniform(-0.03, 0.03, 2) * side
    matrix = cv2.getRotationMatrix2D(tuple(centre), rng.uniform(-15, 15), scale)
    matrix[:, 2] += size / 2 - centre
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def degrade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random chain of degradations in the order of nature: light, optics, scale, sensor, codec, and what covers it.

    It never sees the label, so both classes are treated alike. An eighth of the images stay clean, a quarter keep
    their detail: only light and colour are changed in them, or a part is covered.
    """
    if rng.random() < 0.1:
        return image
    steps: tuple[tuple[float, Callable[[np.ndarray], np.ndarray]], ...] = (
        (0.3, lambda x: levels(x, rng)),
        (0.6, lambda x: tone(x, rng)),
        (0.1, lambda x: smooth(x, rng)),
        (0.2, lambda x: blur(x, 3.0 * rng.random() ** 2)),
        (0.2, lambda x: rescale(x, x.shape[1] * rng.uniform(0.25, 1.0))),
        (0.2, lambda x: sharpen(x, rng)),
        (0.15, lambda x: noise(x, rng.uniform(1, 12), rng)),
        (0.5, lambda x: recompress(x, rng)),
        (0.3, lambda x: occlude(x, rng)),
    )
    for probability, step in steps:
        if rng.random() < probability:
            image = step(image)
    return image


def recompress(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """JPEG 30 to 100 (half), H.264 of crf 18 to 38 (a third) or WebP 30 to 100."""
    choice = rng.random()
    if choice < 0.5:
        return jpeg(image, rng.uniform(30, 101))
    return h264(image, rng.uniform(18, 38)) if choice < 0.83 else webp(image, rng.uniform(30, 101))
