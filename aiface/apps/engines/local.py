"""Judge many inputs in this process, with one finder and one detector."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from aiface.analysis.pipeline import analyze
from aiface.analysis.result import Settings
from aiface.faces.finder import Finder
from aiface.models.detector import Detector
from aiface.reports.folder import Reports


def judge(
    finder: Finder, detector: Detector, settings: Settings, names: Iterable[str | Path], reports: Reports
) -> Iterator[dict]:
    """Judge inputs one after the other, write their reports, and give what `Reports.add` tells of each.

    Raises `KeyboardInterrupt` after an input that was stopped by hand, which has its report too.
    """
    for analysis in analyze(names, finder, detector, settings):
        yield reports.add(analysis)
        if analysis.interrupted:
            raise KeyboardInterrupt
