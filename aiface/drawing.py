"""Colours, grids of pictures, figures and pictures as bytes, and the shell of an HTML page that needs no other file."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from aiface.labels import Answer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# RGB; white text reads well on each, and each on white: a contrast of 4.5 at least (WCAG 2.2, 1.4.3)
COLOURS = {Answer.REAL: (34, 112, 79), Answer.AI: (200, 30, 60), Answer.INCONCLUSIVE: (150, 110, 0)}
HEX = {answer: f"#{bytes(colour).hex()}" for answer, colour in COLOURS.items()}  # as CSS and matplotlib take them
CLASS_COLOURS = (HEX[Answer.REAL], HEX[Answer.AI])  # by class
SEVERITY_COLOURS = {"problem": HEX[Answer.AI], "warning": "#d98200", "info": HEX[Answer.REAL]}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: {width}rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
{style}
</style></head><body>
{body}
</body></html>
"""


def grid(images: Sequence[np.ndarray], titles: Sequence[str], columns: int = 8, colours: Sequence = ()) -> "Figure":
    """Small pictures in rows, each with a title above."""
    from matplotlib.figure import Figure  # here: what draws nothing need not wait for it

    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(1.5 * columns, 1.75 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.axis("off")
    for i, (axes, image, title) in enumerate(zip(panels, images, titles, strict=False)):
        axes.imshow(image)
        axes.set_title(title, fontsize=8, color=colours[i] if len(colours) else "black")
    return figure


def shade(span: Callable[..., object], start: float, end: float) -> None:
    """Shade the scores from `start` to `end`, of which the answer is inconclusive; span: `axvspan` or `axhspan`."""
    span(start, end, color="orange", alpha=0.15, linewidth=0)


def png(figure: "Figure", dpi: int = 110) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def data_url(figure: "Figure", dpi: int = 110) -> str:
    """A figure as a `data:` URL, to stand inside an HTML page."""
    return "data:image/png;base64," + base64.b64encode(png(figure, dpi)).decode()


def jpeg_url(image: np.ndarray, width: int) -> str:
    """An RGB uint8 image, not wider or higher than `width` pixels, as a `data:` URL: nothing is left on the disk."""
    picture, buffer = Image.fromarray(image), io.BytesIO()
    picture.thumbnail((width, width))
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def html_page(title: str, body: str, style: str = "", width: int = 60) -> str:
    """An HTML page of a title, a body, CSS rules and a width of so many rem. What comes from outside is escaped before.

    >>> html_page("Found", "<p>text</p>").splitlines()[-2:]
    ['<p>text</p>', '</body></html>']
    """
    return _PAGE.format(title=title, body=body.strip(), style=style.strip(), width=width)
