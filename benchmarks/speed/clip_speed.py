"""How fast clips are judged, from file to verdict; how a camera is; how much memory it takes; how steady it is."""

import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import partial
from itertools import islice, pairwise
from mmap import PAGESIZE
from pathlib import Path

import numpy as np

from aiface.analysis.pipeline import analyze_video
from aiface.analysis.result import Settings
from aiface.analysis.session import Session
from aiface.apps.live.live import Judge, paced
from aiface.evaluation.clips import list_clips
from aiface.faces.finder import load_finder
from aiface.models.detector import Detector
from aiface.paths import ROOT, WEIGHTS
from aiface.reports.overlay import LOOKING, draw
from aiface.video.opening import Frame
from benchmarks.scenes import HEIGHT, RATE, WIDTH, Broadcast, images, reference_loop
from benchmarks.speed.clocks import NOT_MEASURED, Row, Spread, Turns, at_least, at_most

YUNET = WEIGHTS / "face_detection_yunet_2023mar.onnx"
ROUNDS = 5  # turns of judging a clip
SECONDS = 60  # the clip's length
REFERENCE_FRAMES = 60  # of the clip that the reference loop gets: its pace doesn't change
LIVE_SECONDS = 10
TICK = 0.02  # seconds between looks at how much memory is held
SETTLED = 2.0  # seconds after which a steady clip's verdicts must not change


def pipeline(detector: Detector, clip: Path) -> list[Row]:
    """A whole clip, file to verdict, against the reference loop on its start."""
    finder = load_finder(WEIGHTS)
    functions = {"ours": lambda: analyze_video(clip, finder, detector)}
    functions["every look"] = lambda: analyze_video(clip, finder, detector, Settings(best_looks=None))
    scale = {"ours": SECONDS, "every look": SECONDS, "reference": REFERENCE_FRAMES / RATE}
    if YUNET.is_file():
        predict = partial(detector.network.predict, verbose=0)
        functions["reference"] = lambda: reference_loop(clip, YUNET, predict, REFERENCE_FRAMES)
    turns = Turns(functions, ROUNDS, scale)
    what = f"a {SECONDS} s {WIDTH}x{HEIGHT} clip at {RATE} fps with two people"
    rows = [
        at_least(
            f"{what}: seconds of clip a second, without an annotated copy", Spread.of(1 / turns.seconds["ours"]), 8
        ),
        Row("the same, every look scored", Spread.of(1 / turns.seconds["every look"]).text("x")),
    ]
    if "reference" not in functions:
        return [*rows, Row(f"{what}, against the reference loop", f"{NOT_MEASURED}: run ./fetch.sh faces", ">= 15x")]
    return [at_least(f"{what}, against the reference loop", turns.ratio("reference", "ours"), 15), *rows]


def live(detector: Detector) -> list[Row]:
    """What `python -m aiface live` does with a camera of 30 frames a second, but for the screen."""
    finder, frames = load_finder(WEIGHTS), list(islice(images(), 3 * RATE))
    looks, shown, latencies, judged = [0], [], [], []

    def counted(image: np.ndarray):
        looks[0] += 1
        return finder(image)

    with Broadcast(frames, LIVE_SECONDS) as video, closing(Judge(Session(counted, detector))) as judge:
        video.start()
        began = time.process_time()
        for due in paced(video):
            if due is not None:
                moment, (at, load) = due
                image = load()
                marks = judge(Frame(image, at))
                draw(image, marks, "")
                shown.append(at)
                judged += [at for _, text, _ in marks[:1] if text != LOOKING]
                latencies.append(1000 * (time.monotonic() - moment))
        spent = (time.process_time() - began) / LIVE_SECONDS
    pace, verdicts = len(shown) / LIVE_SECONDS, looks[0] / LIVE_SECONDS
    what = f"live {WIDTH}x{HEIGHT}"
    return [
        Row(f"{what}: frames shown a second", f"{pace:.1f}", f">= {0.97 * RATE:.0f} of {RATE}", pace >= 0.97 * RATE),
        at_most(f"{what}: from a frame's arrival to its picture", Spread.of(latencies), 80, " ms"),
        Row(f"{what}: verdicts a second, each second one from a new score", f"{verdicts:.1f}", ">= 4", verdicts >= 4),
        Row(f"{what}: from the first frame to the first verdict", f"{judged[0]:.2f} s" if judged else "none"),
        Row(f"{what}: core time a second", f"{spent:.2f} s"),
    ]


