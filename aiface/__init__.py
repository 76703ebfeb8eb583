"""aiface: tells AI-generated faces from real ones, in pictures, clips and webcams.

What most people need is here, each name loaded when it is first used:

    print(aiface.judge("clip.mp4"))
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what editors and type checkers see; `_HOMES` says the same, and a test holds the two together
    from aiface.analysis.judging import judge, judge_camera, judge_folder
    from aiface.data.crop_sets import CropSet, prepare_folders
    from aiface.errors import AifaceError, DataError, ModelError, VideoError
    from aiface.evaluation.protocol import evaluate
    from aiface.faces.finder import load_finder
    from aiface.labels import Answer
    from aiface.models.detector import load_detector
    from aiface.training.config import TrainConfig
    from aiface.training.recalibrate import recalibrate
    from aiface.training.trainer import train

__version__ = "0.2.0"
_HOMES = {
    "judge": "analysis.judging",
    "judge_folder": "analysis.judging",
    "judge_camera": "analysis.judging",
    "load_detector": "models.detector",
    "load_finder": "faces.finder",
    "prepare_folders": "data.crop_sets",
    "CropSet": "data.crop_sets",
    "TrainConfig": "training.config",
    "train": "training.trainer",
    "evaluate": "evaluation.protocol",
    "recalibrate": "training.recalibrate",
    "Answer": "labels",
    "AifaceError": "errors",
    "DataError": "errors",
    "ModelError": "errors",
    "VideoError": "errors",
}
__all__ = [
    "AifaceError", "Answer", "CropSet", "DataError", "ModelError", "TrainConfig", "VideoError", "evaluate", "judge",
    "judge_camera", "judge_folder", "load_detector", "load_finder", "prepare_folders", "recalibrate", "train",
]  # fmt: skip

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow greets on stderr with what it did not find


def __getattr__(name: str) -> object:
    """A name of the front door, from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
