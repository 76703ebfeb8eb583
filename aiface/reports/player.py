"""A clip on its page: the player, the scores over time, and each person's faces, which all show one moment.

Without a clip beside the page, the same without the player and the script.
"""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from aiface.analysis.look import Look
from aiface.analysis.person import Person
from aiface.analysis.result import Analysis
from aiface.analysis.verdict import Verdict
from aiface.drawing import HEX, jpeg_url
from aiface.models.calibration import Calibration
from aiface.reports.faces import chosen
from aiface.reports.overlay import label
from aiface.reports.report import Report
from aiface.reports.wording import clock

SIDE = 112  # pixels of a face
TICKS = 6  # marks of time at most
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)  # seconds between them
# Of people, each at least 3 to 1 on white (WCAG 2.2, 1.4.11)
LINES = ("#1f77b4", "#d1495b", "#2a7f3f", "#b5651d", "#7b3fa0", "#00798c", "#8c564b", "#c2188b", "#5f6b6d", "#3f51b5",
         "#8a7a00", "#e0562b")  # fmt: skip
OTHERS = "#bbb"
STYLE = """.plays video { display: block; width: 100%; max-height: 70vh; background: #111; border-radius: 8px }
.scale { position: relative; margin: .2rem .5rem 0 2.6rem; border: solid transparent; border-width: .8rem 0 1.6rem;
  font-size: .8rem; color: #555 }
.scale > span { position: absolute; transform: translate(-50%, .2rem); white-space: nowrap }
.scale > .score { left: -.4rem; transform: translate(-100%, -50%) }
.timeline { position: relative; height: 11rem; border: solid #999; border-width: 0 0 1px 1px }
.timeline[role=slider] { cursor: pointer; touch-action: pan-y }
.timeline svg { position: absolute; width: 100%; height: 100%; overflow: visible }
.hand { position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -1px; background: #222; pointer-events: none }
.hand::before { content: ""; position: absolute; top: -5px; left: -5px; border: 6px solid transparent;
  border-width: 6px 6px 0; border-top-color: #222 }
.people { display: flex; flex-wrap: wrap; gap: .4rem; padding: 0; list-style: none }
.plays a { color: inherit; text-decoration: none } .plays a:hover { background: #eef2f7 }
.chip { display: inline-block; padding: .25rem .6rem; border: 1px solid #bbb; border-radius: 1rem }
.chip i { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .4em }
.plays .now { outline: 3px solid #222 } .plays :focus-visible { outline: 3px solid #2b5fd9; outline-offset: 2px }
@media print { .plays video, .hand, .hint { display: none } .scale, .people { break-inside: avoid }
  .scale, h3 { break-after: avoid } .plays .now { outline: none }
  .chip i { print-color-adjust: exact; -webkit-print-color-adjust: exact } }
"""
_SCRIPT = Path(__file__).with_name("player.js").read_text(encoding="utf-8")
_GONE = (
    '<p class="gone" role="alert" hidden>The clip could not be played: it has to lie beside this page, as '
    "<code>{}</code>. Send the folder on as a whole.</p>"
)
_HINT = (
    '<p class="hint">Click on the chart, a person or a face to see that moment. By keyboard: Tab to any of them, then '
    "Enter; space plays and stops, the arrows go back and forth.</p>"
)


def clip_parts(report: Report) -> list[str]:
    """What the page of a clip shows of it; nothing of one without people that is not to be played."""
    analysis, played = report.analysis, report.plays
    about = report.playback.note if report.playback else ""
    note = f'<p class="hint">{escape(about)}</p>' if about else ""
    if not (analysis.people or played):
        return [note]
    parts = (
        "<h2>Scores over time</h2>",
        "<p>Each point is one look at a face; in the shaded band the answer is inconclusive.</p>",
        note,
        '<div class="plays">',
        _video(played) if played else "",
        _timeline(report, played),
        _people(analysis, played),
        _HINT if played else "",
        *_faces(analysis, played),
        "</div>",
        f"<script>{_SCRIPT}</script>" if played else "",
    )
    return ["\n".join(filter(None, parts))]


def _video(played: str) -> str:
    source = quote(played)
    return (
        f'<video src="{source}" controls playsinline preload="metadata" aria-label="The clip that was judged"></video>'
        + _GONE.format(escape(played))
    )


def _timeline(report: Report, played: str | None) -> str:
    analysis = report.analysis
    end = _end(analysis)
    role, hand = 'role="img" aria-label="Each person\'s score over time"', ""
    if played:
        name = "Each person's score over time; the arrow keys move to another moment"
        values = f'aria-valuemin="0" aria-valuemax="{end:.3f}" aria-valuenow="0"'
        role = f'role="slider" tabindex="0" {values} aria-label="{name}"'
        hand = '<div class="hand"></div>'
    chart = "".join(_chart(analysis, report.detector.calibration, end))
    return (
        f'<div class="scale"><div class="timeline" {role}>'
        '<svg viewBox="0 0 1000 100" preserveAspectRatio="none" fill="none" aria-hidden="true">'
        f"{chart}</svg>{hand}</div>{''.join(_scale(end))}</div>"
    )


