"""What was found, as one HTML page that needs no other file, and as JSON."""

import json
from html import escape
from math import ceil, floor
from pathlib import Path

import aiface
from aiface import plots
from aiface.detector import Detector
from aiface.embed import data_url
from aiface.files import sha256, write_text
from aiface.overlay import COLOURS
from aiface.person import Person
from aiface.pipeline import Analysis
from aiface.verdict import AI, INCONCLUSIVE, REAL, Verdict

WORDS = {REAL: "looks real", AI: "looks AI-generated", INCONCLUSIVE: "inconclusive"}
NOT_PROOF = (
    "This is a statistical judgement, not proof. Another generator, heavy compression or an edit can fool it either "
    "way: weigh it together with where the picture comes from."
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222;
  overflow-wrap: anywhere }}
figure {{ margin: 0; overflow-x: auto }} img {{ max-width: 100% }} footer {{ color: #555 }}
@media (max-width: 45rem) {{ img {{ max-width: 45rem }} }}
.verdict {{ color: white; background: rgb{colour}; padding: .2rem .6rem; border-radius: .3rem }}
</style></head><body>
<h1>{title}</h1>
<p><span class="verdict">{words}</span> {sure}</p>
<p>{not_proof}</p>
{warnings}
<h2>People</h2>{people}
{pictures}
{performance}
<footer><h2>How this was made</h2><p>aiface {version}, detector <code>{detector}</code>,
sha256 of its network <code>{model_hash}</code>{file_hash}. {trained_on}</p></footer>
</body></html>
"""


def sentence(verdict: Verdict) -> str:
    """A verdict as one sentence for people: the score, what it rests on, and the reasons."""
    if verdict.score is None:
        return ", ".join(verdict.reasons) or "nothing was judged"
    steady = (
        f", the middle 80 % between {verdict.interval[0]:.2f} and {verdict.interval[1]:.2f}" if verdict.interval else ""
    )
    reasons = f"; {', '.join(verdict.reasons)}" if verdict.reasons else ""
    faces = f"{verdict.faces} usable face{'s' * (verdict.faces != 1)}"
    return f"score {verdict.score:.2f} (0 real, 1 AI), from {faces}{steady}{reasons}"


def people_lines(analysis: Analysis) -> list[str]:
    """One line per person: `person 1, 0.0 to 9.8 s, found 49 times: looks real, score 0.03 ...`.

    It ends with the spans that look generated, as in `...; 0:00-0:04 looks generated`.
    """
    if not analysis.people:
        return [f"nobody: {WORDS[analysis.verdict.verdict]}, {analysis.error or sentence(analysis.verdict)}"]
    judged = zip(analysis.people, analysis.verdicts, strict=True)
    return [
        f"person {number}{_when(person, analysis.moving)}: {WORDS[verdict.verdict]}, "
        f"{sentence(verdict)}{_spans(verdict)}"
        for number, (person, verdict) in enumerate(judged, 1)
    ]


def _when(person: Person, moving: bool) -> str:
    times = "once" if person.looks == 1 else f"{person.looks} times"
    return f", {person.first_time:.1f} to {person.last_time:.1f} s, found {times}" if moving else ""


def _spans(verdict: Verdict) -> str:
    spans = ", ".join(f"{_clock(floor(start))}-{_clock(ceil(end))}" for start, end in verdict.ai_spans)
    return f"; {spans} looks generated" if spans else ""


def _clock(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"


def write_report(analysis: Analysis, detector: Detector, out: str | Path) -> Path:
    """Write `out` (HTML) and the same figures beside it as `.json`; return the page's path.

    Bytes in a file's name that are no text are escaped in JSON and question marks on the page.
    """
    out = Path(out)
    write_text(out.with_suffix(".json"), json.dumps(as_json(analysis, detector), indent=2) + "\n")
    write_text(out, as_html(analysis, detector).encode("utf-8", "replace").decode())
    return out


def as_json(analysis: Analysis, detector: Detector) -> dict:
    """The row of `analyze --json` with every scored look, the performance and what is needed to repeat it."""
    row = analysis.row()
    for entry, person in zip(row["people"], analysis.people, strict=True):
        entry["sightings"] = [{"time": s.time, "score": s.score, "box": list(s.box)} for s in person.sightings]
    return row | {
        "report_version": 1,
        "summary": people_lines(analysis),
        "warnings": analysis.warnings,
        "interrupted": analysis.interrupted,
        "performance": analysis.performance,
        "file_sha256": _file_hash(analysis),
        "detector": {"name": detector.name, "sha256": detector.card["sha256"]},
        "aiface": aiface.__version__,
    }


def _file_hash(analysis: Analysis) -> str | None:
    path = Path(analysis.path)
    return sha256(path) if path.is_file() else None


def as_html(analysis: Analysis, detector: Detector) -> str:
    """The page. Whatever comes from outside, a file's name first of all, is escaped."""
    verdict, file_hash = analysis.verdict, _file_hash(analysis)
    warnings = "".join(f"<p><strong>Note:</strong> {escape(warning)}</p>" for warning in analysis.warnings)
    return _PAGE.format(
        title=escape(Path(analysis.path).name or analysis.path),
        colour=COLOURS[verdict.verdict],
        words=WORDS[verdict.verdict],
        sure=escape(sentence(verdict)),
        not_proof=NOT_PROOF,
        people="".join(f"<p>{escape(line)}</p>" for line in people_lines(analysis)),
        pictures=_pictures(analysis, detector),
        performance=f"<h2>Performance</h2><p>{escape(speed)}</p>" if (speed := performance_line(analysis)) else "",
        warnings=warnings,
        version=aiface.__version__,
        detector=escape(detector.name),
        model_hash=detector.card["sha256"],
        file_hash=f", sha256 of the file <code>{file_hash}</code>" if file_hash else "",
        trained_on=escape(str(detector.card["training"].get("summary", ""))),
    )


def _pictures(analysis: Analysis, detector: Detector) -> str:
    if not analysis.people:
        return ""
    figures = [("Faces", plots.gallery(analysis.people, analysis.verdicts))]
    if analysis.moving:
        figures.insert(0, ("Scores over time", plots.timeline(analysis, detector.calibration)))
    return "\n".join(
        f'<h2>{name}</h2><figure><img alt="{name}" src="{data_url(figure)}"></figure>' for name, figure in figures
    )


def performance_line(analysis: Analysis) -> str:
    """`1.9 s of clip per second; ms for each judged frame: read 5.0, find 9.1, ...`, or nothing for an image."""
    if not analysis.performance:
        return ""
    stages = ", ".join(f"{name} {value:.1f}" for name, value in analysis.performance.items() if name != "speed")
    speed = analysis.performance["speed"]
    return f"{analysis.frames} frames judged, {speed:.1f} s of clip per second; ms a frame: {stages}"
