"""What the web app says, as HTML for people who never heard of a score. All that comes from outside is escaped."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from aiface.analysis.look import Look
from aiface.analysis.person import Person
from aiface.analysis.result import Analysis
from aiface.analysis.verdict import Verdict
from aiface.drawing import HEX, jpeg_url
from aiface.io.files import folder_name, shown
from aiface.labels import Answer
from aiface.models.calibration import Calibration
from aiface.reports.faces import MARKED_STYLE, chosen
from aiface.reports.page import as_html, origin, reasons
from aiface.reports.report import Report
from aiface.reports.wording import MEANING, NOT_PROOF, WORDS, capital, sentence, sureness

WIDTH = 720  # pixels: as wide as pictures are shown, and so many are sent
CSS = """
.aiface-verdict { color: white; border-radius: 8px; padding: .8rem 1rem; margin: 0 0 1rem }
.aiface-verdict * { color: white !important; margin: 0 }
.aiface-verdict h2 { font-size: 1.5rem }
.aiface-waiting { background: rgb(70, 80, 95) }
.aiface img { max-width: 100%; height: auto; border-radius: 6px; margin: 0 }
.aiface figure { margin: 0 0 1rem } .aiface progress { width: 100%; accent-color: rgb(40, 70, 130) }
.aiface { overflow-wrap: anywhere }
.aiface-crops { display: flex; flex-wrap: wrap; gap: .5rem }
.aiface-crops figure { width: 5.5rem; margin: 0; text-align: center; font-size: .85rem }
.aiface-wide { overflow-x: auto } .aiface-wide img { min-width: 42rem }
.aiface-note { border-left: 4px solid; padding: .2rem .8rem; margin: 0 0 1rem }
.aiface a.aiface-button { display: inline-block; padding: .6rem 1rem; border-radius: 8px; color: white !important;
  background: rgb(40, 70, 130); text-decoration: none; font-weight: 600 }
a:focus-visible, button:focus-visible, [tabindex]:focus-visible { outline: 3px solid rgb(90, 140, 255) !important;
  outline-offset: 2px }
.gradio-container { width: 100%; max-width: 64rem !important; margin: 0 auto !important }
#file .download { display: none } /* the server has deleted it */
""" + "".join(f".aiface-{answer} {{ background: {colour} }}\n" for answer, colour in HEX.items())
CSS += MARKED_STYLE.replace(".mark", ".aiface .mark")
CSS += f".aiface-note {{ border-color: {HEX[Answer.INCONCLUSIVE]} }}\n"


def progress(image: np.ndarray, at: float, end: float | None) -> str:
    """A judged frame `at` seconds of a clip, with how much of it is done; `end` None where nobody knows."""
    part = f' value="{min(at, end):.1f}" max="{end:.1f}"' if end else ""
    of = f" of about {end:.0f}" if end else ""
    words = f"{at:.0f}{of} seconds judged"
    return _box(
        '<p role="status"><strong>Judging...</strong></p>',
        f'<p aria-hidden="true">{words}</p><p><progress aria-label="how much is judged"{part}>{words}</progress></p>',
        _figure(image, f"The clip at {at:.1f} seconds, with a box around each face", WIDTH),
    )


def waiting(text: str) -> str:
    """A line to show while there is nothing else yet."""
    return _box(f'<p role="status"><strong>{escape(text)}</strong></p>')


def problem(text: str) -> str:
    """What kept a file from being judged, and what can be done."""
    return _box(
        '<div role="alert">', _banner("waiting", "This could not be judged", ""), f"<p>{escape(text)}</p></div>"
    )


def live(image: np.ndarray, shown: Sequence[Verdict | None]) -> str:
    """A camera's picture, drawn into already, under the most suspicious of the verdicts shown on people in it."""
    known, state = [verdict.answer for verdict in shown if verdict], "waiting"
    if known:
        state = max(known, key=Answer.suspicion)
        headline, more = capital(WORDS[state]), _count(len(shown))
    else:
        headline = "Looking..."
        more = f"{_count(len(shown))}: hold still for a moment" if shown else "no face in view yet"
    return _box(
        _banner(state, headline, more), _figure(image, f"Your camera: {headline}, {more}", WIDTH), f"<p>{NOT_PROOF}</p>"
    )


