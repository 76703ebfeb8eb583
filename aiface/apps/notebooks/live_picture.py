"""What a notebook needs beside the pipeline: a picture that changes while a clip is judged."""

import io
import time

import numpy as np
from IPython.display import Image, display
from PIL import Image as PillowImage
from tqdm.auto import tqdm

from aiface.analysis.session import Looks, Session
from aiface.apps.throttle import Throttle
from aiface.reports.overlay import draw, live_marks
from aiface.video.frames import Frame

INTERVAL = 0.1  # seconds between pictures at least


class LivePicture:
    """Shows judged frames with their verdicts, each in place of the last, above a progress bar in seconds of clip.

    In the corner: pictures a second, and milliseconds that a sampled frame takes. Pass it as `on_sample`. No window is
    opened, so it works where the notebook runs on another machine.
    """

    def __init__(self, width: int = 640):
        self._width = width
        self._bar = tqdm(unit=" s of clip")
        self._handle = display(display_id=True)
        self._pace, self._shown = Throttle(INTERVAL), -np.inf

    def __call__(self, frame: Frame, seen: Looks, session: Session) -> None:
        """Show a frame and score the people seen in it, unless another was shown just before."""
        if self._pace.left <= 0:
            with self._pace:
                self._show(frame, seen, session)
        self._bar.total = session.duration and round(session.duration, 1)
        self._bar.update(round(frame.time - self._bar.n, 1))

    def _show(self, frame: Frame, seen: Looks, session: Session) -> None:
        before, self._shown = self._shown, time.monotonic()
        marks, table = live_marks(seen, session), session.stopwatch.table(session.frames)
        took = sum(table.get(stage, 0) for stage in ("find", "crop", "score"))
        corner = f"{1 / (self._shown - before):.0f} fps, {took:.0f} ms"
        self._handle.update(Image(self._jpeg(draw(frame.image, marks, corner)), format="jpeg"))

    def _jpeg(self, image: np.ndarray) -> bytes:
        picture, buffer = PillowImage.fromarray(image), io.BytesIO()
        picture.thumbnail((self._width, self._width))
        picture.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()

    def __enter__(self) -> "LivePicture":
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
