"""Figures as bytes and as parts of an HTML page that needs no other file."""

import base64
import io

from matplotlib.figure import Figure


def png(figure: Figure, dpi: int = 110) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def data_url(figure: Figure, dpi: int = 110) -> str:
    """A figure as a `data:` URL, to stand inside an HTML page."""
    return "data:image/png;base64," + base64.b64encode(png(figure, dpi)).decode()
