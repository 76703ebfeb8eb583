"""Faces on a page: a picture with a box at each, and their crops side by side, in HTML that takes no figure."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest

import numpy as np

from aiface.analysis.look import Box, Look
from aiface.analysis.person import Person
from aiface.analysis.result import Analysis
from aiface.analysis.verdict import Verdict
from aiface.drawing import HEX, jpeg_url
from aiface.io.images import read_small
from aiface.labels import Answer
from aiface.reports.overlay import label

PEOPLE = 12  # of a clip shown in a figure or on a page
LEAST, MOST = 640, 960  # pixels of a picture's longer side: a JPEG may come as small; shown it is no larger
SPOKEN = 4  # people in a picture up to whom their boxes bear words; beyond, numbers
STYLE = """.faces { display: flex; flex-wrap: wrap; gap: .5rem; margin-bottom: 1rem }
.faces > * { width: 7rem; max-width: calc(25% - .4rem); margin: 0; white-space: nowrap; text-align: center;
  font-size: .75rem; line-height: 1.4; border-radius: 6px; break-inside: avoid }
.faces img { display: block; width: 100%; border-radius: 6px }
.faces.large > * { width: 10rem; max-width: calc(50% - .4rem); font-size: .85rem }
"""
MARKED_STYLE = """.marked { position: relative; width: fit-content; margin: 0; overflow: hidden; border-radius: 8px }
.marked img { display: block; max-width: 100%; height: auto; margin: 0; border-radius: 0 }
.mark { position: absolute; box-sizing: border-box; border: 2px solid; border-radius: 3px }
.mark strong { position: absolute; left: -2px; bottom: 100%; padding: 0 .4em; font-size: .8rem; line-height: 1.4;
  white-space: nowrap; border-radius: 3px 3px 0 0; print-color-adjust: exact; -webkit-print-color-adjust: exact }
.mark strong.below { bottom: auto; top: 100%; border-radius: 0 0 3px 3px }
.mark strong.within { bottom: auto; top: -2px } .mark strong.left { left: auto; right: -2px }
.mark strong * { color: white } @media (max-width: 40rem) { .mark ~ .mark i, .mark:has(~ .mark) i { display: none } }
.mark i { font-style: normal }
""" + "".join(
    f".mark-{answer} {{ border-color: {colour} }} .mark-{answer} strong {{ background: {colour} }}\n"
    for answer, colour in HEX.items()
)


def chosen(people: Sequence[Person], verdicts: Sequence[Verdict], *, with_crops: bool = True) -> list[int]:
    """Indices of the people to show, in their order: of many, those judged AI first, then those seen longest.

    with_crops: only those of whom crops were kept.
    """
    kept = [index for index, person in enumerate(people) if person.gallery or not with_crops]
    return sorted(nlargest(PEOPLE, kept, key=lambda i: (verdicts[i].answer == Answer.AI, people[i].looks)))


def marked(analysis: Analysis) -> str:
    """The picture that was judged, read anew, with a box and the answer at each face, all that lies within the page."""
    image, scale = read_small(analysis.file, LEAST)
    size = (image.shape[1] * scale, image.shape[0] * scale)
    width = round(size[0] * min(1, MOST / max(size)))
    alt = "The picture, with a box and the answer at each face"
    picture = f'<img alt="{alt}" width="{width}" src="{jpeg_url(image, MOST)}">'
    return f'<figure class="marked">{picture}{"".join(_marks(analysis, size))}</figure>'


def _marks(analysis: Analysis, size: tuple[float, float]) -> Iterator[str]:
    few = len(analysis.people) <= SPOKEN
    for number, (person, verdict) in enumerate(zip(analysis.people, analysis.verdicts, strict=True), 1):
        if person.trail and (box := person.trail.at(0.0)):
            words = f"<span>{number}</span>" + f"<i>: {label(verdict)}</i>" * few
            yield _mark(box, size, words, verdict.answer)


def _mark(box: Box, size: tuple[float, float], words: str, answer: Answer) -> str:
    """A box in shares of the picture, whose words lie within it."""
    start, end = (np.clip(np.divide(edge, size), 0, 1) for edge in (box[:2], np.add(box[:2], box[2:])))
    (left, top), (width, height) = 100 * start, 100 * (end - start)
    place = f"left: {left:.2f}%; top: {top:.2f}%; width: {width:.2f}%; height: {height:.2f}%"
    above = "" if top > 10 else "below" if top + height < 90 else "within"
    side = f"{above} {'left' if left + width / 2 > 50 else ''}".strip()
    return f'<span class="mark mark-{answer}" style="{place}"><strong class="{side}">{words}</strong></span>'


def crops(people: Sequence[Person], verdicts: Sequence[Verdict], moving: bool, heats: Sequence | None = None) -> str:
    """Each person's crops with their scores, and under its heat if that is given; of many in a clip, those `chosen`."""
    shown = chosen(people, verdicts) if moving else range(len(people))
    tiles = "".join(
        _tile(index, look, crop, HEX[verdicts[index].answer], moving)
        for index in shown
        for look, crop in _pictures(people[index], None if heats is None else heats[index])
    )
    return f'<div class="faces{"" if moving else " large"}">{tiles}</div>'


def _pictures(person: Person, heats: np.ndarray | None) -> Iterable[tuple[Look, np.ndarray]]:
    found = [(look, look.crop) for look in person.gallery if look.crop is not None]
    if heats is None:
        return found
    from aiface.models.grad_cam import overlay_heat  # brings matplotlib

    return [(look, overlay_heat(crop, heat)) for (look, crop), heat in zip(found, heats, strict=True)]


def _tile(index: int, look: Look, crop: np.ndarray, colour: str, moving: bool) -> str:
    when, time = (f" at {look.time:.1f} seconds", f"{look.time:.1f} s, ") if moving else ("", "")
    picture = f'<img alt="Person {index + 1}{when}, score {look.score:.2f}" src="{jpeg_url(crop, len(crop))}">'
    words = f'<figcaption style="color: {colour}">{index + 1}: {time}{look.score:.2f}</figcaption>'
    return f"<figure>{picture}{words}</figure>"