def result(report: Report) -> str:
    """Everything about a judged file, with the report to download. The file must still be there."""
    analysis, verdict = report.analysis, report.analysis.verdict
    return _box(
        _banner(verdict.answer, capital(WORDS[verdict.answer]), Path(analysis.path).name),
        f"<p>{MEANING[verdict.answer]}</p>",
        reasons(verdict.reasons),
        f"<p>{NOT_PROOF}</p>",
        *(f'<p class="aiface-note">Please note: {escape(warning)}.</p>' for warning in analysis.warnings),
        _download(report),
        _sure(verdict, report.detector.calibration.of(report.analysis.moving)),
        _annotated(report),
        _people(analysis),
        _timeline(report),
        "<h3>What the file says of its own origin</h3>" + origin(report.provenance) if report.provenance else "",
    )


def _box(*parts: str) -> str:
    return f'<div class="aiface">{"".join(parts)}</div>'


def _banner(state: str, headline: str, below: str) -> str:
    words = f"<h2>{escape(headline)}</h2><p>{escape(below)}</p>"
    return f'<div class="aiface-verdict aiface-{state}" role="status">{words}</div>'


def _count(number: int) -> str:
    return "1 face in view" if number == 1 else f"{number} faces in view"


def _sure(verdict: Verdict, calibration: Calibration) -> str:
    return f"<h3>How sure is this?</h3><p>{escape(text)}</p>" if (text := sureness(verdict, calibration)) else ""


def _annotated(report: Report) -> str:
    if report.analysis.moving or not report.analysis.people:
        return ""
    return report.picture


def _people(analysis: Analysis) -> str:
    judged = list(zip(analysis.people, analysis.verdicts, strict=True))
    shown = chosen(analysis.people, analysis.verdicts, with_crops=False)
    more = f"<p>and {len(judged) - len(shown)} more, who are in the report</p>" if len(judged) > len(shown) else ""
    parts = "".join(_person(i + 1, *judged[i], analysis.moving) for i in shown)
    return f"<h3>People</h3>{parts}{more}" if judged else ""


def _person(number: int, person: Person, verdict: Verdict, moving: bool) -> str:
    times = f", in view from {person.first_time:.1f} to {person.last_time:.1f} seconds" if moving else ""
    spans = ", ".join(f"{start:.1f} to {end:.1f}" for start, end in verdict.ai_spans)
    crops = "".join(_crop(number, look, moving) for look in person.gallery)
    return (
        f"<h4>Person {number}: {WORDS[verdict.answer]}</h4><p>{escape(capital(sentence(verdict)))}{times}.</p>"
        f"{f'<p>Looks generated at seconds {spans}.</p>' if spans else ''}"
        f'{reasons(verdict.reasons)}<div class="aiface-crops">{crops}</div>'
    )


def _crop(number: int, look: Look, moving: bool) -> str:
    if look.crop is None or look.score is None:
        return ""
    when = f" at {look.time:.1f} seconds" if moving else ""
    caption = f"{look.time:.1f} s: {look.score:.2f}" if moving else f"score {look.score:.2f}"
    return _figure(look.crop, f"Person {number}{when}, score {look.score:.2f}", 128, caption)


def _timeline(report: Report) -> str:
    if not (report.analysis.moving and report.analysis.people):
        return ""
    alt = "Chart of each person's score over time; the same figures are in the report"
    return (
        "<h3>Over time</h3><p>Each point is one look at a face; the shaded band is where the answer is "
        f'“inconclusive”.</p><div class="aiface-wide" tabindex="0" role="group" aria-label="{alt}">'
        f'<img alt="{alt}" src="{report.timeline}"></div>'
    )


def _download(report: Report) -> str:
    page = shown(as_html(report)).encode()
    source = "data:text/html;charset=utf-8;base64," + base64.b64encode(page).decode()
    name = f"aiface-{folder_name(report.analysis.path)}.html"
    return f'<p><a class="aiface-button" download="{escape(name)}" href="{source}">Download the report</a></p>'


def _figure(image: np.ndarray, alt: str, width: int, caption: str = "") -> str:
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img alt="{escape(alt)}" src="{jpeg_url(image, width)}">{below}</figure>'
