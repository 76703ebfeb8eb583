"""A camera that never stops: 24 hours of frames through finding, tracking, moments, scheduling and verdicts."""

import os
import threading
from collections.abc import Callable, Iterator
from math import cos, sin
from pathlib import Path
from unittest import mock

import numpy as np

from aiface.analysis.look import Look
from aiface.analysis.session import Session
from aiface.faces.crop import CROP_SIZE
from aiface.faces.finder import Face
from aiface.models.detector import Detector
from aiface.video.frames import Frame
from benchmarks.soak.watch import held_mib
from benchmarks.speed.clocks import Row

COUNT = 2_600_000  # frames: 24 hours
RATE = 30.0
GROWTH = 20.0  # MB
VISIT, AWAY = 75, 45  # frames that a person stays, and that pass until the next: longer than the tracker remembers
SIDE, BOX = 160, 72  # pixels of a frame, and of a face in it
POINTS = np.float32(
    ((0.38, 0.4), (0.62, 0.4), (0.5, 0.55), (0.42, 0.7), (0.58, 0.7))
)  # of a face, in shares of its box
CARD = {
    "name": "by brightness",
    "sha256": "0" * 64,
    "training": {},
    "calibration": {"temperature": 1.0, "thresholds": {"0.01": 0.7}, "real_below": 0.3, "unstable_above": 0.2},
}


def frames(count: int) -> Iterator[Frame]:
    """Tiny frames in which people come, sway and go, each of another brightness; and a cut each hour."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (16, SIDE, SIDE, 3), np.uint8)
    for number in range(count):
        dark = number // round(3600 * RATE) % 2
        yield Frame(pictures[number % 16] >> (2 * dark), number / RATE)


class Finder:
    """Up to two people at a time, in two places, each of them soon followed by somebody else."""

    name = "made up"

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, image: np.ndarray) -> list[Face]:
        """Where they are in the next frame; the image itself is not looked at."""
        number, self._number = self._number, self._number + 1
        places = ((4, number), (84, number + VISIT // 2))
        return [self._face(x, at) for x, at in places if at % (VISIT + AWAY) < VISIT]

    @staticmethod
    def _face(x: int, at: int) -> Face:
        box = (x + 3 * sin(at / 20), 40 + 3 * cos(at / 15), BOX, BOX)
        return Face(box, np.float32(box[:2]) + POINTS * BOX, 0.9)


def detector() -> Detector:
    """The real `Detector` around a network that looks at brightness."""
    return Detector(lambda crops: np.float32(crops.mean(axis=(1, 2, 3)) / 20 - 5), CARD)


def held() -> dict[str, int]:
    """Handles and threads of this process."""
    return {"handles": len(os.listdir("/proc/self/fd")), "threads": threading.active_count()}  # noqa: PTH208


def look_at(face: Face, crop: np.ndarray, at: float) -> Look:
    """Stands in for `aiface.analysis.look.look_at`, as `np.full` for the crop: pixels are not the matter."""
    return Look(at, face.box, None, 128.0, 9.0, 1.0, crop)


def stream(count: int, warm: int, say: Callable[[str], None] = print) -> dict:
    """Run so many frames; after `warm` of them memory, handles and threads are taken down, and again along the way."""
    with mock.patch.multiple("aiface.analysis.session", look_at=look_at, crop_face=_crop):
        return _stream(count, warm, say)


def _crop(image: np.ndarray, face: Face) -> np.ndarray:
    return np.full((CROP_SIZE, CROP_SIZE, 3), image[0, 0, 0], np.uint8)


def _stream(count: int, warm: int, say: Callable[[str], None]) -> dict:
    session, shown, before, looks = Session(Finder(), detector()), {}, None, []
    for number, frame in enumerate(frames(count)):
        seen = session.update(frame)
        if number % 30 == 0:  # as while watching: a look a second is scored at once
            for verdict in session.shown(seen):
                name = verdict.answer if verdict else "none yet"
                shown[name] = shown.get(name, 0) + 1
        if number + 1 >= warm and (number + 1 - warm) % max(1, (count - warm) // 20) == 0:
            now = {"mib": held_mib(), **held()}
            before = before or now
            looks.append(now)
            say(f"  {number + 1} of {count}: {now['mib'] - before['mib']:+.1f} MiB")
    verdicts = session.conclude()
    return {"before": before, "looks": looks, "shown": shown, "people": len(verdicts) + session.forgotten,
            "remembered": len(verdicts), "frames": session.frames}  # fmt: skip


def measure(count: int = COUNT, kept: Path | None = None) -> list[Row]:
    """The figures asked for. Warm-up: a quarter, in which the 10,000 people fill who are remembered at most."""
    found = stream(count, warm=count // 4)
    before = found["before"]
    growth = max(look["mib"] for look in found["looks"]) - before["mib"]
    rows = [
        Row(f"memory growth over {found['frames']:,} frames, {found['people']:,} people", f"{growth:.1f} MiB",
            f"< {GROWTH:g} MB", growth * 1.048576 < GROWTH)
    ]  # fmt: skip
    for name in ("handles", "threads"):
        values = sorted({look[name] for look in found["looks"]})
        rows.append(Row(name, ", ".join(map(str, values)), "constant", values == [before[name]]))
    return rows
