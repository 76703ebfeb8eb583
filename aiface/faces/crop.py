"""THE crop: the only code that turns a face into a network's input, in training, evaluation and video alike.

The geometry is FFHQ's (Karras et al. 2019, `recreate_aligned_images` in NVlabs/ffhq-dataset): a square around
eyes and mouth, turned so that the face stands level. A detector trained on one crop and run on another fails
without a sound; this module is why that can't happen here.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from aiface.faces.finder import Face

CROP_SIZE = 256  # pixels; the side of a picture in the 140k set, which so passes through untouched
CROP_VERSION = "ffhq-quad-256-1"
EYES = slice(104, 150), (slice(70, 128), slice(128, 186))  # of a crop: rows from brows to nose, columns to each temple
BELOW = slice(150, 205), slice(80, 176)  # nose, cheeks and mouth
MIDDLE = slice(96, 200), slice(72, 184)  # from the eyes to the chin
BAND = np.ones((12, 96), np.uint8)  # a piece of that; without grain in one of 17,284 pictures of faces, all dark
FLAT = 2  # grey levels: what a pixel's neighbours differ by at most where there is no grain
NOISY = 28  # times the detail of nose and mouth; of 4,321 faces one has over 5 times as much
DETAIL = 0.1  # grey levels: what is so smooth everywhere tells nothing
_AROUND = np.ones((3, 3), np.uint8)
ALIGNED_TOLERANCE = 0.15  # of the side; takes 97 % of the 140k set, see Quad.covers


@dataclass(frozen=True)
class Quad:
    """A levelled square: `centre` x, y and `x_axis`, half a side along the face's horizontal, in pixels."""

    centre: tuple[float, float]
    x_axis: tuple[float, float]

    @property
    def side(self) -> float:
        """Length of a side in pixels of the image."""
        return 2 * float(np.hypot(*self.x_axis))

    @property
    def corners(self) -> np.ndarray:
        """`(4, 2)` float64 x, y: top left, top right, bottom right, bottom left."""
        x = np.array(self.x_axis)
        y = np.array((-x[1], x[0]))
        return np.array(self.centre) + np.array((-x - y, x - y, x + y, y - x))

    def covers(self, shape: tuple[int, ...]) -> bool:
        """Whether the quad is, but for landmark noise, the whole of a square image of `shape`.

        FFHQ's own landmarks came from another finder (dlib), so YuNet's quad of an aligned picture misses its
        corners by a few per cent.
        """
        height, width = shape[:2]
        if height != width:
            return False
        corners = np.array(((0, 0), (width, 0), (width, height), (0, height)))
        return bool(np.abs(self.corners - corners).max() <= ALIGNED_TOLERANCE * width)


def face_quad(landmarks: np.ndarray) -> Quad:
    """The FFHQ quad of `(5, 2)` landmarks in the order of `Face`.

    Half a side is max(2.0 x eye to eye, 1.8 x eyes to mouth); the centre lies 0.1 x eyes to mouth below the eyes.
    """
    right_eye, left_eye, _, right_mouth, left_mouth = np.asarray(landmarks, np.float64)
    eyes, mouth = (right_eye + left_eye) / 2, (right_mouth + left_mouth) / 2
    eye_to_eye, eye_to_mouth = left_eye - right_eye, mouth - eyes
    direction = eye_to_eye + np.array((eye_to_mouth[1], -eye_to_mouth[0]))
    direction /= max(float(np.hypot(*direction)), 1e-6)
    half = max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8, 1.0)
    return Quad(tuple(eyes + 0.1 * eye_to_mouth), tuple(direction * half))


def crop_face(image: np.ndarray, face: Face, size: int = CROP_SIZE) -> np.ndarray:
    """Cut a face out of an RGB uint8 image as an RGB uint8 square `(size, size, 3)`.

    Past the image's border the picture is mirrored. An image that is already an aligned face is taken whole.
    """
    quad = face_quad(face.landmarks)
    return fit_square(image, size) if quad.covers(image.shape) else warp_quad(image, quad, size)


