"""Training pictures made of two: self-blended images and CutMix.

"Detecting Deepfakes with Self-Blended Images" (Shiohara and Yamasaki 2022) makes a face swap from one real photo, which
teaches what every swap leaves behind, a border between two versions of a face. Two copies of a photo are made to differ
a little in colour, sharpness and place, and the inner face of one is blended into the other. Crops are levelled, so
that the inner face lies where the crop's geometry puts it; no landmarks are needed.
"""

import cv2
import numpy as np

from aiface.data.degrade import jpeg, rectangle, rescale, sharpen

INNER_FACE = (0.5, 0.61)  # x, y of its middle in shares of the crop's side, between brows and chin
HALF_AXES = (0.23, 0.27)
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)  # how much of the inner face is replaced, the paper's


def cutmix(
    image: np.ndarray, label: float, other: np.ndarray, other_label: float, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """A rectangle of another picture of the same size in this one, and the share of it that is AI (Yun et al. 2019).

    RGB uint8 `(s, s, 3)` in and out. Faces are not learnt by heart, since no two mixtures are alike; since both classes
    are set into both, the rectangle's border says nothing.
    """
    part, mixed = rectangle(image.shape, 0.1, 0.9, rng), image.copy()
    mixed[part] = other[part]
    share = mixed[part].size / mixed.size
    return mixed, (1 - share) * label + share * other_label


def self_blend(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face swap with itself: RGB uint8 `(s, s, 3)` in and out."""
    inner, outer = crop, crop
    if rng.random() < 0.5:
        inner = _differ(inner, rng)
    else:
        outer = _differ(outer, rng)
    mask = (_mask(crop.shape[0], rng) * rng.choice(RATIOS))[..., None]
    return np.rint(outer + (_moved(inner, rng) - outer.astype(np.float32)) * mask).astype(np.uint8)


def _differ(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another version: colours shifted, then softer or sharper or compressed."""
    shift = rng.uniform(-10, 10, 3) + rng.uniform(-10, 10)
    image = np.clip(image * rng.uniform(0.9, 1.1) + shift, 0, 255).astype(np.uint8)
    choice = rng.random()
    if choice < 0.4:
        return rescale(image, image.shape[1] / rng.uniform(1.5, 4))
    return sharpen(image, rng) if choice < 0.7 else jpeg(image, rng.uniform(40, 90))


def _moved(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shifted by up to 3 % and rescaled by up to 5 %, as float32."""
    side = image.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), 0, rng.uniform(0.95, 1.05))
    matrix[:, 2] += rng.uniform(-0.03, 0.03, 2) * side
    moved = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return moved.astype(np.float32)


def _mask(side: int, rng: np.random.Generator) -> np.ndarray:
    """A soft, irregular spot over the inner face, float32 `(side, side)` from 0 to 1."""
    middle = (np.array(INNER_FACE) + rng.uniform(-0.03, 0.03, 2)) * side
    axes = np.array(HALF_AXES) * rng.uniform((0.7, 0.6), (1.15, 1.1)) * side
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    radius = 1 + 0.15 * rng.standard_normal(16).clip(-2, 2)
    corners = middle + axes * radius[:, None] * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    mask = np.zeros((side, side), np.float32)
    cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1.0)
    return cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.01, 0.05) * side)


# FFHQ's alignment puts a face's outline here: chin and jaw, then brows, as x, y in shares of the crop's side
OUTLINE = np.array(
    [(0.23, 0.47), (0.24, 0.57), (0.26, 0.66), (0.30, 0.75), (0.36, 0.83), (0.43, 0.88), (0.50, 0.90), (0.57, 0.88),
     (0.64, 0.83), (0.70, 0.75), (0.74, 0.66), (0.76, 0.57), (0.77, 0.47), (0.72, 0.37), (0.62, 0.34), (0.50, 0.36),
     (0.38, 0.34), (0.28, 0.37)], np.float32,
)  # fmt: skip


def swap_twins(crop: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A face and a swap of it with itself, RGB uint8 `(s, s, 3)`, as the authors of self-blended images make both.

    Either source or target is transformed (colour, then scale or sharpness), and the real twin **is** the target, so
    that the two share their statistics outside the face and only the blending differs. In half of the swaps the inner
    face comes at 112 to 160 px, restored smooth and matched in colour, as today's swappers leave it.
    """
    source, target = crop, crop
    if rng.random() < 0.5:
        source = _transformed(source, rng)
    else:
        target = _transformed(target, rng)
    if rng.random() < 0.5:
        source = _restored(source, rng)
    mask = hull_mask(crop.shape[0], rng)[..., None] * np.float32(rng.choice(RATIOS))
    if rng.random() < 0.5:
        source = _matched(source, target, mask)
    moved = _moved(source, rng)
    return target, np.clip(np.rint(target + (moved - target) * mask), 0, 255).astype(np.uint8)


def _transformed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """RGB +-20, hue +-0.3 of 2 pi / 2... as albumentations' units +-0.3 in degrees, saturation and value +-0.3."""
    shifted = np.clip(image + rng.uniform(-20, 20, 3), 0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(shifted, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-4, 4)) % 180
    hsv[..., 1:] *= rng.uniform(0.8, 1.2, 2)
    image = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    image = np.clip((image - 128.0) * rng.uniform(0.9, 1.1) + 128 + rng.uniform(-25, 25), 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        return rescale(image, image.shape[1] / rng.choice((2, 4)))
    return sharpen(image, rng)


def _restored(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At 112 to 160 px and back, smoothed as restorers leave skin, edges crisp again."""
    small = rescale(image, image.shape[1] * rng.uniform(112, 160) / 256)
    if rng.random() < 0.5:
        small = cv2.bilateralFilter(small, 7, rng.uniform(10, 40), 3)
    return sharpen(small, rng) if rng.random() < 0.5 else small


def _matched(source: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The source with the target's mean and deviation of each channel inside the mask."""
    inside = mask[..., 0] > 0.1
    if not inside.any():
        return source
    a, b = source[inside].astype(np.float32), target[inside].astype(np.float32)
    scaled = (source - a.mean(0)) * (b.std(0) / np.maximum(a.std(0), 1)) + b.mean(0)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def hull_mask(side: int, rng: np.random.Generator) -> np.ndarray:
    """The face's hull, float32 `(side, side)` from 0 to 1: moved outline, elastic, with a border of random softness."""
    corners = (OUTLINE - 0.5) * rng.uniform(0.85, 1.08, 2) + 0.5 + rng.uniform(-0.03, 0.03, 2)
    corners = corners + rng.normal(0, 0.012, corners.shape)
    if rng.random() < 0.25:  # mouth and chin alone, as lip-sync replaces
        corners = corners[corners[:, 1] > 0.55]
    elif rng.random() < 0.25:  # up to the forehead
        corners[-5:, 1] -= rng.uniform(0.03, 0.12)
    mask: np.ndarray = np.zeros((side, side), np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(corners * side).astype(np.int32)), 1.0)
    field = [cv2.GaussianBlur(rng.uniform(-1, 1, (side, side)).astype(np.float32), (0, 0), 0.035 * side) for _ in "xy"]
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    push = 0.2 * side * rng.random()
    mask = cv2.remap(mask, columns + push * field[0], rows + push * field[1], cv2.INTER_LINEAR)
    first, second = rng.uniform(0.008, 0.04, 2) * side
    mask = cv2.GaussianBlur(mask, (0, 0), first)
    mask = np.where(mask < 0.9, 0, mask).astype(np.float32) if rng.random() < 0.5 else mask
    mask = cv2.GaussianBlur(mask, (0, 0), second)
    return mask / max(float(mask.max()), 1e-6)
