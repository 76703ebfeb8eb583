"""Animated pictures to frames, by Pillow, each at its own time and for as long as it is shown."""

from collections.abc import Generator
from itertools import count
from math import inf
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from aiface.errors import DataError, VideoError
from aiface.io.files import number_of
from aiface.io.images import check_size, open_image
from aiface.video.frames import Picture, VideoSource, ready_made

SHORTEST = 0.01  # seconds: what is to be shown for no longer...
INSTEAD = 0.1  # ...browsers show for so long
FRAME_PIXELS = 50_000_000  # at most: several frames are held at once
AGAIN = 0.2  # seconds after which a frame that is still shown is given again, as a camera would see it...
TIMES = 3  # ...but no more often: so many looks are enough for a verdict


class Animation(VideoSource):
    """A picture's frames, decoded by Pillow: FFmpeg doesn't know animated WebP, and shows what lies under transparency.

    A frame that is shown for long is given up to three times.
    """

    def __init__(self, path: str, name: str, rate: float = inf):
        super().__init__(name)
        self._path = Path(path)

    def _read(self) -> Generator[Picture, None, None]:
        at, index = 0.0, 0
        try:
            with open_image(self._path) as image:
                check_size(Path(self.name), image.size, image.format, self._path.stat().st_size, FRAME_PIXELS)
                for index in count(int(getattr(image, "default_image", False))):  # a PNG's is for who can't animate it
                    image.seek(index)
                    shown, lasts = _flat(image), _seconds(image)
                    for time in range(max(1, min(TIMES, int(lasts / AGAIN + 1e-6)))):
                        yield at + time * AGAIN, ready_made(shown)
                    at += lasts
        except EOFError:  # how Pillow says that there is no such frame
            return
        except DataError as error:
            raise VideoError(str(error)) from None
        except Exception as error:  # Pillow's parsers raise whatever they stumble on
            self.warning = f"read {number_of(index, 'frame')}, {at:.1f} s: {error}, so its end is missing"


def _seconds(image: Image.Image) -> float:
    """How long the frame is shown."""
    found = float(image.info.get("duration") or 0) / 1000
    return found if found > SHORTEST else INSTEAD


def _flat(image: Image.Image) -> np.ndarray:
    """RGB uint8, upright, over a white ground."""
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))