def fit_square(image: np.ndarray, size: int = CROP_SIZE) -> np.ndarray:
    """Resample a whole square image to `size`; at that size already, it comes back as it is."""
    if image.shape[:2] == (size, size):
        return image
    shrinks = image.shape[0] > size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def warp_quad(image: np.ndarray, quad: Quad, size: int = CROP_SIZE) -> np.ndarray:
    """Resample a quad once to `(size, size, 3)`, bicubic, low-passed first where it shrinks."""
    image, offset = _region(image, quad)
    shrink = quad.side / size
    if shrink > 1:  # a Gaussian that leaves little above the new Nyquist frequency: warpAffine has no area mode
        image = cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(shrink**2 - 1))
    x = np.array(quad.x_axis) * 2 / size
    y = np.array((-x[1], x[0]))
    first = np.array(quad.corners[0]) - offset - 0.5 + (x + y) / 2  # pixel centres lie at .5
    matrix = np.column_stack((x, y, first))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def _region(image: np.ndarray, quad: Quad, margin: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """The part of the image that a quad touches, mirrored where the quad leaves it, and that part's origin.

    Only that part is blurred, so that a small face in a large frame costs what a small face should.
    """
    height, width = image.shape[:2]
    low = np.floor(quad.corners.min(axis=0)).astype(int) - margin
    high = np.ceil(quad.corners.max(axis=0)).astype(int) + margin
    if low.min() >= 0 and high[0] <= width and high[1] <= height:  # as most do: no need to pick pixels one by one
        return image[low[1] : high[1], low[0] : high[0]], low
    start, end = np.maximum(low, 0), np.minimum(high, (width, height))
    (left, top), (right, bottom) = before, after = start - low, high - end
    if (np.maximum(before, after) < end - start).all():  # what is mirrored is there, as mostly: a hundred times faster
        part = image[start[1] : end[1], start[0] : end[0]]
        return cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REFLECT_101), low
    columns = _mirrored(np.arange(low[0], high[0]), width)
    rows = _mirrored(np.arange(low[1], high[1]), height)
    return image[np.ix_(rows, columns)], low


def _mirrored(index: np.ndarray, length: int) -> np.ndarray:
    """Indices folded back into 0..length-1 as in cv2.BORDER_REFLECT_101, any number of times."""
    if length == 1:
        return np.zeros_like(index)
    index = np.abs(index) % (2 * (length - 1))
    return np.where(index < length, index, 2 * (length - 1) - index)


def sharpness(crop: np.ndarray) -> float:
    """Standard deviation of the Laplacian of an RGB uint8 crop's grey values: 0 for a flat or fully blurred one.

    Pertuz et al. 2013, "Analysis of focus measure operators for shape-from-focus", measure LAPV.
    """
    return float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std())


def covered(crop: np.ndarray) -> float:
    """How far the eyes of an RGB uint8 crop are hidden: 0 or less for open ones, to 1.

    By a bar or a mosaic of a dozen pixels or more: the share of pixels without any grain, more than nose and mouth
    have. Or by blur: half of the detail that they lack against nose and mouth, where open eyes have more. Or by noise:
    a 28th of how many times as much detail they have. Of both eyes, that which is hidden less. A bar across the middle
    is 1: where it hides the eyes, a finder may have taken other things for them.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    flat = cv2.dilate(grey, _AROUND) - cv2.erode(grey, _AROUND) <= FLAT
    detail = np.abs(cv2.Laplacian(grey, cv2.CV_32F)) + DETAIL
    if cv2.erode(flat[MIDDLE].astype(np.uint8), BAND, borderType=cv2.BORDER_CONSTANT, borderValue=0).any():
        return 1.0
    rows, sides = EYES
    bare = min(flat[rows, side].mean() for side in sides) - flat[BELOW].mean()
    detailed = [detail[rows, side].mean() / detail[BELOW].mean() for side in sides]
    return float(max(bare, (1 - max(detailed)) / 2, min(detailed) / NOISY))
