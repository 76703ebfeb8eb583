"""What a notebook leaves behind: of each input a folder with its report and its annotated copy, and an index of all."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from aiface.analysis.result import Analysis
from aiface.errors import WriteError
from aiface.io.files import folder_name, shown
from aiface.io.sources import search
from aiface.models.detector import Detector
from aiface.reports.folder import Reports, skipped, told
from aiface.reports.overlay import annotate
from aiface.reports.page import write_report
from aiface.reports.playback import Playback
from aiface.reports.report import Report


def keep(
    analyses: Sequence[Analysis],
    detector: Detector,
    reports: Reports,
    source: str | Path = "",
    recording: Path | None = None,
) -> list[dict]:
    """Write all of it into the folder of `reports`; return the rows of its index, one for each input.

    Beside what any index says, a row names its `annotated` picture or clip, from that folder; None if there is none.
    source: where the inputs lie: of a folder, what is neither picture nor clip gets a row, too. recording: where a
    camera's frames lie. Raises `WriteError` where nothing can be written.
    """
    names = [folder_name(analysis.path) for analysis in analyses]
    taken = Counter(names)
    rows = []
    for name, analysis in zip(names, analyses, strict=True):
        own = name if taken[name] == 1 else reports.path(analysis.path).stem  # two of one name in two folders
        rows.append(_keep_one(analysis, detector, reports.folder / own, recording))
    others = [skipped(*other) for other in search(source).others] if source else []
    reports.write_index([*rows, *others])
    return rows


def _keep_one(analysis: Analysis, detector: Detector, folder: Path, recording: Path | None) -> dict:
    annotated = None if analysis.error else _annotated(analysis, recording or analysis.path, folder)
    report = Report.of(analysis, detector, playback=Playback(annotated.name) if annotated else None)
    page = write_report(report, folder / "report.html")
    own = {"report": page, "json": page.with_suffix(".json"), "annotated": annotated}
    return told(report.json, page)["row"] | {
        key: path and path.relative_to(folder.parent).as_posix() for key, path in own.items()
    }


def _annotated(analysis: Analysis, source: str | Path, folder: Path) -> Path | None:
    try:
        return annotate(analysis, source, folder)
    except WriteError:
        raise
    except Exception as error:  # an address that gives its frames once, say: the report is there, and the rest goes on
        print(shown(f"{analysis.path}: no annotated copy, {type(error).__name__}: {error}"), file=sys.stderr)
        return None
