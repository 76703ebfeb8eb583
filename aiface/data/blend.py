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
