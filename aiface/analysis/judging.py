"""One call each to judge a file, a folder or a camera, by the shipped detector unless another is given."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from aiface.analysis.pipeline import OnSample, analyze, analyze_source, analyze_video
from aiface.analysis.result import Analysis
from aiface.errors import DataError
from aiface.faces.finder import Finder, load_finder
from aiface.io.sources import is_folder
from aiface.models.detector import Detector, load_detector

_shipped_detector, _shipped_finder = cache(load_detector), cache(load_finder)


def judge(
    source: str | Path,
    *,
    detector: Detector | None = None,
    finder: Finder | None = None,
) -> Analysis:
    """Judge each person in one picture or clip, or at the address of one; printed, the result says what was found.

    detector, finder: the shipped one and YuNet, or MTCNN where that was not fetched, each loaded once. Raises
    `DataError` or `VideoError` for what can't be judged, and for a folder, `ModelError` where a part is missing.
    """
    if is_folder(source):
        raise DataError(f"{source}: expected a picture, a clip or an address, found a folder; use judge_folder")
    (analysis,) = analyze_source(source, finder or _shipped_finder(), detector or _shipped_detector())
    return analysis


def judge_folder(
    folder: str | Path,
    *,
    detector: Detector | None = None,
    finder: Finder | None = None,
) -> Iterator[Analysis]:
    """Judge all pictures and clips within a folder, one result each, in order; see `judge`.

    What can't be judged comes with its `error`; of a folder that holds nothing to judge there is one such result.
    """
    return analyze([folder], finder or _shipped_finder(), detector or _shipped_detector())


def judge_camera(
    number: int = 0,
    *,
    seconds: float | None = None,
    on_sample: OnSample | None = None,
    detector: Detector | None = None,
    finder: Finder | None = None,
) -> Analysis:
    """Judge the people before a webcam for so many seconds, or until Ctrl-C; see `judge`.

    on_sample: called with each sampled frame, the people seen in it and the session (`analyze_video`). Raises
    `VideoError` where there is no such camera.
    """
    return analyze_video(
        number, finder or _shipped_finder(), detector or _shipped_detector(), on_sample=on_sample, seconds=seconds
    )
