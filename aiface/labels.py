"""The two classes and the three answers, in one place. Every score here is P(AI), so AI is the positive class.

A class is a number, what a face is; an answer is a word, what is said of it.

>>> label_of_folder("fake") == AI
True
>>> max(Answer.REAL, Answer.INCONCLUSIVE, key=Answer.suspicion)
<Answer.INCONCLUSIVE: 'inconclusive'>
"""

import re
from enum import StrEnum

import numpy as np

REAL, AI = 0, 1
NAMES = ("real", "ai")
# as the sets of this field call them: 140k, CNNDetection, GenImage, FaceForensics++, Celeb-DF, and people theirs
FOLDERS = {
    "real": REAL, "0_real": REAL, "nature": REAL, "original": REAL, "original_sequences": REAL, "celeb-real": REAL,
    "youtube-real": REAL, "real_images": REAL,
    "fake": AI, "ai": AI, "1_fake": AI, "manipulated": AI, "manipulated_sequences": AI, "celeb-synthesis": AI,
    "fake_images": AI, "ai_images": AI, "generated": AI, "synthetic": AI,
}  # fmt: skip
_OF_SPLIT = re.compile(r"^(train|training|val|valid|validation|test|testing)[_-]")  # of `training_real`


class Answer(StrEnum):
    """What is said of a face, a person or an input, the least suspicious first."""

    REAL = "real"
    INCONCLUSIVE = "inconclusive"
    AI = "ai"

    def suspicion(self) -> int:
        """Its place in that order."""
        return list(Answer).index(self)


def label_of_folder(name: str) -> int | None:
    """The label that a folder's name stands for, or None if it stands for none."""
    return FOLDERS.get(_OF_SPLIT.sub("", name.lower()))


def right_answers(labels: np.ndarray) -> np.ndarray:
    """The answers that are right for faces of the classes `labels`, of any shape, to compare answers with.

    >>> right_answers(np.array([REAL, AI])).tolist()
    ['real', 'ai']
    """
    return np.where(np.asarray(labels) == AI, Answer.AI, Answer.REAL)
