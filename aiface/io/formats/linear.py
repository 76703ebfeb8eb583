"""Pictures of light as it is measured, Radiance HDR and PFM, which Pillow doesn't read and OpenCV does."""

import re
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from aiface.io.formats.depth import decoded

NAME = "LINEAR"  # what Pillow is to call the two
STARTS = (b"#?R", b"PF", b"Pf")
LONGEST = 4096  # bytes of a head
HDR = re.compile(rb"#\?(?:RADIANCE|RGBE)\n(?:.*?\n)?\n-Y (?P<height>\d+) \+X (?P<width>\d+)\n", re.DOTALL)
PFM = re.compile(rb"P[Ff]\s(?P<width>\d+)\s(?P<height>\d+)\s-?[\d.]+\s")
WHITE = 99.5  # per cent of the samples that are no brighter than white: what lies beyond is a lamp, or the sun
GAMMA = 2.2  # of screens, nearly


class Linear(ImageFile.ImageFile):
    """Such a picture for Pillow, as RGB of 8 bits."""

    format = NAME

    def _open(self) -> None:
        head = self.fp.read(LONGEST)  # type: ignore[union-attr]
        if (found := HDR.match(head) or PFM.match(head)) is None:
            raise SyntaxError("expected the head of a Radiance HDR or a PFM")
        self._size, self._mode = (int(found["width"]), int(found["height"])), "RGB"

    def load(self) -> Any:
        """Read all pixels, at the first call."""
        if self._im is None:
            self.im = Image.fromarray(self._pixels()).im
        return super().load()

    def _pixels(self) -> np.ndarray:
        self.fp.seek(0)  # type: ignore[union-attr]
        found = decoded(np.frombuffer(self.fp.read(), np.uint8))  # type: ignore[union-attr]
        if found is None or found.shape[1::-1] != self.size:
            raise OSError("its pixels can't be read")
        return as_seen(found[..., ::-1] if found.ndim == 3 else np.repeat(found[..., None], 3, axis=2))


def as_seen(light: np.ndarray) -> np.ndarray:
    """Samples that are proportional to light, of any range, as uint8 for a screen, of the same shape."""
    known = np.nan_to_num(light, nan=0.0, posinf=0.0, neginf=0.0)
    white = max(float(np.percentile(known, WHITE)), 1e-9)
    return (255 * np.clip(known / white, 0, 1) ** (1 / GAMMA)).round().astype(np.uint8)


def register() -> None:
    """Have Pillow read them."""
    Image.register_open(NAME, Linear, lambda start: start.startswith(STARTS))
