import io

import numpy as np
from PIL import Image

from aiface.drawing import png


def rendered(figure):
    """Whether a figure shows anything. Warnings are errors: among them that a layout did not fit."""
    image = np.asarray(Image.open(io.BytesIO(png(figure))).convert("L"))
    assert min(image.shape) > 100
    return image.min() < 255
