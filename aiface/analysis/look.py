"""A look: one sight of one face, and whether it can be judged at all."""

from dataclasses import dataclass, field

import numpy as np

from aiface.faces.crop import Quad, covered, face_quad, sharpness
from aiface.faces.finder import Face

MIN_SIDE = 64  # pixels of the source under the crop: training never saw less
MIN_SHARPNESS = 1.5  # of `aiface.faces.crop.sharpness`: half the faces fall below it at the heaviest blur of training
MAX_COVERED = 0.25  # of `aiface.faces.crop.covered`: 15 of 17,284 pictures of faces lie above

TOO_SMALL = f"face too small (under {MIN_SIDE} pixels across the crop)"
TOO_BLURRED = "face too blurred"
COVERED = "face covered: a bar, a mosaic or blur hides the eyes"

Box = tuple[float, float, float, float]  # x, y, width, height in pixels of the frame


@dataclass(slots=True)
class Look:
    """One look at one person's face, where and how good it is.

    time: seconds from the start. score: P(AI), None until somebody asks for it. side: pixels of the source along the
    crop's side. sharpness: of the crop, see `aiface.faces.crop.sharpness`. frontality: as the function has it. crop:
    RGB uint8 `(256, 256, 3)`, None where it is kept no longer. quad: where in the frame that was taken from.
    sides: logits of the crop and, in stills, of its mirror image, `(1,)` or `(2,)`, once they were scored.
    """

    time: float
    box: Box
    score: float | None
    side: float
    sharpness: float
    frontality: float = 1.0
    crop: np.ndarray | None = field(default=None, compare=False, repr=False)
    quad: Quad | None = field(default=None, compare=False, repr=False)
    covered: float = 0.0
    sides: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def legible(self) -> bool:
        """Whether it is large and sharp enough to tell a photograph from a drawing."""
        return self.side >= MIN_SIDE and self.sharpness >= MIN_SHARPNESS

    @property
    def flaw(self) -> str | None:
        """Why this face can't be judged, or None if it can."""
        if self.side < MIN_SIDE:
            return TOO_SMALL
        if self.sharpness < MIN_SHARPNESS:
            return TOO_BLURRED
        return COVERED if self.covered > MAX_COVERED else None


def look_at(face: Face, crop: np.ndarray, at: float) -> Look:
    """What is remembered of a face seen `at` seconds, not scored yet."""
    quad, front = face_quad(face.landmarks), frontality(face.landmarks)
    return Look(at, face.box, None, quad.side, sharpness(crop), front, crop, quad, covered(crop))


def glimpse(face: Face, like: Look, at: float) -> Look:
    """What is known without a crop of a face seen `at` seconds, whose picture is taken to be `like` another of its."""
    quad, front = face_quad(face.landmarks), frontality(face.landmarks)
    return Look(at, face.box, None, quad.side, like.sharpness, front, None, quad, like.covered)


def frontality(landmarks: np.ndarray) -> float:
    """How far a face looks at the camera, up to 1, of `(5, 2)` landmarks in the order of `Face`.

    It is 1 where the nose lies midway between the eyes, measured along the line from one to the other, 1/2 where it
    lies level with one of them, and less beyond. Turning the head aside moves it; nodding and tilting don't.
    """
    right_eye, left_eye, nose = np.asarray(landmarks, np.float64)[:3]
    eye_to_eye = left_eye - right_eye
    along = (nose - right_eye) @ eye_to_eye / max(eye_to_eye @ eye_to_eye, 1e-6)
    return float(1 / (1 + abs(2 * along - 1)))
