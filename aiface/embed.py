"""Figures and pictures as bytes and as parts of an HTML page that needs no other file."""

import base64
import io

import numpy as np
from matplotlib.figure import Figure
from PIL import Image


def png(figure: Figure, dpi: int = 110) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def data_url(figure: Figure, dpi: int = 110) -> str:
    """A figure as a `data:` URL, to stand inside an HTML page."""
    return "data:image/png;base64," + base64.b64encode(png(figure, dpi)).decode()


def jpeg_url(image: np.ndarray, width: int) -> str:
    """An RGB uint8 image, not wider or higher than `width` pixels, as a `data:` URL: nothing is left on the disk."""
    picture, buffer = Image.fromarray(image), io.BytesIO()
    picture.thumbnail((width, width))
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