def start(clip: Path, detector: Path) -> list[Row]:
    """From the command to the first verdict, with the converted network in the cache, against Keras."""
    runs = {name: partial(_process, clip, detector, name) for name in ("openvino", "keras")}
    turns = Turns(runs, ROUNDS)
    return [at_least("`python -m aiface analyze CLIP` of 2 s to its verdict, against Keras scoring",
                     turns.ratio("keras", "openvino"), 5)]  # fmt: skip


def memory(clips: Mapping[str, Path], detector: Path) -> list[Row]:
    """The most memory that judging a clip takes, of clips by their length, and whether the longest takes more.

    At first it grows with the people whose crops are kept, in these clips two for each repetition, up to 32.
    """
    peaks = {length: _process(clip, detector, "openvino") for length, clip in clips.items()}
    rows = [
        Row(f"peak memory of analyze, its decoder's process included, {length} clip", f"{peak:.0f} MiB", "<= 500 MiB",
            peak <= 500) for length, peak in peaks.items()
    ]  # fmt: skip
    before, last = list(peaks)[-2:]
    more = peaks[last] / peaks[before] - 1
    return [*rows, Row(f"the same, {last} against {before}", f"{more:+.1%}", "<= 5 % more", more <= 0.05)]


def _process(clip: Path, detector: Path, runtime: str) -> float:
    """The most memory in MiB that `python -m aiface analyze` on a clip and its decoder held at a time."""
    command = ["analyze", str(clip), "--json", "--detector", str(detector), "--runtime", runtime]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": ROOT}
    most = 0.0
    with subprocess.Popen([sys.executable, "-m", "aiface", *command], **options) as process:
        while process.poll() is None:
            most = max(most, held_mib(process.pid))
            time.sleep(TICK)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, stderr=process.stderr.read())
    return most


def held_mib(pid: int) -> float:
    """The memory in MiB that a process and its children hold now (Linux: proc(5)); what they share counts for each."""
    folder, mib = Path("/proc", str(pid)), 0.0
    with suppress(OSError):  # it ended meanwhile
        mib = int((folder / "statm").read_text().split()[1]) * PAGESIZE / 2**20
        children = " ".join(path.read_text() for path in folder.glob("task/*/children"))
        mib += sum(map(held_mib, map(int, children.split())))
    return mib


def steadiness(detector: Detector, clip: Path) -> list[Row]:
    """How often the verdict that is shown on somebody changes in a clip in which nothing does."""
    shown: dict[int, list[str]] = {}

    def look(frame, seen, session):
        for (person, _), verdict in zip(seen, session.shown(seen), strict=True):
            if frame.time >= SETTLED:
                shown.setdefault(person.id, []).append(verdict.answer if verdict else "looking")

    analyze_video(clip, load_finder(WEIGHTS), detector, on_sample=look)
    changes = sum(one != other for verdicts in shown.values() for one, other in pairwise(verdicts))
    what = f"verdicts shown that change on a steady {SECONDS} s clip, after {SETTLED:g} s ({len(shown)} people)"
    return [Row(what, str(changes), "0", changes == 0)]


def same_verdicts(detector: Detector, clips: Path) -> list[list[str]]:
    """Verdict and score of each clip, from the best looks at each person and from every look."""
    finder, rows = load_finder(WEIGHTS), []
    for clip in list_clips(clips):
        found = [
            analyze_video(clip.path, finder, detector, Settings(best_looks=n)) for n in (Settings.best_looks, None)
        ]
        told = [f"{a.verdict.answer}, {a.verdict.score:.3f}" for a in found]
        scored = [str(sum(len(person.each_look) for person in a.people)) for a in found]
        rows.append([clip.path.name, *told, *scored])
    return rows
