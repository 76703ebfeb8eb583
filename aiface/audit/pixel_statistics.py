"""What a picture's pixels give away without its face being looked at: its light, its grain and its fingerprint.

Light is measured on a copy reduced to 256 px, grain in the central window of native pixels, because resampling is
itself one of the traits looked for.
"""

from functools import lru_cache

import cv2
import numpy as np

from aiface.faces.crop import sharpness

WINDOW = 256  # px; largest side of the square of native pixels in which grain is measured
SMALLEST = 16  # px; below this grain has no meaning and is NaN
BANDS = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0, 1.5)  # edges in shares of the Nyquist frequency; past 1 lie the corners

# name -> what it is, with its unit. The order is that of a row of `statistics`.
LIGHT = {
    "brightness": "mean grey level, 0 to 255",
    "contrast": "standard deviation of grey levels",
    "red": "mean of the red channel, 0 to 255",
    "green": "mean of the green channel, 0 to 255",
    "blue": "mean of the blue channel, 0 to 255",
    "red_spread": "standard deviation of the red channel",
    "green_spread": "standard deviation of the green channel",
    "blue_spread": "standard deviation of the blue channel",
    "saturation": "mean HSV saturation, 0 to 255",
}
GRAIN = {
    "clipped": "share of channel values at 0 or 255; generators clip less (McCloskey and Albright 2018)",
    "sharpness": "standard deviation of the Laplacian, grey levels",
    "chroma_sharpness": "the same of the red-difference channel: low where colour was subsampled",
    "noise": "Immerkaer's noise sigma, grey levels",
    "blockiness": "steps at the strongest 8-px grid over steps elsewhere, 1 = no grid",
    "border": "largest step between an edge and the line 3 px inside, grey levels",
    "energy_low": "spectral energy at 1/8 to 1/4 of Nyquist, dB of the whole",
    "energy_middle": "spectral energy at 1/4 to 1/2 of Nyquist, dB of the whole",
    "energy_high": "spectral energy at 1/2 to 3/4 of Nyquist, dB of the whole",
    "energy_top": "spectral energy at 3/4 to 1 of Nyquist, dB of the whole",
    "energy_corners": "spectral energy past Nyquist, along diagonals, dB of the whole",
}
STATISTICS = LIGHT | GRAIN


def statistics(image: np.ndarray) -> np.ndarray:
    """The STATISTICS of an RGB uint8 image, float32 in their order; NaN where it is too small or flat to say."""
    return np.array([*_light(image), *_grain(image)], np.float32)


def _light(image: np.ndarray) -> list[float]:
    small = reduced(image, 256)
    mean, spread = (values.ravel().tolist() for values in cv2.meanStdDev(small))
    grey_mean, grey_spread = cv2.meanStdDev(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    saturation = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)[..., 1].mean()
    return [grey_mean.item(), grey_spread.item(), *mean, *spread, saturation]


def reduced(image: np.ndarray, side: int) -> np.ndarray:
    """The image with its longest side averaged down to `side` pixels; a smaller one comes back as it is."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def window(image: np.ndarray) -> np.ndarray:
    """The central square of native pixels: its side a multiple of 16 up to WINDOW, or what a tiny image has."""
    height, width = image.shape[:2]
    side = min(WINDOW, height, width)
    side = side // 16 * 16 or side
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def _grain(image: np.ndarray) -> list[float]:
    pixels = window(image)
    if pixels.shape[0] < SMALLEST:
        return [float("nan")] * len(GRAIN)
    luma, chroma = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb))[:2]
    grey = luma.astype(np.float32)
    chroma_sharpness = cv2.Laplacian(chroma, cv2.CV_32F).std()
    clipped = np.mean((pixels == 0) | (pixels == 255))
    return [clipped, sharpness(pixels), chroma_sharpness, noise(grey), blockiness(grey), border(image), *energy(grey)]


def noise(grey: np.ndarray) -> float:
    """Noise sigma of a float32 `(h, w)` image: Immerkaer 1996, "Fast noise variance estimation", equation 5."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    inner = cv2.filter2D(grey, cv2.CV_32F, kernel)[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) * np.abs(inner).mean() / 6)


def blockiness(grey: np.ndarray) -> float:
    """How much steps between pixels 8 apart stand out in a float32 `(h, w)` image, 1 for not at all.

    After Wang, Sheikh and Bovik 2002, "No-reference perceptual quality assessment of JPEG compressed images", but at
    whichever of the 8 offsets the grid shows most, since a crop shifts it. NaN for a flat image.
    """
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        phases = [steps[phase::8].mean() for phase in range(8)]
        ratios.append(max(phases) / middle if (middle := np.median(phases)) > 0 else float("nan"))
    return float(np.mean(ratios))


def border(image: np.ndarray) -> float:
    """The largest mean step, over an image's four edges, between the edge and the line 3 px inside: thin frames."""
    pairs = ((image[0], image[3]), (image[-1], image[-4]), (image[:, 0], image[:, 3]), (image[:, -1], image[:, -4]))
    return max(float(np.abs(edge.astype(np.float32) - inside).mean()) for edge, inside in pairs)


def energy(grey: np.ndarray) -> list[float]:
    """Share of a float32 `(s, s)` image's spectral energy, without the mean, in each band of BANDS, in dB.

    A Hann window keeps the picture's edges out of it; the floor is -90 dB. NaN for a flat image.
    """
    taper, bands = _bands(grey.shape[0])
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * taper)) ** 2
    sums = np.bincount(bands.ravel(), power.ravel(), len(BANDS) + 1)
    if not sums.sum() > 1e-6:
        return [float("nan")] * (len(BANDS) - 1)
    return (10 * np.log10(np.maximum(sums[1:-1] / sums.sum(), 1e-9))).tolist()


@lru_cache(32)
def _bands(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The Hann window of a square of `side`, and the band each coefficient of its rfft2 belongs to."""
    taper = np.hanning(side).astype(np.float32)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * 2
    return np.outer(taper, taper), np.digitize(radius, BANDS)


def perceptual_hash(image: np.ndarray) -> tuple[np.uint64, np.ndarray]:
    """A picture's likeness that survives re-encoding and resizing: 64 bits, and a grey 16x16 thumbnail, uint8 `(256,)`.

    The bits are the DCT hash of Zauner 2010, "Implementation and benchmarking of perceptual image hash functions":
    which of the 8x8 lowest DCT coefficients of a 32x32 grey copy lie above their median.
    """
    grey = cv2.cvtColor(reduced(image, 512), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)
    coefficients = cv2.dct(small.astype(np.float32))[:8, :8].ravel()
    bits = np.packbits(coefficients > np.median(coefficients[1:]))  # the first is the mean, which would tilt it
    return bits.view(np.uint64)[0], cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA).ravel()
