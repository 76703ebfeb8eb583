"""What was found, as one HTML page that needs no other file, and as JSON, which `report.schema.json` describes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import reduce
from html import escape
from pathlib import Path

import numpy as np

import aiface
from aiface import plots
from aiface.detector import Detector
from aiface.drawing import HEX, data_url, html_page, jpeg_url
from aiface.errors import DataError
from aiface.explain import INNER_SHARE, heat_map, onto_frame, share_inside_face
from aiface.files import read_image, sha256, write_text
from aiface.inspection import provenance
from aiface.overlay import draw, people_at
from aiface.pipeline import Analysis
from aiface.provenance import ABSENCE, Provenance
from aiface.words import (
    LIMITS,
    MEANING,
    NOT_PROOF,
    PLAIN,
    WORDS,
    capital,
    people_lines,
    performance_line,
    sureness,
)

VERSION = 2  # of the JSON, as in its schema
WIDTH = 960  # pixels: as wide as a picture is shown
HARDLY = 0.1  # of 1: heat below is too faint to be seen, and where it lies means nothing
Maps = Sequence[np.ndarray]  # of each person, the heat of each crop in their gallery: float32 (n, 256, 256)
_STYLE = """body { overflow-wrap: anywhere }
figure { margin: 0; overflow-x: auto } img { max-width: 100%; height: auto } footer { color: #555 }
@media (max-width: 45rem) { .wide img { max-width: 45rem } }
.verdict { color: white; padding: .8rem 1rem; border-radius: 8px; font-size: 1.5rem; font-weight: 600 }
"""
_BODY = """<h1>{title}</h1>
<p class="verdict">{words}</p>
{parts}
<footer><h2>How this was made</h2><p>{made}</p></footer>
"""


def write_report(analysis: Analysis, detector: Detector, out: str | Path, explain: bool = False) -> Path:
    """Write `out` (HTML) and the same figures beside it as `.json`; return the page's path.

    explain: with heat maps, which takes Keras. The JSON comes last: where it is, the page is whole. Bytes in a file's
    name that are no text are escaped in JSON and question marks on the page. Raises `ModelError` for a network of which
    there is no map.
    """
    out, provenance = Path(out), _provenance(analysis)
    maps = heat_maps(analysis, detector) if explain else None
    write_text(out, as_html(analysis, detector, provenance, maps).encode("utf-8", "replace").decode())
    write_text(out.with_suffix(".json"), json.dumps(as_json(analysis, detector, provenance, maps), indent=2) + "\n")
    return out


def heat_maps(analysis: Analysis, detector: Detector) -> list[np.ndarray]:
    """Where the crops in each person's gallery speak for AI, see `aiface.explain.heat_map`."""
    crops = [np.array([look.crop for look in person.gallery]).reshape(-1, 256, 256, 3) for person in analysis.people]
    return [heat_map(detector.network, each) for each in crops]


def _provenance(analysis: Analysis) -> Provenance | None:
    try:
        return provenance(analysis.file) if analysis.file.is_file() else None
    except (DataError, OSError, ValueError):  # no file at all, but an address or an odd name
        return None


def as_json(
    analysis: Analysis, detector: Detector, provenance: Provenance | None = None, maps: Maps | None = None
) -> dict:
    """The row of `analyze --json` with every scored look, its origin, and what is needed to repeat it."""
    row = analysis.row()
    for index, (entry, person) in enumerate(zip(row["people"], analysis.people, strict=True)):
        entry["sightings"] = [{"time": s.time, "score": s.score, "box": list(s.box)} for s in person.sightings]
        entry["heat_inside_face"] = _inside(maps[index]) if maps else None
    return row | {
        "report_version": VERSION,
        "summary": people_lines(analysis),
        "not_proof": NOT_PROOF,
        "warnings": analysis.warnings,
        "interrupted": analysis.interrupted,
        "explained": maps is not None,
        "performance": analysis.performance,
        "provenance": asdict(provenance) if provenance else None,
        "file": _file(analysis),
        "settings": analysis.settings | {"computed_by": detector.computed_by},
        "detector": {"name": detector.name, "sha256": detector.card["sha256"]} | asdict(detector.calibration),
        "aiface": aiface.__version__,
    }


def _file(analysis: Analysis) -> dict | None:
    path = analysis.file
    try:
        if not path.is_file():
            return None
        return {"sha256": sha256(path), "bytes": path.stat().st_size, "modified_ns": path.stat().st_mtime_ns}
    except (OSError, ValueError):  # one that may not be read, or a name that no file can have
        return None


def _inside(heats: np.ndarray) -> float | None:
    """The mean share of a person's heat within the face, or None where there is no heat."""
    shares = [share for heat in heats if (share := share_inside_face(heat)) is not None]
    return float(np.mean(shares)) if shares else None


def as_html(
    analysis: Analysis, detector: Detector, provenance: Provenance | None = None, maps: Maps | None = None
) -> str:
    """The page. Whatever comes from outside, a file's name first of all, is escaped."""
    verdict = analysis.verdict
    parts = (
        f"<p>{MEANING[verdict.verdict]}</p>" if analysis.error is None else "",
        reasons(verdict.reasons),
        f"<p><strong>{NOT_PROOF}</strong></p>",
        *(f"<p><strong>Note:</strong> {escape(warning)}</p>" for warning in analysis.warnings),
        _section("How sure is this?", escape(sureness(verdict, detector.calibration))),
        _section("Why", escape(analysis.error or "")),
        _section("People", "</p><p>".join(map(escape, people_lines(analysis)))) if analysis.error is None else "",
        *_pictures(analysis, detector, maps),
        "<h2>What the file says of its own origin</h2>" + origin(provenance) if provenance else "",
        _section("Performance", escape(performance_line(analysis))),
        _section("What the detector learnt from", escape(str(detector.card["training"].get("summary", "")))),
        _section("Where it fails", LIMITS),
    )
    title = escape(Path(analysis.path).name or analysis.path)
    body = _BODY.format(
        title=title,
        words=capital(WORDS[verdict.verdict]) if analysis.error is None else "This could not be judged",
        parts="\n".join(parts),
        made=_made(analysis, detector),
    )
    return html_page(title, body, _STYLE + f".verdict {{ background: {HEX[verdict.verdict]} }}")


def _section(title: str, text: str) -> str:
    return f"<h2>{title}</h2><p>{text}</p>" if text else ""


def reasons(found: Iterable[str]) -> str:
    """Why there is no other verdict, as paragraphs."""
    return "".join(f"<p><strong>Why:</strong> {escape(PLAIN.get(reason, reason))}</p>" for reason in found)


def origin(provenance: Provenance) -> str:
    """What the file says of itself, apart from the verdict and without a part in it."""
    says = "".join(f"<li>{escape(claim)}</li>" for claim in provenance.says_generated)
    c2pa = provenance.c2pa
    credentials = "; ".join(
        filter(None, (c2pa.note, c2pa.generator, c2pa.signer and f"signed by {c2pa.signer}", *c2pa.problems))
    )
    return (
        "<p>This has no part in the answer above. It is the word of whoever wrote the file.</p>"
        + (f"<p><strong>It says that AI made it, or a part of it:</strong></p><ul>{says}</ul>" if says else "")
        + ("" if says else f"<p>Nothing in it says that AI made it. {escape(ABSENCE)}</p>")
        + f"<p>Content credentials (a signed record of who made a picture and how): {escape(credentials)}.</p>"
    )


def _pictures(analysis: Analysis, detector: Detector, maps: Maps | None) -> list[str]:
    if not analysis.people:
        return []
    if analysis.moving:
        about = "Each point is one look at a face; in the shaded band the answer is inconclusive."
        timeline = data_url(plots.timeline(analysis, detector.calibration))
        found = [_wide("Scores over time", about, "Chart of each person's score over time", timeline)]
    else:
        boxes = "The picture, with a box and the answer at each face"
        found = [_picture("The picture", boxes, annotated(analysis))]
    about, alt = "As the detector gets them, with the score of each.", "Each person's best looks, with number and score"
    found.append(_wide("Faces", about, alt, data_url(plots.gallery(analysis.people, analysis.verdicts))))
    if maps:
        heat = data_url(plots.gallery(analysis.people, analysis.verdicts, maps))
        found.append(
            _wide("Where the detector looked", _about_maps(maps), "The same faces under their heat maps", heat)
        )
        if not analysis.moving:
            found.append(
                _picture("The same on the picture", "The picture under the heat maps", _heated(analysis, maps))
            )
    return found


def _wide(title: str, about: str, alt: str, source: str) -> str:
    """A figure that scrolls on a narrow screen, and by the keyboard too."""
    attributes = f'class="wide" tabindex="0" role="group" aria-label="{title}"'
    return f'<h2>{title}</h2><p>{about}</p><figure {attributes}><img alt="{alt}" src="{source}"></figure>'


def _picture(title: str, alt: str, image: np.ndarray) -> str:
    return f'<h2>{title}</h2><figure><img alt="{alt}" src="{jpeg_url(image, WIDTH)}"></figure>'


def annotated(analysis: Analysis) -> np.ndarray:
    """The picture that was judged, with a box and the answer at each face: RGB uint8 `(height, width, 3)`."""
    return draw(read_image(analysis.file), people_at(analysis.people, analysis.verdicts, 0.0))


def _heated(analysis: Analysis, maps: Maps) -> np.ndarray:
    """The picture with the heat of each face laid over it where its crop was taken from."""
    faces = [(look.quad, heat) for person, heats in zip(analysis.people, maps, strict=True)
             for look, heat in zip(person.gallery, heats, strict=True)]  # fmt: skip
    return reduce(lambda image, face: onto_frame(image, *face), faces, read_image(analysis.file))


def _about_maps(maps: Maps) -> str:
    heats = np.concatenate(maps)
    inside = (
        f"{_inside(heats):.0%} of it lies within the face, which takes {INNER_SHARE:.0%} of a crop."
        if heats.max(initial=0) >= HARDLY
        else "There is hardly any here: next to nothing in these crops spoke for AI."
    )
    return (
        f"The brighter, the more a place spoke for AI (Grad-CAM). {inside} "
        "It is no proof that something is wrong at a bright place."
    )


def _made(analysis: Analysis, detector: Detector) -> str:
    file = _file(analysis)
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in analysis.settings.items())
    return (
        f"aiface {aiface.__version__}, detector <code>{escape(detector.name)}</code>, sha256 of its network "
        f"<code>{detector.card['sha256']}</code>, computed by {escape(detector.computed_by)}"
        + (f", {settings}" if settings else "")
        + (f", sha256 of the file <code>{file['sha256']}</code>" if file else "")
        + "."
    )