def _end(analysis: Analysis) -> float:
    return max(analysis.seconds, 0.1)


def _chart(analysis: Analysis, calibration: Calibration, end: float) -> Iterator[str]:
    """The chart as shapes in a field of 1000 by 100, which is stretched: lines and points keep their width."""
    low, high = calibration.real_below, calibration.ai_from
    yield f'<rect x="0" width="1000" y="{100 - 100 * high:.2f}" height="{100 * (high - low):.2f}" fill="#fbe3c0"/>'
    colours = _colours(analysis)
    for person, verdict, colour in sorted(
        zip(analysis.people, analysis.verdicts, colours, strict=True), key=lambda each: each[2] != OTHERS
    ):
        for start, stop in verdict.ai_spans:
            width = max(2.0, 1000 * (stop - start) / end)
            place = f'x="{1000 * start / end:.2f}" width="{width:.2f}" y="0" height="100"'
            yield f'<rect {place} fill="{colour}" opacity=".15"/>'
        points = [_point(look, end) for look in person.each_look if look.score is not None]
        line, dots = "M" + "L".join(points), "".join(f"M{point}h0" for point in points)
        stroke = f'stroke="{colour}" vector-effect="non-scaling-stroke"'
        if points:
            yield f'<path d="{line}" {stroke}/><path d="{dots}" {stroke} stroke-width="7" stroke-linecap="round"/>'


def _point(look: Look, end: float) -> str:
    return f"{1000 * look.time / end:.2f} {100 - 100 * (look.score or 0.0):.2f}"


def _colours(analysis: Analysis) -> Sequence[str]:
    named = chosen(analysis.people, analysis.verdicts)
    lines = dict(zip(named, LINES, strict=False))
    return [lines.get(index, OTHERS) for index in range(len(analysis.people))]


def _scale(end: float) -> Iterator[str]:
    for score, word in ((1, "1 AI"), (0.5, "0.5"), (0, "0 real")):
        yield f'<span class="score" style="top: {100 - 100 * score:.0f}%">{word}</span>'
    step = next((step for step in STEPS if end / step < TICKS), STEPS[-1] * max(1, end // (STEPS[-1] * TICKS)))
    for number in range(int(end / step) + 1):
        at = number * step
        words = clock(round(at)) if end >= 60 else f"{at:g} s"
        yield f'<span style="left: {100 * at / end:.2f}%">{words}</span>'


def _people(analysis: Analysis, played: str | None) -> str:
    colours = _colours(analysis)
    named = chosen(analysis.people, analysis.verdicts)
    chips = [
        _jump(_chip(index, analysis.verdicts[index], colours[index]), _first(analysis, index), played, "chip")
        for index in named
    ]
    if left := len(analysis.people) - len(named):
        chips.append(f"and {left} more, in grey")
    return f'<ul class="people">{"".join(f"<li>{chip}</li>" for chip in chips)}</ul>' if chips else ""


def _chip(index: int, verdict: Verdict, colour: str) -> str:
    return f'<i style="background: {colour}"></i>person {index + 1}: {label(verdict)}'


def _first(analysis: Analysis, index: int) -> float:
    """Where to look at a person first: where they look generated, or else where they come into view."""
    spans = analysis.verdicts[index].ai_spans
    return spans[0][0] if spans else analysis.people[index].first_time


def _jump(content: str, at: float, played: str | None, kind: str = "") -> str:
    """A link to a moment; where no script runs, it opens the clip there."""
    if not played:
        return f'<span class="{kind}">{content}</span>'
    return f'<a class="{kind}" data-at="{at:.3f}" href="{quote(played)}#t={at:.3f}">{content}</a>'


def _faces(analysis: Analysis, played: str | None) -> Iterator[str]:
    if analysis.people:
        yield "<h2>Faces</h2><p>As the detector gets them, with the moment and the score of each.</p>"
    for index in chosen(analysis.people, analysis.verdicts):
        person, verdict = analysis.people[index], analysis.verdicts[index]
        yield f'<h3 style="color: {HEX[verdict.answer]}">Person {index + 1}: {label(verdict)}</h3>'
        yield f'<div class="faces">{"".join(_face(index, look, played) for look in _shown(person))}</div>'


def _shown(person: Person) -> list[Look]:
    return [look for look in person.gallery if look.score is not None]


def _face(index: int, look: Look, played: str | None) -> str:
    if look.crop is None or look.score is None:
        return ""
    alt = f"Person {index + 1} at {look.time:.1f} seconds, score {look.score:.2f}"
    picture = f'<img alt="{alt}" src="{jpeg_url(look.crop, SIDE * 2)}">'
    return _jump(f"{picture}{look.time:.1f} s: {look.score:.2f}", look.time, played)
