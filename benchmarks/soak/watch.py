"""Thousands of damaged files given to code in a process of its own, so that a crash or a hang is seen and named.

A child tries case after case and says so in lines of JSON; its parent notes what came of each, and after a crash or a
hang starts another child at the next case. What was found is kept on disk, so an interrupted run goes on.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from aiface.io.files import write_json
from aiface.paths import ROOT

HANG = 60.0  # seconds without an answer
KEEP = 500  # cases after which what was found is written down


@dataclass
class Tally:
    """What came of the cases so far. `seconds` and `mib` are the worst of any, with its case; MiB above the base."""

    cases: int = 0
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    seconds: tuple[float, int] = (0.0, -1)
    mib: tuple[float, int] = (0.0, -1)
    outcomes: dict[str, int] = field(default_factory=dict)

    def add(self, case: int, seconds: float, mib: float, outcome: str) -> None:
        """Count a case that was answered."""
        self.seconds = max(tuple(self.seconds), (seconds, case))
        self.mib = max(tuple(self.mib), (mib, case))
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


def run(module: str, count: int, seed: int, kept: Path | None = None, limit: float = HANG) -> Tally:
    """Try `count` cases of a module that calls `serve`, from where `kept`, a JSON file, says that it was left."""
    tally = Tally(**json.loads(kept.read_text(encoding="utf-8"))) if kept and kept.exists() else Tally()
    while tally.cases < count:
        _one_child(module, count, seed, tally, kept, limit)
    if kept:
        write_json(kept, asdict(tally))
    return tally


def _one_child(module: str, count: int, seed: int, tally: Tally, kept: Path | None, limit: float) -> None:
    """Go on until the end, or until the child dies or hangs; that case is then noted and passed over."""
    command = [sys.executable, "-X", "faulthandler", "-m", module, str(seed), str(tally.cases), str(count)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # Its temporary files lie in a folder of ours: who is killed clears nothing away
    with (
        tempfile.TemporaryDirectory(prefix="aiface-soak-") as folder,
        subprocess.Popen(command, **pipes, cwd=ROOT, env=os.environ | {"TMPDIR": folder}) as child,
    ):
        lines, errors = _Lines(child.stdout), _Lines(child.stderr)
        try:
            while tally.cases < count and _next(lines, errors, seed, tally, limit):
                if kept and tally.cases % KEEP == 0:
                    write_json(kept, asdict(tally))
                    print(f"  {tally.cases} of {count}", flush=True)
        finally:
            child.kill()
            lines.join()
            errors.join()


def _next(lines: "_Lines", errors: "_Lines", seed: int, tally: Tally, limit: float) -> bool:
    """Note what came of the next case; whether the child goes on."""
    case, tally.cases = tally.cases, tally.cases + 1
    try:
        line = lines.ready.get(timeout=limit)
    except Empty:
        tally.hangs.append(f"seed {seed}, case {case}")
        return False
    if line is None:
        tally.crashes.append(f"seed {seed}, case {case}: {errors.last()}")
        return False
    tally.add(**json.loads(line))
    return True


class _Lines(Thread):
    """A child's lines as they come, read in a thread so that waiting for one can end; None at the end."""

    def __init__(self, stream: Iterable[str]):
        super().__init__(daemon=True)
        self.ready, self._stream = SimpleQueue(), stream
        self.start()

    def run(self) -> None:
        """Read to the end."""
        for line in self._stream:
            self.ready.put(line)
        self.ready.put(None)

    def last(self) -> str:
        """The first line of what Python says of a signal, or the last of a traceback."""
        found = list(iter(self.ready.get, None))
        fatal = [line for line in found if line.startswith("Fatal")]
        return " ".join("".join(fatal or found[-3:]).split())


def serve(attempt: Callable[[int, int], str]) -> None:
    """The child: `attempt(seed, case)` for each case asked for, and a line on how that went.

    A case that took long is tried again, since others use this machine too: the better time counts.
    """
    seed, first, end = map(int, sys.argv[1:4])
    attempt(seed, -1)  # what every process pays once
    base = held_mib()
    for case in range(first, end):
        reset_peak()
        seconds, outcome = _timed(attempt, seed, case)
        mib = held_mib("VmHWM") - base
        if seconds > 0.25:
            seconds = min(seconds, _timed(attempt, seed, case)[0])
        print(json.dumps({"case": case, "seconds": round(seconds, 4), "mib": round(mib, 1), "outcome": outcome}))
        sys.stdout.flush()


def _timed(attempt: Callable[[int, int], str], seed: int, case: int) -> tuple[float, str]:
    start = time.perf_counter()
    outcome = attempt(seed, case)
    return time.perf_counter() - start, outcome


def held_mib(what: str = "VmRSS") -> float:
    """The memory that this process holds now, or with "VmHWM" the most since `reset_peak` (Linux: proc(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


def reset_peak() -> None:
    """Count the most memory held anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
