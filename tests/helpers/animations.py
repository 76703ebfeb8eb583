"""Animated pictures made by code."""

import numpy as np
from PIL import Image

FORMS = ("GIF", "PNG", "WEBP", "AVIF")


def animation(path, images, milliseconds, form="GIF", **options):
    """Write RGB (or RGBA) images, each shown for so long, as one file."""
    first, *rest = (Image.fromarray(image) for image in images)
    first.save(path, form, save_all=True, append_images=rest, duration=milliseconds, **options)
    return path


def plain(*colours, size=(64, 48)):
    """An image of each colour."""
    return [np.full((*size[::-1], len(colour)), colour, np.uint8) for colour in colours]
