"""What a notebook needs beside the pipeline: a picture that changes while a clip is judged."""

import io

from IPython.display import Image, display
from PIL import Image as PillowImage
from tqdm.auto import tqdm

from aiface.overlay import draw, label
from aiface.pipeline import Sightings
from aiface.session import Session
from aiface.video import Frame


class LivePicture:
    """Shows each judged frame with its verdicts in place of the last one, above a progress bar in seconds of clip.

    Pass it as `on_sample`. No window is opened, so it works where the notebook runs on another machine.
    """

    def __init__(self, width: int = 640):
        self._width = width
        self._bar = tqdm(unit=" s of clip")
        self._handle = display(display_id=True)

    def __call__(self, frame: Frame, seen: Sightings, session: Session) -> None:
        """Show a frame and the people seen in it."""
        verdicts = [(sighting.box, session.judge(person)) for person, sighting in seen]
        marked = draw(frame.image, [(box, label(verdict), verdict.verdict) for box, verdict in verdicts])
        self._handle.update(Image(self._jpeg(marked), format="jpeg"))
        self._bar.total = session.duration and round(session.duration, 1)
        self._bar.update(round(frame.time - self._bar.n, 1))

    def _jpeg(self, image) -> bytes:
        picture, buffer = PillowImage.fromarray(image), io.BytesIO()
        picture.thumbnail((self._width, self._width))
        picture.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()

    def __enter__(self) -> "LivePicture":
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
