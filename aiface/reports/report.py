"""What was found in one input as one value, from which its page, its JSON and its row in an index are made.

`report.schema.json` describes the JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

import aiface
from aiface.analysis.result import Analysis
from aiface.errors import DataError
from aiface.io.files import sha256
from aiface.models.detector import Detector
from aiface.provenance.claims import Provenance
from aiface.provenance.inspector import provenance
from aiface.reports import faces
from aiface.reports.playback import Playback
from aiface.reports.wording import NOT_PROOF, people_lines

VERSION = 3  # of the JSON, as in its schema
Maps = Sequence[np.ndarray]  # of each person, the heat of each crop in their gallery: float32 (n, 256, 256)


@dataclass(frozen=True)
class Report:
    """All that is told of one input: the file is read, looked into and drawn once, however it is shown.

    file: `sha256`, `bytes` and `modified_ns` of what was read, None where that is no file. provenance: what it says of
    its own origin, None where nobody can tell. maps: as `heat_maps` has them, None where they are not asked for.
    playback: what lies beside the page for it to play; None for what is no clip, or a page that stands alone.
    """

    analysis: Analysis
    detector: Detector
    file: Mapping[str, str | int] | None = None
    provenance: Provenance | None = None
    maps: Maps | None = None
    playback: Playback | None = None

    @classmethod
    def of(
        cls, analysis: Analysis, detector: Detector, explain: bool = False, playback: Playback | None = None
    ) -> "Report":
        """The report on what was judged, whose file must still be there.

        explain: with heat maps, which takes Keras. Raises `ModelError` for a network of which there is no map.
        """
        detector = detector.of(analysis.moving)
        maps = heat_maps(analysis, detector) if explain else None
        return cls(analysis, detector, _file(analysis.file), _provenance(analysis.file), maps, playback)

    @property
    def plays(self) -> str | None:
        """The name of the file beside the page that it plays."""
        return self.playback.name if self.playback and self.analysis.moving else None

    @cached_property
    def json(self) -> dict:
        """The row of `analyze --json` with every scored look, its origin, and what is needed to repeat it."""
        analysis, detector = self.analysis, self.detector
        calibration = asdict(detector.calibration.of(analysis.moving))
        del calibration["stills"]  # those of clips have none
        row = analysis.row()
        for index, (entry, person) in enumerate(zip(row["people"], analysis.people, strict=True)):
            entry["each_look"] = [
                {"time": look.time, "score": look.score, "box": list(look.box)} for look in person.each_look
            ]
            entry["heat_inside_face"] = share_inside(self.maps[index]) if self.maps else None
        return row | {
            "report_version": VERSION,
            "summary": people_lines(analysis),
            "not_proof": NOT_PROOF,
            "warnings": analysis.warnings,
            "interrupted": analysis.interrupted,
            "explained": self.maps is not None,
            "performance": analysis.performance,
            "provenance": asdict(self.provenance) if self.provenance else None,
            "file": self.file,
            "plays": self.plays,
            "settings": analysis.settings | {"computed_by": detector.computed_by},
            "detector": {"name": detector.name, "sha256": detector.card["sha256"]} | calibration,
            "aiface": aiface.__version__,
        }

    @cached_property
    def timeline(self) -> str:
        """The scores over time, as a `data:` URL."""
        from aiface.drawing import data_url
        from aiface.reports import figures  # brings matplotlib, which no still needs

        return data_url(figures.timeline(self.analysis, self.detector.calibration))

    @cached_property
    def picture(self) -> str:
        """The picture that was judged, with a box and the answer at each face, as HTML: see `faces.marked`."""
        return faces.marked(self.analysis)


def brief(analysis: Analysis) -> dict:
    """Of a report's JSON what is told in few words, where no report is written."""
    said = _provenance(analysis.file)
    found = {"summary": people_lines(analysis), "warnings": analysis.warnings}
    return analysis.row() | found | {"provenance": asdict(said) if said else None}


def heat_maps(analysis: Analysis, detector: Detector) -> list[np.ndarray]:
    """Where the crops in each person's gallery speak for AI, see `aiface.models.grad_cam.heat_map`."""
    from aiface.models.grad_cam import heat_map  # brings matplotlib

    crops = [np.array([look.crop for look in person.gallery]).reshape(-1, 256, 256, 3) for person in analysis.people]
    return [heat_map(detector.network, each) for each in crops]


def share_inside(heats: np.ndarray) -> float | None:
    """The mean share of a person's heat within the face, or None where there is no heat."""
    from aiface.models.grad_cam import share_inside_face

    shares = [share for heat in heats if (share := share_inside_face(heat)) is not None]
    return float(np.mean(shares)) if shares else None


def _file(path: Path) -> dict[str, str | int] | None:
    try:
        if not path.is_file():
            return None
        return {"sha256": sha256(path), "bytes": path.stat().st_size, "modified_ns": path.stat().st_mtime_ns}
    except (OSError, ValueError):  # one that may not be read, or a name that no file can have
        return None


def _provenance(path: Path) -> Provenance | None:
    try:
        return provenance(path) if path.is_file() else None
    except (DataError, OSError, ValueError):  # no file at all, but an address or an odd name
        return None
