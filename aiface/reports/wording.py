"""Verdicts in words: for people who never heard of a score, and for those who have."""

from collections.abc import Sequence
from math import ceil, floor

from aiface.analysis.look import COVERED, MIN_SIDE, TOO_BLURRED, TOO_SMALL
from aiface.analysis.person import Person
from aiface.analysis.result import Analysis
from aiface.analysis.verdict import BETWEEN, NO_FACE, NOT_A_PHOTOGRAPH, TOO_FEW, UNSTABLE, Verdict
from aiface.io.files import number_of
from aiface.labels import Answer
from aiface.models.calibration import Calibration

WORDS: dict[str, str] = {
    Answer.REAL: "looks real",
    Answer.AI: "looks AI-generated",
    Answer.INCONCLUSIVE: "inconclusive",
}
NOT_PROOF = (
    "This is a statistical judgement, not proof. Another generator, heavy compression or an edit can fool it either "
    "way: weigh it together with where the picture comes from."
)
LIMITS = (
    "It fails most on what it never saw: other generators and face swaps, other cameras, video of talking heads. "
    "Heavy compression, filters, make-up effects and small faces cost accuracy, and someone who adapts a face to this "
    "detector will get past it."
)
MEANING = {
    Answer.AI: "The detector finds in it what it learnt from generated faces, and finds so much of it in few real "
    "ones.",
    Answer.REAL: "The detector finds in it little of what it learnt from generated faces. A new kind of generator may "
    "leave none.",
    Answer.INCONCLUSIVE: "The detector can't tell. That is an answer of its own: neither that a face is real nor that "
    "it is generated.",
}
PLAIN = {
    NO_FACE: "No face was found. The detector judges faces and nothing else.",
    TOO_SMALL: f"The face is too small: under {MIN_SIDE} pixels across. A larger copy, or a close-up, may help.",
    TOO_BLURRED: "The face is too blurred.",
    COVERED: "Something flat, such as a bar, hides the eyes. The detector never learnt from such faces.",
    TOO_FEW: "The face is in view for too short a time.",
    BETWEEN: "The score lies where both real and generated faces are common.",
    NOT_A_PHOTOGRAPH: "This is no photograph but a drawing, a painting, or a picture filtered to look like one. The "
    "detector knows photographs of people only.",
    UNSTABLE: "The answer changes when the same picture is mirrored or saved anew, so it can't be relied on.",
}

# The verbal scale of the guideline of the European forensic institutes (ENFSI 2015): below so many times
SUPPORT = (
    (2.0, "no support either way"), (10.0, "weak support"), (100.0, "moderate support"),
    (1000.0, "moderately strong support"), (1e4, "strong support"), (1e6, "very strong support"),
    (float("inf"), "extremely strong support"),
)  # fmt: skip


def evidence(verdict: Verdict) -> str:
    """What a score is worth as evidence: `3 times likelier of a real face than of an AI one (1.6 to 5): weak support`.

    Nothing where the detector tells no ratio, or the score does not count.
    """
    if (found := verdict.likelihood) is None:
        return ""
    real = found.ratio < 1
    ratio, low, high = (1 / found.ratio, 1 / found.high, 1 / found.low) if real else found
    words = next(words for below, words in SUPPORT if ratio < below)
    if ratio < SUPPORT[0][0]:
        return f"about as likely of a real face as of an AI one: {words}"
    kinds = "a real face than of an AI one" if real else "an AI face than of a real one"
    return f"{_plain(ratio)} times likelier of {kinds} ({_plain(low)} to {_plain(high)}): {words}"


def _plain(ratio: float) -> str:
    return f"{float(f'{ratio:.2g}'):.10g}"


def capital(words: str) -> str:
    """The words with a capital first letter."""
    return words[:1].upper() + words[1:]


def sureness(verdict: Verdict, calibration: Calibration) -> str:
    """How sure a verdict is, for people who never heard of a score; nothing where there was nothing to judge."""
    if verdict.score is None:
        return ""
    if verdict.answer == Answer.INCONCLUSIVE and BETWEEN not in verdict.reasons:
        return (
            f"There is a score, {verdict.score:.2f} on a scale from 0 (real) to 1 (AI-generated), but for the reason "
            "above it does not count here."
        )
    worth = evidence(verdict)
    return (
        f"The score is {verdict.score:.2f}, on a scale of 0 (real) to 1 (AI-generated). From {calibration.ai_from:.2f} "
        "on the answer is “AI-generated”: at most one in a hundred of real faces like those it was checked on comes so "
        f"far. Below {calibration.real_below:.2f} it is “real”: at most one in ten of the generated ones lies there. "
        "Between these it is “inconclusive”. On pictures unlike those the detector errs more often."
        + (f" As evidence, on sources it had never seen: {worth}." if worth else "")
    )


def sentence(verdict: Verdict) -> str:
    """A verdict as one sentence for people: the score, what it rests on, and the reasons."""
    if verdict.score is None:
        return ", ".join(verdict.reasons) or "nothing was judged"
    steady = (
        f", the middle 80 % between {verdict.interval[0]:.2f} and {verdict.interval[1]:.2f}" if verdict.interval else ""
    )
    reasons = f"; {', '.join(verdict.reasons)}" if verdict.reasons else ""
    faces = f"{number_of(verdict.faces, 'usable face')}"
    worth = f"; {found}" if (found := evidence(verdict)) else ""
    return f"score {verdict.score:.2f} (0 real, 1 AI), from {faces}{steady}{reasons}{worth}"


def people_lines(analysis: Analysis) -> list[str]:
    """One line per person: `person 1, 0.0 to 9.8 s, found 49 times: looks real, score 0.03 ...`.

    It ends with the spans that look generated, as in `...; 0:00-0:04 looks generated`.
    """
    if not analysis.people:
        return [f"nobody: {WORDS[analysis.verdict.answer]}, {analysis.error or sentence(analysis.verdict)}"]
    judged = zip(analysis.people, analysis.verdicts, strict=True)
    return [
        f"person {number}{_when(person, analysis.moving)}: {WORDS[verdict.answer]}, "
        f"{sentence(verdict)}{_spans(verdict)}"
        for number, (person, verdict) in enumerate(judged, 1)
    ]


def _when(person: Person, moving: bool) -> str:
    times = "once" if person.looks == 1 else f"{person.looks} times"
    return f", {person.first_time:.1f} to {person.last_time:.1f} s, found {times}" if moving else ""


def _spans(verdict: Verdict) -> str:
    spans = ", ".join(f"{clock(floor(start))}-{clock(ceil(end))}" for start, end in verdict.ai_spans)
    return f"; {spans} looks generated" if spans else ""


def clock(seconds: int) -> str:
    """Seconds as minutes and seconds: `1:05`."""
    return f"{seconds // 60}:{seconds % 60:02}"


def said_line(says_generated: Sequence[str] | None) -> str:
    """What a file says of its own origin, if it says that AI made it; else nothing. It has no part in the verdict."""
    return f"the file says that AI made it, or a part of it: {'; '.join(says_generated)}" if says_generated else ""


def performance_line(analysis: Analysis) -> str:
    """`1.9 s of clip per second; ms for each judged frame: read 5.0, find 9.1, ...`, or nothing for an image."""
    if not analysis.performance:
        return ""
    stages = ", ".join(f"{name} {value:.1f}" for name, value in analysis.performance.items() if name != "speed")
    speed = analysis.performance["speed"]
    return f"{number_of(analysis.frames, 'frame')} judged, {speed:.1f} s of clip per second; ms a frame: {stages}"
