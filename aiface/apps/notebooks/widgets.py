"""For notebooks whose kernel runs elsewhere: files and the camera of the computer that the browser runs on.

Nothing that is sent becomes part of the widgets' state, which Jupyter would save with the notebook.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anywidget
import numpy as np
from PIL import Image

from aiface.apps.web import answer_page
from aiface.apps.web.streams import Live
from aiface.errors import AifaceError, DataError
from aiface.faces.finder import Finder
from aiface.io.files import folder_name
from aiface.models.detector import Detector

LARGEST = 2_000_000  # pixels of a camera's picture; the browser sends half a million


class Upload(anywidget.AnyWidget):
    """A button that puts a file from the browser's computer into `folder`; `path` is None until one is there whole.

    A file whose sending breaks off is not there, and an earlier one stays.
    """

    _esm = Path(__file__).with_name("upload.js")

    def __init__(self, folder: str | Path):
        super().__init__()
        self.path: Path | None = None
        self._folder = Path(folder)
        self.on_msg(self._receive)

    def _receive(self, _: object, part: Mapping, buffers: Sequence[memoryview]) -> None:
        try:
            received = self._write(part["start"], buffers[0])
            if received >= part["total"]:
                self.path = self._part.replace(self._folder / _file_name(part["name"]))
                self.send({"text": f"{self.path} is here. Run the next cells.", "received": received})
            else:
                text = f"{received / 1e6:.0f} of {part['total'] / 1e6:.0f} MB sent"
                self.send({"text": text, "received": received})
        except OSError as error:
            self.send({"text": f"The file can't be kept: {error}", "received": part["total"]})

    @property
    def _part(self) -> Path:
        return self._folder / f".{self.model_id}.part"

    def _write(self, start: int, data: memoryview) -> int:
        """Add a part, and return how many bytes there are now; more than were there is nothing to add to."""
        if start == 0:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._part.write_bytes(b"")
        with self._part.open("r+b") as file:
            file.seek(start)
            file.write(data)
            return file.tell()


def _file_name(name: str) -> str:
    """A name without paths, and with nothing but letters, digits and dashes before its ending."""
    return folder_name(Path(name).stem) + re.sub(r"[^.\w]", "", Path(name).suffix)


class Camera(anywidget.AnyWidget):
    """The browser's camera, started by a button: pictures of it are judged here, and the answers shown there.

    Pictures are judged while no cell runs, and not kept.
    """

    _esm = Path(__file__).with_name("camera.js")
    _css = answer_page.CSS

    def __init__(self, finder: Finder, detector: Detector):
        super().__init__()
        self._live = Live(finder, detector, places=1)
        self.on_msg(self._receive)

    def _receive(self, _: object, __: object, buffers: Sequence[memoryview]) -> None:
        self.send({"page": _said(lambda: self._live.look("browser", _decoded(buffers[0])))})


def _said(page: Callable[[], str]) -> str:
    try:
        return page()
    except AifaceError as error:
        return answer_page.problem(str(error))


def _decoded(jpeg: memoryview) -> np.ndarray:
    """A camera's picture, RGB uint8 `(height, width, 3)`. Raises `DataError` if it is none, or too large."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
            if picture.width * picture.height <= LARGEST:
                return np.asarray(picture.convert("RGB"))
            found = f"one of {picture.width}x{picture.height}"
    except (OSError, ValueError, SyntaxError) as error:
        found = f"{len(jpeg)} bytes that are none ({error})"
    raise DataError(f"the browser's camera: expected a JPEG of at most {LARGEST} pixels, found {found}")
