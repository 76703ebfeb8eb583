"""Judging for people who watch from afar: the pages to show, one after the other, of a file or a camera."""

import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock

import numpy as np

from aiface.analysis.pipeline import analyze_video
from aiface.analysis.result import Analysis, Settings
from aiface.analysis.session import Looks, Session
from aiface.analysis.stills import analyze_images
from aiface.apps.throttle import Throttle
from aiface.apps.web import answer_page
from aiface.errors import AifaceError, DataError
from aiface.faces.finder import Face, Finder
from aiface.faces.stills import ScaledFinder
from aiface.io.media_kinds import IMAGE
from aiface.models.detector import Detector
from aiface.provenance.inspector import kind
from aiface.reports.overlay import draw, live_marks, shown_marks
from aiface.reports.report import Report
from aiface.video.opening import Frame

INTERVAL = 0.25  # seconds between pictures of a clip at least
GONE = 10.0  # seconds without a picture after which a camera's client has left
FULL = "All places are taken just now. Please try again in a few minutes."


class Shared:
    """One face finder for several threads, which it serves one after the other."""

    def __init__(self, finder: Finder):
        self.name, self._finder, self._lock = finder.name, finder, Lock()

    def __call__(self, image: np.ndarray) -> list[Face]:
        """As the finder has it."""
        with self._lock:
            return self._finder(image)

    def look(self, image: np.ndarray, side: int) -> list[Face]:
        """As the finder has it, or nothing more where it has one scale alone."""
        with self._lock:
            return self._finder.look(image, side) if isinstance(self._finder, ScaledFinder) else []


def judge(path: str | Path, finder: Finder, detector: Detector, seconds: float) -> Iterator[str]:
    """Pages to show while a file is judged, the last of which is the answer, or why there is none.

    Of a clip the first `seconds` are judged. When the iterator is closed, judging stops.
    """
    path = Path(path)
    yield answer_page.waiting("Opening the file...")
    try:
        if kind(path) == IMAGE:
            (analysis,) = analyze_images([path], finder, detector)
            if analysis.error:
                raise DataError(analysis.error)
        else:
            analysis = yield from _judge_clip(path, finder, detector, seconds)
        yield answer_page.result(Report.of(analysis, detector))
    except AifaceError as error:
        yield answer_page.problem(str(error).replace(str(path.resolve()), path.name).replace(str(path), path.name))


def _judge_clip(path: Path, finder: Finder, detector: Detector, seconds: float) -> Generator[str, None, Analysis]:
    news: SimpleQueue[str | None] = SimpleQueue()
    stop, durations, pace = Event(), [0.0], Throttle(INTERVAL)

    def on_sample(frame: Frame, seen: Looks, session: Session) -> None:
        if stop.is_set():
            raise AifaceError("stopped: nobody watches any more")
        durations[0] = session.duration or 0.0
        if pace.left <= 0:
            with pace:
                news.put(_picture(frame, seen, session, seconds))

    with ThreadPoolExecutor(1, "aiface judge") as pool:
        done = pool.submit(analyze_video, path, finder, detector, Settings(), on_sample, seconds=seconds)
        done.add_done_callback(lambda _: news.put(None))
        try:
            while (page := news.get()) is not None:
                yield page
        finally:
            stop.set()
        analysis = done.result()
    return _with_limit(analysis, durations[0], seconds)


def _picture(frame: Frame, seen: Looks, session: Session, seconds: float) -> str:
    end = min(session.duration, seconds) if session.duration else None
    return answer_page.progress(draw(frame.image, live_marks(seen, session)), frame.time, end)


def _with_limit(analysis: Analysis, duration: float, seconds: float) -> Analysis:
    if max(duration, analysis.seconds + 1) > seconds + 1:
        analysis.warnings.append(f"only the first {seconds:g} seconds were judged, as much as this server allows")
    return analysis


class Live:
    """Cameras of up to `places` clients, who know nothing of each other: each has a session of its own.

    A client of whom no picture came for 10 s has left, and finds a new session on return.
    """

    def __init__(self, finder: Finder, detector: Detector, places: int):
        self._finder, self._detector, self._places = finder, detector, places
        self._clients: dict[str, _Camera] = {}
        self._lock = Lock()

    def look(self, client: str, image: np.ndarray) -> str:
        """The page to show after another picture, RGB uint8 `(height, width, 3)`, of a client's camera."""
        camera = self._camera(client)
        return answer_page.problem(FULL) if camera is None else camera.look(image)

    def _camera(self, client: str) -> "_Camera | None":
        now = time.monotonic()
        with self._lock:
            self._clients = {name: camera for name, camera in self._clients.items() if now - camera.used <= GONE}
            if client not in self._clients and len(self._clients) >= self._places:
                return None
            camera = self._clients.setdefault(client, _Camera(self._finder, self._detector))
            camera.used = now
            return camera


class _Camera:
    """One client's session, with times since it began."""

    def __init__(self, finder: Finder, detector: Detector):
        self._session, self._began, self._lock = Session(finder, detector), time.monotonic(), Lock()
        self.used = self._began

    def look(self, image: np.ndarray) -> str:
        with self._lock:
            seen = self._session.update(Frame(np.ascontiguousarray(image), time.monotonic() - self._began))
            shown = self._session.shown(seen)
        return answer_page.live(draw(image, shown_marks(seen, shown)), shown)
