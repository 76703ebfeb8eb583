"""Cameras that block, drop out, change their size or are unplugged, each before a process of `python -m aiface live`.

    python -m benchmarks.soak.camera FAULT

is such a process, with a made-up camera. It prints "now" when the fault begins, and "again" with a picture after it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Event
from unittest import mock

import numpy as np

from benchmarks.soak.stream import Finder, detector
from benchmarks.soak.watch import ROOT
from benchmarks.speed.clocks import Row

GOOD = 30  # pictures before the fault
AWAY = 1.5  # seconds until a camera that comes back does
SETTLED = 0.7  # seconds into a fault at which Ctrl-C comes
LONGEST = 5.0  # seconds until a picture or a named error
QUICK = 2.0  # seconds until the end after Ctrl-C
SIDE = 160


class Camera:
    """Stands in for `cv2.VideoCapture`; what is common to all openings is the class's."""

    fault = "none"
    taken = 0
    since: float | None = None  # `time.monotonic` when the fault began

    def __init__(self, index: int):
        self._opened_anew = Camera.since is not None

    def isOpened(self) -> bool:
        """Whether there is a camera."""
        return not self._opened_anew or (COMES_BACK in Camera.fault and time.monotonic() - Camera.since > AWAY)

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Thirty pictures a second, until the fault."""
        time.sleep(1 / 30)
        Camera.taken += 1
        if Camera.taken > GOOD:
            if Camera.since is None:
                Camera.since = time.monotonic()
                print("now", flush=True)
            if not self._opened_anew and (after := FAULTS[Camera.fault]):
                return after()
            if self._opened_anew:
                print("again", flush=True)
        return picture(SIDE)

    def release(self) -> None:
        """Nothing to let go of."""


def picture(side: int) -> tuple[bool, np.ndarray]:
    """What `read` gives: each picture another."""
    return True, np.full((side, side, 3), Camera.taken % 200, np.uint8)


def nothing() -> tuple[bool, None]:
    """What `read` gives of a camera that is not there."""
    return False, None


def fail() -> None:
    """What some drivers do."""
    raise RuntimeError("unplugged")


NAMED, BACK, STOPPED = "its name", "again", "Ctrl-C"  # what is waited for
COMES_BACK = "comes back"
FAULTS: Mapping[str, Callable[[], object] | None] = {
    "blocks": lambda: Event().wait(), "gives nothing": nothing, "fails": fail, f"fails and {COMES_BACK}": fail,
    f"gives nothing and {COMES_BACK}": nothing, "changes its size": lambda: picture(2 * SIDE), "none": None,
}  # fmt: skip
ASKED: Mapping[str, tuple[str, float, int, str, tuple[str, ...]]] = {
    NAMED: ("from the fault to its name in an error", LONGEST, 1, "aiface: camera 0: expected a frame, but it stalled",
            ("blocks", "gives nothing", "fails")),
    BACK: (f"from the fault to the next picture, of a camera that was away for {AWAY:g} s", LONGEST, 130,
           "aiface: stopped\n", tuple(name for name in FAULTS if COMES_BACK in name)),
    STOPPED: ("from Ctrl-C to the end", QUICK, 130, "aiface: stopped\n", tuple(FAULTS)),
}  # fmt: skip


def watched(fault: str, what: str) -> tuple[float, int, str]:
    """Seconds from a fault (or from Ctrl-C, if that is `what`) to `what`; how its process ends, and what it says."""
    command, environment = [sys.executable, "-m", "benchmarks.soak.camera", fault], {"SDL_VIDEODRIVER": "dummy"}
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as child:  # fmt: skip
        try:
            start, named, end = _await(child, "now"), "", None
            if what == NAMED:
                named, end = child.stderr.readline(), time.monotonic()
            elif what == BACK:
                end = _await(child, BACK)
            if what != NAMED:
                time.sleep(SETTLED)
                child.send_signal(signal.SIGINT)
            start = time.monotonic() if what == STOPPED else start
            rest = child.communicate(timeout=60)[1]
            return (end or time.monotonic()) - start, child.returncode, named + rest
        finally:
            child.kill()


def _await(child: subprocess.Popen, word: str) -> float:
    while (line := child.stdout.readline()) != f"{word}\n":
        if not line:
            raise AssertionError(f"expected {word!r} of the camera, found its end: {child.stderr.read()[-500:]}")
    return time.monotonic()


def fault_of(fault: str, what: str) -> tuple[float, str | None]:
    """The seconds of `watched`, and what is wrong with them or the end, or None."""
    _, most, status, words, _ = ASKED[what]
    seconds, found, said = watched(fault, what)
    if (found, said.startswith(words)) != (status, True):
        return seconds, f"{fault}: status {found}, {said[-200:]!r}"
    return seconds, f"{fault}: {seconds:.1f} s" if seconds > most else None


def measure(count: int = 0, kept: Path | None = None) -> list[Row]:
    """The figures asked for; `count` is no matter here."""
    return [_row(what, {fault: fault_of(fault, what) for fault in ASKED[what][4]}) for what in ASKED]


def _row(what: str, found: Mapping[str, tuple[float, str | None]]) -> Row:
    label, most, *_ = ASKED[what]
    longest, wrong = max(seconds for seconds, _ in found.values()), [fault for _, fault in found.values() if fault]
    return Row(f"{label} ({', '.join(found)})", "; ".join([f"{longest:.1f} s at most", *wrong]), f"<= {most:g} s",
               not wrong)  # fmt: skip


def main(fault: str) -> int:
    """Judge the camera as the command does."""
    from aiface.__main__ import main as aiface
    from aiface.video.opening import open_video

    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have what runs in the background ignore it
    Camera.fault = fault
    made_up = {
        "aiface.apps.live.live.open_video": partial(open_video, capture=Camera),
        "aiface.faces.finder.load_finder": lambda folder: Finder(),
        "aiface.models.detector.load_detector": lambda *_: detector(),
    }
    for name, value in made_up.items():
        mock.patch(name, value).start()
    return aiface(["live", "0"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
