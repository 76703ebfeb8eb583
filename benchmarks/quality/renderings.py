"""Photographs drawn anew by code: the kinds of art that `benchmarks.quality.photograph` learns from.

Each of `KINDS` takes an RGB uint8 square and a generator of random numbers, which draws its parameters, and returns
one of the same shape. `render` draws at a random size, as art comes large and small.
"""

from collections.abc import Callable

import cv2
import numpy as np

from aiface.data.degrade import recompress

Kind = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def render(kind: Kind, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture drawn by `kind` at 96 to 400 px, brought back to its own size, half of them recompressed."""
    size = image.shape[0]
    side = int(2 * round(np.exp(rng.uniform(np.log(96), np.log(400))) / 2))
    drawn = _resize(kind(_resize(image, side), rng), size)
    return recompress(drawn, rng) if rng.random() < 0.5 else drawn


def _resize(image: np.ndarray, side: int) -> np.ndarray:
    shrinks = side < image.shape[0]
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def _grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _in_three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(_to_uint8(grey)[..., None], 3, axis=2)


def _posterised(image: np.ndarray, levels: int) -> np.ndarray:
    """Each channel in so many steps."""
    return _to_uint8(np.floor(image / 256 * levels) * (255 / (levels - 1)))


def _palette(image: np.ndarray, colours: int) -> np.ndarray:
    """The picture in its own best few colours, by k-means on a small copy."""
    small = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32)
    ends = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 1.0)
    cv2.setRNGSeed(0)
    centres = np.asarray(cv2.kmeans(small, colours, None, ends, 1, cv2.KMEANS_PP_CENTERS)[2])
    distances = ((image[..., None, :].astype(np.float32) - centres) ** 2).sum(axis=-1)
    return _to_uint8(centres[distances.argmin(axis=-1)])


def _flattened(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bilateral filtering, over and over: edges stay, all between them goes."""
    for _ in range(rng.integers(2, 7)):
        image = cv2.bilateralFilter(image, 9, rng.uniform(20, 80), rng.uniform(4, 9))
    return image


def _ink(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where a comic's lines run, `(height, width)` 0 or 255 with 0 for ink."""
    smooth = cv2.medianBlur(_grey(image), int(rng.choice([3, 5, 7])))
    block = int(rng.choice([5, 7, 9, 11, 15]))
    return cv2.adaptiveThreshold(smooth, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, block, rng.uniform(2, 8))


def cartoon(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The well-known recipe: bilateral filter, few steps of colour, black lines."""
    flat = _flattened(image, rng)
    if rng.random() < 0.7:
        flat = _posterised(flat, int(rng.integers(4, 13)))
    return cv2.bitwise_and(flat, _in_three(_ink(image, rng)))


def mean_shift(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Areas of one colour by mean shift, some with Canny's edges as outlines."""
    flat = cv2.pyrMeanShiftFiltering(image, rng.uniform(6, 16), rng.uniform(20, 45))
    if rng.random() < 0.5:
        edges = cv2.Canny(cv2.GaussianBlur(image, (0, 0), 1), 60, 150)
        flat[cv2.dilate(edges, np.ones((2, 2))) > 0] = rng.integers(0, 60)
    return flat


def stylized(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """OpenCV's domain transform with its edges darkened: the watercolour filter of many apps."""
    return cv2.stylization(image, sigma_s=rng.uniform(20, 150), sigma_r=rng.uniform(0.25, 0.8))


def clip_art(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Four to nine flat colours, areas rounded, half of it outlined."""
    flat = cv2.medianBlur(_palette(_flattened(image, rng), int(rng.integers(4, 10))), int(rng.choice([5, 7, 9])))
    if rng.random() < 0.5:
        edges = cv2.morphologyEx(_grey(flat), cv2.MORPH_GRADIENT, np.ones((3, 3))) > rng.uniform(8, 40)
        flat[edges] = rng.integers(0, 60)
    return flat


def pencil_grey(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """OpenCV's pencil sketch without colour."""
    return _in_three(_opencv_pencil(image, rng)[0])


def pencil_colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """OpenCV's pencil sketch in colour."""
    return _opencv_pencil(image, rng)[1]


def _opencv_pencil(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return cv2.pencilSketch(
        image, sigma_s=rng.uniform(10, 100), sigma_r=rng.uniform(0.03, 0.2), shade_factor=rng.uniform(0.02, 0.09)
    )


def dodge_and_burn(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey over its own blurred copy: the pencil sketch of image editors."""
    grey = _grey(image)
    sketch = cv2.divide(grey, cv2.GaussianBlur(grey, (0, 0), rng.uniform(2, 14)), scale=rng.uniform(235, 256))
    return _in_three(255 * (sketch / 255.0) ** rng.uniform(1, 3))


def ink_drawing(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """XDoG (Winnemoeller et al. 2012): a difference of Gaussians, softly thresholded."""
    grey, sigma, weight = _grey(image) / np.float32(255), rng.uniform(0.5, 2), rng.uniform(5, 25)
    wide, narrow = cv2.GaussianBlur(grey, (0, 0), 1.6 * sigma), cv2.GaussianBlur(grey, (0, 0), sigma)
    sharp = (1 + weight) * narrow - weight * wide
    return _in_three(255 * np.where(sharp > rng.uniform(0.4, 0.8), 1, 1 + np.tanh(rng.uniform(2, 20) * (sharp - 0.6))))


def hatching(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The darker the place, the more sets of parallel strokes cross it, on paper."""
    height, width = image.shape[:2]
    grey = cv2.GaussianBlur(cv2.equalizeHist(_grey(image)), (0, 0), 1)
    rows, columns = np.mgrid[:height, :width]
    wave = cv2.resize(rng.normal(0, 1, (16, 16)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    paper, period, start = np.full((height, width), rng.uniform(225, 255)), rng.uniform(3, 8), rng.uniform(0, np.pi)
    for index, darkness in enumerate(np.linspace(200, 40, int(rng.integers(2, 5)))):
        angle = start + index * np.pi / 3
        phase = (rows * np.sin(angle) + columns * np.cos(angle)) / period + 0.3 * wave
        paper[(grey < darkness) & (phase % 1 < rng.uniform(0.3, 0.5))] = rng.uniform(20, 110)
    paper[_ink(image, rng) == 0] = 30
    return _in_three(cv2.GaussianBlur(paper.astype(np.float32), (0, 0), 0.6))


def line_drawing(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Black outlines on white paper, nothing else."""
    if rng.random() < 0.5:
        lines = cv2.Canny(cv2.GaussianBlur(image, (0, 0), rng.uniform(1, 2)), rng.uniform(20, 60), rng.uniform(60, 140))
        lines = 255 - cv2.dilate(lines, np.ones((2, 2)))
    else:
        lines = _ink(image, rng)
    return _in_three(cv2.GaussianBlur(lines, (0, 0), 0.5))


def charcoal(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gradients as smudged dark strokes on grained paper."""
    grey = cv2.GaussianBlur(_grey(image), (0, 0), rng.uniform(0.8, 2)).astype(np.float32)
    edges = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    shade = rng.uniform(0, 0.6) * (255 - grey)
    paper = cv2.GaussianBlur(rng.normal(0, rng.uniform(10, 50), grey.shape).astype(np.float32), (0, 0), 0.7)
    return _in_three(rng.uniform(225, 255) - rng.uniform(0.8, 2) * edges - shade * (1 + paper / 40) + paper / 4)


def oil(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each pixel the mean colour of the commonest of some levels of grey around it, as OpenCV's xphoto.oilPainting."""
    radius, levels = int(rng.integers(2, 7)), int(rng.integers(6, 26))
    step = (_grey(image).astype(np.int32) * levels) // 256
    side, best, painted = 2 * radius + 1, np.full(step.shape, -1.0, np.float32), np.zeros_like(image)
    for level in range(levels):
        here = (step == level).astype(np.float32)
        if not here.any():
            continue
        count = cv2.boxFilter(here, -1, (side, side), normalize=False)
        total = cv2.boxFilter(image * here[..., None], cv2.CV_32F, (side, side), normalize=False)
        more = count > best + 0.5
        best[more] = count[more]
        painted[more] = _to_uint8(total[more] / np.maximum(count[more], 1)[:, None])
    return painted


def kuwahara(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each pixel the mean of the calmest of four squares that touch it: the oil filter of many editors."""
    radius = int(rng.integers(2, 6))
    side, values, grey = radius + 1, image.astype(np.float32), _grey(image).astype(np.float32)
    best, painted = np.full(grey.shape, np.inf, np.float32), np.zeros_like(values)
    for anchor in ((0, 0), (0, radius), (radius, 0), (radius, radius)):
        mean = cv2.blur(grey, (side, side), anchor=anchor)
        spread = cv2.blur(grey * grey, (side, side), anchor=anchor) - mean * mean
        calmer = spread < best
        best[calmer] = spread[calmer]
        painted[calmer] = cv2.blur(values, (side, side), anchor=anchor)[calmer]
    return _to_uint8(painted)


def strokes(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Short strokes along the edges, coarse ones first (Litwinowicz 1997), over a blurred ground."""
    size = image.shape[0]
    grey = cv2.GaussianBlur(_grey(image), (0, 0), 3).astype(np.float32)
    along = np.arctan2(cv2.Sobel(grey, cv2.CV_32F, 0, 1), cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.pi / 2
    canvas, smooth = cv2.GaussianBlur(image, (0, 0), 6), cv2.GaussianBlur(image, (0, 0), 1.5)
    for length in (rng.uniform(10, 20), rng.uniform(5, 9)):
        for y, x in rng.integers(0, size, (int(1.2 * (size / length * 2) ** 2), 2)):
            step = length / 2 * np.array((np.cos(along[y, x]), np.sin(along[y, x])))
            colour = np.clip(smooth[y, x] + rng.normal(0, 8, 3), 0, 255).tolist()
            ends = [tuple(np.rint((x, y) + sign * step).astype(int).tolist()) for sign in (-1, 1)]
            cv2.line(canvas, *ends, colour, max(2, int(length / 3)), cv2.LINE_AA)
    return canvas


def watercolour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Washed areas with darker rims on grained paper."""
    flat = cv2.pyrMeanShiftFiltering(cv2.medianBlur(image, 5), rng.uniform(6, 12), rng.uniform(15, 35))
    rims = cv2.GaussianBlur(cv2.morphologyEx(_grey(flat), cv2.MORPH_GRADIENT, np.ones((3, 3))), (0, 0), 0.8)
    wet = cv2.resize(rng.normal(0, 1, (24, 24)).astype(np.float32), flat.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    paper = cv2.GaussianBlur(rng.normal(0, rng.uniform(2, 14), flat.shape[:2]).astype(np.float32), (0, 0), 0.8)
    light = 255 - (255 - flat.astype(np.float32)) * rng.uniform(0.5, 0.95)
    return _to_uint8(light + (8 * wet + paper - rng.uniform(0.2, 0.7) * rims)[..., None])


def halftone(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dots of ink, larger where it is darker: in black, or in three colours, each screen at its angle."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    period, channels = rng.uniform(4, 9), image if rng.random() < 0.5 else _in_three(_grey(image))
    colour = channels is image
    printed = np.empty(image.shape, np.float32)
    for channel, degrees in enumerate((15, 75, 45) if colour else (45, 45, 45)):
        angle = np.deg2rad(degrees)
        u, v = rows * np.sin(angle) + columns * np.cos(angle), rows * np.cos(angle) - columns * np.sin(angle)
        screen = (np.cos(2 * np.pi * u / period) + np.cos(2 * np.pi * v / period)) / 4 + 0.5
        printed[..., channel] = 255 * (channels[..., channel] / 255 > screen)
    return _to_uint8(cv2.GaussianBlur(printed, (0, 0), rng.uniform(0.4, 0.9)))


def dots(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pointillism: round touches in colours that stray from what they stand for."""
    size, radius = image.shape[0], rng.uniform(2, 4)
    canvas = np.full_like(image, int(rng.uniform(200, 250)))
    for y, x in rng.integers(0, size, (int(2.5 * (size / radius / 1.5) ** 2), 2)):
        colour = np.clip(image[y, x] + rng.normal(0, 18, 3), 0, 255).tolist()
        cv2.circle(canvas, (int(x), int(y)), round(radius), colour, -1, cv2.LINE_AA)
    return canvas


def shapes(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face of ellipses and lines in flat colours, as a child or a vector program draws it; no photograph."""
    size = image.shape[0]
    thick, scale = max(1, int(size * rng.uniform(0.004, 0.02))), size / 256
    backdrop, hair, skin, lips, iris = (rng.integers(low, high, 3).tolist() for low, high in
                                        ((120, 256), (0, 200), (150, 256), (60, 220), (20, 200)))  # fmt: skip
    skin = sorted(skin, reverse=True) if rng.random() < 0.8 else skin
    canvas, line = np.full_like(image, backdrop), rng.integers(0, 70, 3).tolist()

    def at(x: float, y: float) -> tuple[int, int]:
        return int(scale * (x + rng.normal(0, 3))), int(scale * (y + rng.normal(0, 3)))

    def oval(centre: tuple[int, int], width: float, height: float, colour: list, outlined: bool = True) -> None:
        axes = (max(1, int(scale * width)), max(1, int(scale * height)))
        cv2.ellipse(canvas, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
        if outlined:
            cv2.ellipse(canvas, centre, axes, 0, 0, 360, line, thick, cv2.LINE_AA)

    oval(at(128, 90), rng.uniform(95, 120), rng.uniform(90, 115), hair, outlined=rng.random() < 0.5)
    oval(at(128, 140), rng.uniform(75, 95), rng.uniform(95, 115), skin)
    cv2.ellipse(canvas, at(128, 60), (int(80 * scale), int(rng.uniform(20, 40) * scale)), 0, 180, 360, hair, -1)
    for x in (90, 166):
        oval(eye := at(x, 115), rng.uniform(15, 26), rng.uniform(9, 20), [255, 255, 255])
        oval(eye, 8, 8, iris, outlined=False)
        oval(eye, 4, 4, [0, 0, 0], outlined=False)
        cv2.ellipse(canvas, at(x, 95), (int(22 * scale), int(8 * scale)), 0, 190, 350, hair, 2 * thick, cv2.LINE_AA)
    cv2.line(canvas, at(128, 125), at(120, 155), line, thick, cv2.LINE_AA)
    cv2.line(canvas, at(120, 155), at(132, 157), line, thick, cv2.LINE_AA)
    cv2.ellipse(canvas, at(128, 180), (int(36 * scale), int(18 * scale)), 0, 20, 160, lips, 2 * thick, cv2.LINE_AA)
    return canvas


KINDS: dict[str, Kind] = {
    kind.__name__.replace("_", " "): kind
    for kind in (
        cartoon, mean_shift, stylized, clip_art, shapes, pencil_grey, pencil_colour, dodge_and_burn, ink_drawing,
        hatching, line_drawing, charcoal, oil, kuwahara, strokes, watercolour, halftone, dots,
    )
}  # fmt: skip
