"""The two classes, in one place. Every score in this package is P(AI), so AI is the positive class.

>>> label_of_folder("fake") == AI
True
"""

REAL, AI = 0, 1
NAMES = ("real", "ai")
FOLDERS = {"real": REAL, "fake": AI, "ai": AI}


def label_of_folder(name: str) -> int | None:
    """The label that a folder's name stands for, or None if it stands for none."""
    return FOLDERS.get(name.lower())
