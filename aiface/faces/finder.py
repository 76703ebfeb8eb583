"""Find the faces in an image, with five landmarks each.

YuNet when its file is in `weights/`, through OpenVINO or else OpenCV; else MTCNN, whose weights ship inside the `mtcnn`
package: about fifteen times slower, but there before anything was fetched.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from textwrap import shorten
from threading import Lock
from typing import Protocol

import cv2
import numpy as np

from aiface.errors import ModelError
from aiface.io.greetings import greetings_hidden
from aiface.paths import WEIGHTS

YUNET_FILE = "face_detection_yunet_2023mar.onnx"
SEARCH_SIDE = 640  # pixels: YuNet finds faces of about 10 to 300 px, so larger frames are scaled down first
CLOSE_UP_SIDE = 320  # a second look at this size finds the faces that fill the frame
MIN_CONFIDENCE = 0.7
DOUBTFUL = 0.5  # what a glance takes for somebody who may have come
WITHOUT_YUNET = (
    "MTCNN finds the faces: 15 times slower, and its crops, so scores too, are a little other than those that the "
    "figures were measured with"
)
HOW_TO_GET_YUNET = f"./fetch.sh faces, or where there is no network ./fetch.sh --from FOLDER faces with {YUNET_FILE}"


@dataclass(frozen=True)
class Face:
    """A face found in an image.

    box: x, y, width, height in pixels; may reach past the image's border.
    landmarks: `(5, 2)` float32 x, y in pixels: right eye, left eye, nose, right and left mouth corner, where
        right is the subject's right (left in the image), as YuNet orders them.
    score: the finder's confidence, 0 to 1.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    score: float

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return self.box[2] * self.box[3]

    def moved(self, scale: float, dx: float, dy: float) -> "Face":
        """The same face after scaling all coordinates by `scale`, then shifting by `(dx, dy)` pixels."""
        x, y, width, height = (value * scale for value in self.box)
        landmarks = (self.landmarks * scale + (dx, dy)).astype(np.float32)
        return Face((x + dx, y + dy, width, height), landmarks, self.score)


def _box(values: Iterable[float]) -> tuple[float, float, float, float]:
    x, y, width, height = map(float, values)
    return x, y, width, height


Rows = Callable[[np.ndarray, float], np.ndarray]  # RGB image and least confidence to faces (n, 15) as OpenCV has them


class YuNet:
    """YuNet through OpenVINO, or where that can't be had OpenCV: one object per thread, since it holds its input.

    Raises `ModelError` for what is no YuNet. `say` gets the line that tells of OpenVINO's want, by default standard
    error, once.
    """

    name = "YuNet"

    def __init__(self, path: str | Path, say: Callable[[str], None] | None = None):
        if not Path(path).is_file():
            raise ModelError(f"{path}: expected the YuNet file, found none; run ./fetch.sh faces")
        self._net = _network(path, say or _say_once)

    def detect(self, image: np.ndarray, confidence: float = MIN_CONFIDENCE) -> list[Face]:
        """Faces of at least this confidence in an RGB uint8 image `(height, width, 3)` as it is, unscaled."""
        return [
            Face(_box(row[:4]), row[4:14].reshape(5, 2).astype(np.float32), float(row[14]))
            for row in self._net(image, confidence)
        ]


def _network(path: str | Path, say: Callable[[str], None]) -> Rows:
    try:
        from aiface.faces.yunet import OpenVinoYuNet  # here: it takes OpenVINO

        return OpenVinoYuNet(path)
    except Exception as error:  # whatever keeps it from working here, there is OpenCV
        net = OpenCvYuNet(path)
        say(f"aiface: OpenVINO can't be used ({shorten(str(error), 200)}); YuNet runs through OpenCV, slower")
        return net


class OpenCvYuNet:
    """YuNet's network through OpenCV, as `aiface.faces.yunet.OpenVinoYuNet` otherwise."""

    def __init__(self, path: str | Path):
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns of a default of its own
        try:
            self._net = cv2.FaceDetectorYN.create(str(path), "", (0, 0), MIN_CONFIDENCE, 0.3, 500)
        except cv2.error as error:
            raise ModelError(
                f"{path}: expected the YuNet network, found a file that OpenCV can't load ({error.err}); "
                "delete it and run ./fetch.sh faces"
            ) from None
        finally:
            cv2.utils.logging.setLogLevel(level)

    def __call__(self, image: np.ndarray, confidence: float) -> np.ndarray:
        """Faces `(n, 15)` in an RGB uint8 image: x, y, width, height, five landmarks x, y, the confidence."""
        self._net.setInputSize((image.shape[1], image.shape[0]))
        self._net.setScoreThreshold(confidence)
        rows = self._net.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
        return np.empty((0, 15), np.float32) if rows is None else rows


