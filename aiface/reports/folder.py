"""A folder of reports on many inputs, with an index: each input stands in it once, and what is done stays done.

Each report is written as soon as its input is judged, the JSON last: whatever ends the work, even a power cut, the next
run goes on from there.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from aiface.analysis.result import Analysis, Settings, finder_name, line
from aiface.errors import ModelError, WriteError
from aiface.faces.finder import Finder
from aiface.io.files import folder_name, write_text, write_texts
from aiface.io.sources import Search, search
from aiface.io.walk import cannot_open
from aiface.labels import Answer
from aiface.models.detector import Detector
from aiface.reports.index import SKIPPED, Rows, as_html, json_lines
from aiface.reports.page import write_report
from aiface.reports.playback import playback
from aiface.reports.report import VERSION, Report
from aiface.reports.table import write_verdicts
from aiface.video.playable import ENDINGS

PAGES = ("none", "few", "all")
MANY = 1000  # inputs of a run, beyond which "few" is few: no person looks through more pages
# with what a kill leaves of a file half written
OURS = re.compile(r"\.?(index|results|verdicts|.+-[0-9a-f]{10})(-\w{8})?\.(html|json|parquet|tried|csv|mp4|webm)")


class Reports:
    """The folder of reports on what this finder and detector say.

    explain: whether to draw heat maps. play: whether clips are put beside their pages, which play them. pages: which
    inputs have one beside their JSON: "all", "none", or of more than MANY, see `expect`, "few": those called AI and
    those that say so of themselves.
    """

    def __init__(
        self, folder: str | Path, finder: Finder, detector: Detector, settings: Settings, explain: bool = False,
        play: bool = True, pages: str = "all",
    ):  # fmt: skip
        self.pages = pages
        self.folder, self._detector, self._explain, self.play = Path(folder), detector, explain, play
        self._settings = settings.row() | {"faces_by": finder_name(finder), "computed_by": detector.computed_by}

    def path(self, name: str | Path) -> Path:
        """Where the page of an input lies; no two inputs share one."""
        place = str(name) if "://" in str(name) else str(Path(name).absolute())
        told_apart = hashlib.sha256(os.fsencode(place)).hexdigest()[:10]
        return self.folder / f"{folder_name(name)}-{told_apart}.html"

    def holds(self, path: Path) -> bool:
        """Whether a file is one of those that are written here: it may lie among what is to be judged."""
        return path.parent.absolute() == self.folder.absolute() and OURS.fullmatch(path.name) is not None

    def expect(self, count: int) -> None:
        """There are so many inputs to report on: of few, "few" pages are all."""
        if self.pages == "few" and count <= MANY:
            self.pages = "all"

    def _wants(self, answer: str, says_generated: Sequence[str]) -> bool:
        """Whether an input is to have a page."""
        return self.pages == "all" or (self.pages == "few" and bool(answer == Answer.AI or says_generated))

    def add(self, analysis: Analysis) -> dict:
        """Write the report on an input; return what is `told` of it.

        `again`, too: whether it failed in a way that another try may mend. An input on which no report can be made has
        one that says so. Raises `WriteError` where nothing can be written, `ModelError` for a network without maps.
        """
        try:
            return self._add(analysis)
        except (WriteError, ModelError):
            raise
        except Exception as error:  # a file that is gone by now, say: the rest goes on
            reason = f"{analysis.path}: expected what can be reported, found {type(error).__name__}: {error}; try again"
            return self._add(Analysis(analysis.path, error=reason))

    def _add(self, analysis: Analysis) -> dict:
        path = self.path(analysis.path)
        report = Report.of(analysis, self._detector, self._explain)
        says = report.provenance.says_generated if report.provenance else ()
        if page := self._wants(analysis.verdict.answer, says):
            report = replace(report, playback=playback(analysis, path) if self.play else None)
        else:
            _remove_page(path)
        write_report(report, path, page)
        return told(report.json, path, page) | {"again": not self._is_last(report.json, analysis.path)}

    def done(self, name: str | Path) -> dict | None:
        """What is `told` of an input that was judged to its end before, by this network and with these settings.

        Else None: a file that has changed since, in size or time, is to be judged again, and so is an address that
        failed, and what has no page and is to have one.
        """
        path = self.path(name)
        try:
            found = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            page, says = path.is_file(), (found["provenance"] or {}).get("says_generated", ())
            if (page or not self._wants(found["verdict"], says)) and self._is_last(found, name):
                return told(found, path, page) | {"again": False}
        except (OSError, ValueError, KeyError, TypeError):  # not there, or another program's
            pass
        return None

    def _is_last(self, found: dict, name: str | Path) -> bool:
        """Whether what a report's JSON says of an input is the last word on it, as long as nothing changes."""
        try:
            return self._as_now(found, name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no file any more, or another program's
            return False

    def _as_now(self, found: dict, name: str | Path) -> bool:
        if (found["report_version"], found["interrupted"]) != (VERSION, False):
            return False
        moving = "best_looks" in found["settings"]  # those of a picture, which has none, are a part of ours
        if found["detector"]["sha256"] != self._detector.of(moving).card["sha256"]:
            return False
        if found["explained"] != self._explain or not self._settings.items() >= found["settings"].items():
            return False
        if found["file"] is None:
            return found["error"] is None or not ("://" in str(name) or Path(name).is_file())
        if "://" in str(name):  # what was fetched once is taken to be the same still
            return True
        now = Path(name).stat()
        return (found["file"]["bytes"], found["file"]["modified_ns"]) == (now.st_size, now.st_mtime_ns)

    def written(self, names: Iterable[str]) -> list[dict]:
        """The rows of those inputs that are `done`, from one look at the folder."""
        there = {path.stem for path in self.folder.glob("*.json")}
        return [found["row"] for name in names if self.path(name).stem in there and (found := self.done(name))]

    def write_index(self, rows: Iterable[dict]) -> Path:
        """Write `index.json`, `verdicts.csv` and `index.html`, the worst first; return the last one's path."""
        rows = rows if isinstance(rows, Rows) else Rows(rows)
        write_texts(self.folder / "index.json", json_lines(VERSION, rows.worst_first()))
        write_verdicts(self.folder / "verdicts.csv", rows.worst_first())
        path = self.folder / "index.html"
        write_text(path, as_html(rows.worst_first()))
        return path


def _remove_page(path: Path) -> None:
    """What an earlier run left, which would tell of what the file was then."""
    if path.is_file():
        for suffix in (".html", *ENDINGS):
            path.with_suffix(suffix).unlink(missing_ok=True)


def plan(
    names: Iterable[str], reports: Reports, search: Callable[[str], Search] = search
) -> tuple[list[str | Path], Rows]:
    """What is left to judge, and the rows of what is not: judged before, or in a folder but no picture and no clip.

    A file that several names stand for is there once. The reports themselves are no inputs. search: gives the inputs
    that a name stands for and what lies beside them, as `aiface.io.sources.search`.
    """
    todo: list[str | Path] = []
    rows: dict[Path, dict] = {}
    there: dict[Path, str | Path] = {}
    for name in names:
        found = search(name)
        others = [(other, why) for other, why in found.others if not reports.holds(Path(other))]
        inputs = [each for each in found.inputs if "://" in str(each) or not reports.holds(Path(each))]
        rows |= {reports.path(other): skipped(other, why) for other, why in others}
        rows |= {reports.path(folder): closed(folder, reason) for folder, reason in found.unreadable}
        inputs = inputs or [name] * (not others and not found.unreadable and not found.inputs)
        there |= {reports.path(each): each for each in inputs}
    reports.expect(len(there))
    known = Rows(row for path, row in rows.items() if path not in there)
    for each in there.values():
        if done := reports.done(each):
            known.append(done["row"])
        else:
            todo.append(each)
    return todo, known


def skipped(path: str | Path, why: str) -> dict:
    """The row of what is no input: why."""
    nobody: dict[str, Any] = {"path": str(path), "people": [], "score": None, "says_generated": None}
    return _row(nobody | {"verdict": SKIPPED, "error": why, "reasons": []}, [], None) | {"verdict": SKIPPED}


def closed(folder: Path, reason: str) -> dict:
    """The row of a folder that can't be opened: what lies in it is not judged."""
    return skipped(folder, cannot_open(folder, reason)) | {"verdict": "error"}


def told(report: Mapping, path: Path | None = None, page: bool = True) -> dict:
    """Of a report's JSON: its `row` of the index, its `line` of `analyze --json`, `people` in words, and `warnings`.

    path: where its page lies, or would if there were a `page`. `brief` of an analysis will do.
    """
    said = list(report["provenance"]["says_generated"]) if report["provenance"] else None
    found = line(report) | {"says_generated": said}
    people, warnings = report["summary"], report["warnings"]
    return {"row": _row(found, warnings, path, page), "line": found, "people": people, "warnings": warnings}


def _row(found: Mapping, warnings: Sequence[str], path: Path | None, page: bool = True) -> dict:
    return {
        "path": found["path"],
        "verdict": "error" if found["error"] else found["verdict"],
        "score": found["score"],
        "people": len(found["people"]),
        "why": found["error"] or "; ".join((*found["reasons"], *warnings)),
        "says_generated": found["says_generated"],
        "report": path.name if path and page else None,
        "json": path.with_suffix(".json").name if path else None,
        "warnings": list(warnings),
        "each_person": found["people"],
    }


def counted(rows: Rows, before: int) -> str:
    """How many inputs there were, in words, each counted once; the first ones were there `before` one was judged."""
    counts, others = rows.counts, {"error": "could not be judged", SKIPPED: "skipped"}
    known = sum(verdict not in others for verdict in islice(rows.verdicts(), before))
    now = len(rows) - known - sum(counts[kind] for kind in others)
    return ", ".join(
        (f"{now} judged now", f"{known} known before",
         *(f"{counts[kind]} {words}" for kind, words in others.items() if counts[kind]))
    )  # fmt: skip
