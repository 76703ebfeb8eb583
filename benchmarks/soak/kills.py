"""Trainings that are killed again and again have to end as one that was left alone."""

import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from aiface.data.crop_sets import prepare
from aiface.data.folders import scan
from aiface.faces.finder import Face
from benchmarks.soak.watch import ROOT
from benchmarks.speed.clocks import Row

COUNT, SEED = 20, 7
POINTS = ("half a state", "before fsync", "before rename", "no state yet", "no progress yet", "before the old is gone")
LATEST = 1.5  # seconds after an epoch began: its first steps, which compile, take about as long
ALIGNED = np.float32(((0.375, 0.474), (0.625, 0.474), (0.5, 0.6), (0.4, 0.734), (0.6, 0.734)))


def whole_picture(image: np.ndarray) -> list[Face]:
    """A finder that takes each picture for one aligned face."""
    side = image.shape[0]
    return [Face((0.25 * side, 0.25 * side, 0.5 * side, 0.6 * side), ALIGNED * side, 1.0)]


def make_crops(folder: Path) -> Path:
    """A dozen pictures for each split, shapes on noise; those that stand for AI have a checkerboard over them."""
    rng = np.random.default_rng(SEED)
    board = 8.0 * (np.indices((256, 256)).sum(axis=0) // 4 % 2 * 2 - 1)[..., None]
    for number in range(24):
        name, split = ("real", "fake")[number % 2], ("train", "valid")[number // 12]
        soft = cv2.resize(rng.uniform(0, 255, (6, 6, 3)), (256, 256), interpolation=cv2.INTER_CUBIC)
        image = (soft + rng.normal(0, 4, soft.shape) + (number % 2) * board).clip(0, 255).astype(np.uint8)
        path = folder / "tree" / split / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
    prepare(scan(folder / "tree"), folder / "crops", lambda: whole_picture)
    return folder / "crops"


@dataclass
class Turn:
    """One process: whether it was killed, the epoch it went on from, the last it said was saved, and its hash."""

    killed: bool
    start: int
    saved: int
    digest: str | None
    said: str


def turn(crops: Path, run: Path, *when: object) -> Turn:
    """Train, or go on, up to a kill or the end."""
    command = [sys.executable, "-m", "benchmarks.soak.trainee", str(crops), str(run), *map(str, when)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    said = dict(line.split() for line in done.stdout.splitlines())  # the last of each kind
    start = int(said.get("from", -1))
    return Turn(done.returncode == -signal.SIGKILL, start, int(said.get("saved", start)), said.get("digest"),
                done.stderr)  # fmt: skip


def plan(count: int, seed: int = SEED) -> list[tuple[int, object]]:
    """For each kill, the epoch and the point within saving, or how many seconds after the epoch began."""
    rng = np.random.default_rng(seed)
    moments = rng.uniform(0, LATEST, count).round(3).tolist()
    return [(n + 1, POINTS[n // 2 % len(POINTS)] if n % 2 else moments[n]) for n in range(count)]


def measure(count: int = COUNT, kept: Path | None = None) -> list[Row]:
    """The figures asked for: one training killed so many times, beside two that are left alone."""
    with tempfile.TemporaryDirectory(prefix="aiface-soak-") as folder:
        folder = Path(folder)
        crops = make_crops(folder)
        alone = [turn(crops, folder / name).digest for name in ("one", "two")]
        turns = []
        for when in plan(count):
            turns.append(turn(crops, folder / "killed", *when))
            print(f"  kill {len(turns)} of {count}, {when[1]}: {turns[-1].said or 'as planned'}", flush=True)
        last = turn(crops, folder / "killed")
    return rows(plan(count), [*turns, last], alone)


def rows(planned: list[tuple[int, object]], turns: list[Turn], alone: list[str | None]) -> list[Row]:
    """What came of it, held against the bars."""
    killed = [turn for turn in turns[:-1] if turn.killed]
    inside = sum(turn.killed and when[1] in POINTS for when, turn in zip(planned, turns, strict=False))
    resumed = sum(after.start >= 0 for turn, after in pairwise(turns) if turn.killed)
    reached = [max(turn.saved, turn.start, 0) for turn in turns]
    lost = max(before - after.start for before, after in zip(reached, turns[1:], strict=False))
    count, same = len(planned), turns[-1].digest is not None and turns[-1].digest == alone[0]
    return [
        Row(f"kills, {inside} of them inside a save", str(len(killed)), f"{count}, at least {count // 4} inside",
            len(killed) == count and inside >= count // 4),
        Row("resumed after a kill", f"{resumed} of {len(killed)}", "all", resumed == len(killed) > 0),
        Row("saved epochs lost, at most", str(max(lost, 0)), "0 (and the one at hand)", lost <= 0),
        Row("weights, optimizer, averages, best weights, history", "bit-equal" if same else "differ",
            "as never killed", same),
        Row("the same training twice", "same hash" if alone[0] == alone[1] else "differs", "same hash",
            alone[0] is not None and alone[0] == alone[1]),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in measure():
        print(row)