class Mtcnn:
    """MTCNN from the `mtcnn` package, which needs TensorFlow."""

    name = "MTCNN"
    _MIN_CONFIDENCE = 0.95  # its scores lie higher: at 0.7 it sees faces in lamps and patterns
    _PARTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")  # its left is the image's left

    def __init__(self) -> None:
        try:
            with greetings_hidden():  # TensorFlow's
                from mtcnn import MTCNN

                self._net = MTCNN()
        except ImportError as error:
            raise ModelError(
                f"expected {YUNET_FILE} in weights/ or the mtcnn package, found neither ({error}); run ./fetch.sh faces"
            ) from None

    def detect(self, image: np.ndarray) -> list[Face]:
        """Faces in an RGB uint8 image `(height, width, 3)` as it is, unscaled."""
        try:
            found = self._net.detect_faces(image) or []
        except ValueError:  # mtcnn 1.0 raises on some images that hold no candidate at all
            return []
        return [
            Face(
                _box(face["box"]),
                np.array([face["keypoints"][part] for part in self._PARTS], np.float32),
                float(face["confidence"]),
            )
            for face in found
            if face["confidence"] >= self._MIN_CONFIDENCE
        ]


class Finder(Protocol):
    """What finds the faces in an RGB uint8 image `(height, width, 3)`, largest first."""

    name: str

    def __call__(self, image: np.ndarray) -> list[Face]:
        """Its faces; an empty list if there is none."""


class FaceFinder:
    """Finds faces of any size: `finder(image)` scales for the search only and answers in the image's pixels.

    Threads may share one; it searches one image at a time.
    """

    def __init__(self, detector: YuNet | Mtcnn):
        self._detector = detector
        self._lock = Lock()
        self.name = detector.name

    def __call__(self, image: np.ndarray) -> list[Face]:
        """Faces in an RGB uint8 image `(height, width, 3)`, largest first; an empty list if there is none.

        Looks at the image as it is, then smaller (a face that fills a large frame), then within a mirrored
        border of a quarter of its size (a face cut off by the image's edge, or a tight face tile).
        """
        for side, border in ((SEARCH_SIDE, 0.0), (CLOSE_UP_SIDE, 0.0), (CLOSE_UP_SIDE, 0.25)):
            if faces := self.look(image, side, border):
                return sorted(faces, key=lambda face: face.area, reverse=True)
        return []

    def look(self, image: np.ndarray, side: int, border: float = 0.0) -> list[Face]:
        """Faces in an image, shrunk to `side` pixels if it is larger, within a mirrored border of that share."""
        with self._lock:
            return _in_image(image, side, border, self._detector.detect)

    def glance(self, image: np.ndarray) -> list[Face] | None:
        """Faces in a small copy of an image, those in doubt too; None from MTCNN, which is sure at other confidences.

        Boxes are right to a tenth or so of their sides, and landmarks too rough for a crop.
        """
        if not isinstance(self._detector, YuNet):
            return None
        with self._lock:
            return _in_image(image, CLOSE_UP_SIDE, 0.0, partial(self._detector.detect, confidence=DOUBTFUL))


def shrunk(image: np.ndarray, side: int = SEARCH_SIDE) -> tuple[np.ndarray, float]:
    """An image `(height, width, 3)` with no side over so many pixels, and how much smaller that is: 1 for itself."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1.0:
        return image, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale


def _in_image(image: np.ndarray, side: int, border: float, detect: Callable[[np.ndarray], list[Face]]) -> list[Face]:
    height, width = image.shape[:2]
    image, scale = shrunk(image, side)
    edge = round(max(image.shape[:2]) * border)
    if edge:
        image = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REFLECT_101)
    faces = (face.moved(1 / scale, -edge / scale, -edge / scale) for face in detect(image))
    return [face for face in faces if _centre_within(face, width, height)]


def _centre_within(face: Face, width: int, height: int) -> bool:
    """Whether a face lies in the image itself rather than in its mirrored border."""
    x, y, box_width, box_height = face.box
    return 0 <= x + box_width / 2 < width and 0 <= y + box_height / 2 < height


def load_finder(weights: str | Path = WEIGHTS, say: Callable[[str], None] | None = None) -> FaceFinder:
    """YuNet from the folder `weights`, the repo's own, if its file is there; else MTCNN, with one line about it.

    The line goes to `say`, by default to standard error, once. Raises `ModelError` if neither can be had.
    """
    path = Path(weights) / YUNET_FILE
    if path.is_file():
        return FaceFinder(YuNet(path, say))
    (say or _say_once)(f"aiface: {path} is not there. {WITHOUT_YUNET}. To mend it: {HOW_TO_GET_YUNET}")
    return FaceFinder(Mtcnn())


@cache
def _say_once(line: str) -> None:
    print(line, file=sys.stderr)
