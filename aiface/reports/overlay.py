"""Verdicts drawn into frames. Always on a copy, and after the crops were taken: a drawn box is no part of a face."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from aiface.analysis.look import Box
from aiface.analysis.person import LINGER, Person
from aiface.analysis.result import Analysis
from aiface.analysis.session import Looks, Session
from aiface.analysis.verdict import Verdict
from aiface.drawing import COLOURS
from aiface.io.files import atomic_path
from aiface.io.images import read_image
from aiface.io.media_kinds import is_picture
from aiface.labels import Answer
from aiface.video.opening import open_video
from aiface.video.writer import VideoWriter

Mark = tuple[Box, str, Answer]  # where, what to write, and the verdict
WORDS = {Answer.REAL: "real", Answer.AI: "AI", Answer.INCONCLUSIVE: "inconclusive"}
LOOKING = "looking..."  # at somebody without a verdict
ANNOTATED = "annotated.mp4"


def label(verdict: Verdict) -> str:
    """A verdict in a few words: `AI 0.97`."""
    word = WORDS[verdict.answer]
    return word if verdict.score is None else f"{word} {verdict.score:.2f}"


def live_marks(seen: Looks, session: Session) -> list[Mark]:
    """What to draw while watching: the steady verdict on each person seen, "looking..." until there is one.

    Scores faces, so whoever calls it sees to the time that it takes.
    """
    return shown_marks(seen, session.shown(seen))


def shown_marks(seen: Looks, shown: Sequence[Verdict | None]) -> list[Mark]:
    """The same, with what is `shown` of each person known."""
    pairs = [(look.box, verdict) for (_, look), verdict in zip(seen, shown, strict=True)]
    return [(box, label(v), v.answer) if v else (box, LOOKING, Answer.INCONCLUSIVE) for box, v in pairs]


def draw(image: np.ndarray, marks: Iterable[Mark], corner: str = "") -> np.ndarray:
    """A copy of an RGB uint8 image with a box and a tag for each mark, and a text in the upper left corner."""
    image = image.copy()
    scale = max(0.45, min(image.shape[:2]) / 900)
    for box, text, verdict in marks:
        x, y, width, height = (round(value) for value in box)
        colour, line = COLOURS[verdict], max(2, round(2 * scale))
        cv2.rectangle(image, (x, y), (x + width, y + height), colour, line, cv2.LINE_AA)
        _tag(image, x, y, text, colour, scale)
    if corner:
        _tag(image, 0, 0, corner, (0, 0, 0), scale)
    return image


def _tag(image: np.ndarray, x: int, y: int, text: str, colour: tuple[int, int, int], scale: float) -> None:
    """Write white text on a ground of `colour` into the image, its lower left corner at x, y or nearest to it."""
    (wide, high), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    if wide + 8 > image.shape[1]:
        scale *= 0.9 * max(1, image.shape[1] - 8) / wide
        (wide, high), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left = int(np.clip(x, 0, max(0, image.shape[1] - wide - 8)))
    top = max(0, y - high - below - 6)
    cv2.rectangle(image, (left, top), (left + wide + 8, top + high + below + 6), colour, -1)
    where = (left + 4, top + high + 3)
    cv2.putText(image, text, where, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)


def people_at(people: Sequence[Person], verdicts: Sequence[Verdict], time: float) -> list[Mark]:
    """What to draw at `time`: each person in view, by their `trail`, with their verdict."""
    judged = zip(people, verdicts, strict=True)
    found = ((person.trail.at(time), verdict) for person, verdict in judged if person.trail)
    return [(box, label(verdict), verdict.answer) for box, verdict in found if box]


def annotate(analysis: Analysis, source: str | Path, folder: str | Path) -> Path:
    """Write what was judged again with the verdicts drawn in: `annotated.mp4` or `annotated.png` in `folder`.

    `source` is where the frames come from: the input, or a camera's recording.
    """
    if analysis.moving:
        return annotate_video(analysis, source, Path(folder) / ANNOTATED)
    return annotate_image(analysis, Path(folder) / "annotated.png")


def annotate_image(analysis: Analysis, out: str | Path) -> Path:
    """Write the image of an analysis again to `out` with each face's verdict drawn in."""
    marks = people_at(analysis.people, analysis.verdicts, 0.0)
    with atomic_path(out) as path:
        Image.fromarray(draw(read_image(analysis.file), marks)).save(path)
    return Path(out)


def annotate_video(
    analysis: Analysis, source: str | Path, out: str | Path, progress: Callable[[Iterable], Iterable] = iter
) -> Path:
    """Write `source` again to `out` (MP4, same timing and audio) with each person's verdict drawn in.

    Ends where the analysis ended. Raises `ValueError` for an analysis without trails, `VideoError` if one can't be
    read or the other not be written.
    """
    if any(person.trail is None for person in analysis.people):
        raise ValueError("expected an analysis by Settings(trails=True), found one that knows no boxes")
    with open_video(source) as video, VideoWriter(out, video.width, video.height, _audio(source)) as writer:
        for frame in progress(video):
            if frame.time > analysis.seconds + LINGER:
                break
            marks = people_at(analysis.people, analysis.verdicts, frame.time)
            writer.write(type(frame)(draw(frame.image, marks), frame.time))
    return Path(out)


def _audio(source: str | Path) -> str | Path | None:
    return source if Path(source).is_file() and not is_picture(source) else None
