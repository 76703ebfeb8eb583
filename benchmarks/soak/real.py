"""Half an hour of clips really decoded, searched, scored and judged, one after the other, in one process."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from aiface.analysis.pipeline import analyze_video
from aiface.faces.finder import load_finder
from aiface.models.detector import load_detector
from aiface.paths import DETECTOR, WEIGHTS
from benchmarks.scenes import write_clip
from benchmarks.soak.stream import GROWTH, held
from benchmarks.soak.watch import held_mib
from benchmarks.speed.clocks import Row

COUNT = 1800  # seconds
SECONDS = 20  # of the clip
WARM = 0.25  # of the time, after which memory is looked at


def judge(count: float, say: Callable[[str], None] = print) -> tuple[int, list[dict]]:
    """Judge a clip over and over for `count` seconds; how often, and memory, handles and threads after each time."""
    finder, detector, looks = load_finder(WEIGHTS), load_detector(DETECTOR), []
    with tempfile.TemporaryDirectory(prefix="aiface-") as folder:
        clip, start = write_clip(Path(folder, "clip.mp4"), SECONDS), time.monotonic()
        while time.monotonic() - start < count or len(looks) < 4:
            analysis = analyze_video(clip, finder, detector)
            if analysis.error or not analysis.people:
                raise AssertionError(f"expected people, found {analysis.error}")
            looks.append({"at": time.monotonic() - start, "mib": held_mib(), **held()})
            if len(looks) % 50 == 0:
                say(f"  {looks[-1]['at']:.0f} of {count} s: {looks[-1]['mib']:.1f} MiB")
    return len(looks), [look for look in looks if look["at"] >= WARM * looks[-1]["at"]]


def measure(count: int = COUNT, kept: Path | None = None) -> list[Row]:
    """The figures asked for."""
    times, looks = judge(count)
    growth = max(look["mib"] for look in looks) - looks[0]["mib"]
    rows = [
        Row(f"memory growth over {count / 60:g} min, {times * SECONDS / 60:.0f} min of 720p video", f"{growth:.1f} MiB",
            f"< {GROWTH:g} MB", growth * 1.048576 < GROWTH)
    ]  # fmt: skip
    for name in ("handles", "threads"):
        values = sorted({look[name] for look in looks})
        rows.append(Row(name, ", ".join(map(str, values)), "constant", len(values) == 1))
    return rows
