"""A report as one HTML page, which needs no other file but the clip that it plays, and beside it as JSON."""

from collections.abc import Iterable
from functools import reduce
from html import escape
from pathlib import Path

import numpy as np

import aiface
from aiface.analysis.result import Analysis
from aiface.drawing import HEX, html_page, jpeg_url
from aiface.io.files import write_json, write_text
from aiface.io.images import read_image
from aiface.provenance.claims import ABSENCE, Provenance
from aiface.reports import faces
from aiface.reports.player import STYLE as PLAYER_STYLE
from aiface.reports.player import clip_parts
from aiface.reports.report import Maps, Report, share_inside
from aiface.reports.wording import (
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

HARDLY = 0.1  # of 1: heat below is too faint to be seen, and where it lies means nothing
_STYLE = """body { overflow-wrap: anywhere }
figure { margin: 0 } img { max-width: 100%; height: auto } footer { color: #555 }
.verdict { color: white; padding: .8rem 1rem; border-radius: 8px; font-size: 1.5rem; font-weight: 600;
  print-color-adjust: exact; -webkit-print-color-adjust: exact }
@media print { body { margin: 0 auto; font-size: 11pt } h2 { break-after: avoid } }
"""
_BODY = """<h1>{title}</h1>
<p class="verdict">{words}</p>
{parts}
<footer><h2>How this was made</h2><p>{made}</p></footer>
"""


def write_report(report: Report, out: str | Path, page: bool = True) -> Path:
    """Write `out` (HTML, unless there is to be no `page`) and the same figures beside it as `.json`; return `out`.

    The JSON comes last: where it is, the page is whole.
    """
    out = Path(out)
    if page:
        write_text(out, as_html(report))
    write_json(out.with_suffix(".json"), report.json)
    return out


def as_html(report: Report) -> str:
    """The page. Whatever comes from outside, a file's name first of all, is escaped."""
    analysis, detector, verdict = report.analysis, report.detector, report.analysis.verdict
    parts = (
        f"<p>{MEANING[verdict.answer]}</p>" if analysis.error is None else "",
        reasons(verdict.reasons),
        f"<p><strong>{NOT_PROOF}</strong></p>",
        *(f"<p><strong>Note:</strong> {escape(warning)}</p>" for warning in analysis.warnings),
        _section("How sure is this?", escape(sureness(verdict, detector.calibration.of(analysis.moving)))),
        _section("Why", escape(analysis.error or "")),
        _section("People", "</p><p>".join(map(escape, people_lines(analysis)))) if analysis.error is None else "",
        *_pictures(report),
        "<h2>What the file says of its own origin</h2>" + origin(report.provenance) if report.provenance else "",
        _section("Performance", escape(performance_line(analysis))),
        _section("What the detector learnt from", escape(str(detector.card["training"].get("summary", "")))),
        _section("Where it fails", LIMITS),
    )
    title = escape(Path(analysis.path).name or analysis.path)
    body = _BODY.format(
        title=title,
        words=capital(WORDS[verdict.answer]) if analysis.error is None else "This could not be judged",
        parts="\n".join(parts),
        made=_made(report),
    )
    more = PLAYER_STYLE if analysis.moving else faces.MARKED_STYLE if analysis.people else ""
    style = _STYLE + faces.STYLE + more + f".verdict {{ background: {HEX[verdict.answer]} }}"
    return html_page(title, body, style)


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


def _pictures(report: Report) -> list[str]:
    analysis, maps = report.analysis, report.maps
    if analysis.error is not None or not (analysis.people or analysis.moving):
        return []
    found = clip_parts(report) if analysis.moving else _still_parts(report)
    if maps and analysis.people:
        found.append(f"<h2>Where the detector looked</h2><p>{_about_maps(maps)}</p>")
        found.append(faces.crops(analysis.people, analysis.verdicts, analysis.moving, maps))
        if not analysis.moving:
            image = jpeg_url(_heated(analysis, maps), faces.MOST)
            alt = "The picture under the heat maps"
            found.append(f'<h2>The same on the picture</h2><figure><img alt="{alt}" src="{image}"></figure>')
    return found


def _still_parts(report: Report) -> list[str]:
    return [
        f"<h2>The picture</h2>{report.picture}",
        "<h2>Faces</h2><p>As the detector gets them, with the score of each.</p>",
        faces.crops(report.analysis.people, report.analysis.verdicts, moving=False),
    ]


def _heated(analysis: Analysis, maps: Maps) -> np.ndarray:
    """The picture with the heat of each face laid over it where its crop was taken from."""
    from aiface.models.grad_cam import onto_frame  # brings matplotlib, which no page without maps needs

    found = [(look.quad, heat) for person, heats in zip(analysis.people, maps, strict=True)
             for look, heat in zip(person.gallery, heats, strict=True) if look.quad is not None]  # fmt: skip
    return reduce(lambda image, face: onto_frame(image, *face), found, read_image(analysis.file))


def _about_maps(maps: Maps) -> str:
    from aiface.models.grad_cam import INNER_SHARE

    heats = np.concatenate(maps)
    inside = (
        f"{share_inside(heats):.0%} of it lies within the face, which takes {INNER_SHARE:.0%} of a crop."
        if heats.max(initial=0) >= HARDLY
        else "There is hardly any here: next to nothing in these crops spoke for AI."
    )
    return (
        f"The brighter, the more a place spoke for AI (Grad-CAM). {inside} "
        "It is no proof that something is wrong at a bright place."
    )


def _made(report: Report) -> str:
    detector, file = report.detector, report.file
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in report.analysis.settings.items())
    return (
        f"aiface {aiface.__version__}, detector <code>{escape(detector.name)}</code>, sha256 of its network "
        f"<code>{detector.card['sha256']}</code>, computed by {escape(detector.computed_by)}"
        + (f", {settings}" if settings else "")
        + (f", sha256 of the file <code>{file['sha256']}</code>" if file else "")
        + "."
    )
