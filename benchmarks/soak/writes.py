"""Every writer on a full disk and in a read-only folder: a named error, and what was there before is unchanged."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from aiface.analysis.result import Analysis
from aiface.data.crop_sets import prepare
from aiface.data.folders import Item
from aiface.errors import AifaceError
from aiface.io.files import sha256, write_csv, write_json, write_text
from aiface.models.calibration import Calibration
from aiface.reports.page import write_report
from aiface.reports.report import Report
from aiface.training.run_folder import save_state
from aiface.video.frames import Frame
from aiface.video.writer import VideoWriter
from benchmarks.soak.kills import make_crops, whole_picture
from benchmarks.soak.stream import CARD, detector
from benchmarks.speed.clocks import Row

DISK = 8 << 20  # bytes
FILLER = "filler"
KINDS = ("full", "read-only")

Writer = Callable[[Path, int], object]  # into a folder, another content for another number


def _noise(number: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, shape, np.uint8)


def _text(folder: Path, number: int) -> None:
    write_text(folder / "page.html", f"{number} " * 50_000)


def _json(folder: Path, number: int) -> None:
    write_json(folder / "figures.json", [number] * 20_000)


def _csv(folder: Path, number: int) -> None:
    write_csv(folder / "table.csv", ({"a": number} for _ in range(20_000)), ["a"])


def _report(folder: Path, number: int) -> None:
    analysis = Analysis(f"clip-{number}", warnings=["a warning " * 5000])
    write_report(Report.of(analysis, detector()), folder / "report.html")


def _video(folder: Path, number: int) -> None:
    with VideoWriter(folder / "clip.mp4", 320, 240) as writer:
        for index in range(30):
            writer.write(Frame(_noise(100 * number + index, 240, 320, 3), index / 30))


def _state(folder: Path, number: int) -> None:
    save_state(folder, number, [_noise(number, 500_000)], {"epoch": number})


def _bundle(folder: Path, number: int) -> None:
    from aiface.models.bundle import save_bundle
    from benchmarks.soak.trainee import keras, tiny

    keras.utils.set_random_seed(number)
    save_bundle(tiny("small"), folder / "bundle", Calibration(**CARD["calibration"]), {"summary": ""}, {})


def shards_of(pictures: Path) -> Writer:
    """A writer of shards from one picture more each time."""
    found = sorted(pictures.rglob("*.png"))

    def write(folder: Path, number: int) -> None:
        items = [Item(path, label=0, split="train", source="made up") for path in found[: 3 * number]]
        prepare(items, folder / "shards", lambda: whole_picture)

    return write


WRITERS: Mapping[str, Writer] = {
    "text": _text, "JSON": _json, "CSV": _csv, "report": _report, "video": _video, "run state": _state,
    "bundle and card": _bundle,
}  # fmt: skip


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 8 MB in memory. Raises `PermissionError` where this process may mount none."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(f"a small disk can't be mounted here ({done.stderr.strip()})")
    try:
        yield folder
    finally:
        # lazily: FFmpeg keeps a file open whose end it could not write
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def block(folder: Path, kind: str) -> None:
    """Fill a small disk to the last byte, or make it read-only."""
    if kind == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        return
    with open(folder / FILLER, "wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def contents(folder: Path) -> dict[str, str]:
    """The hash of each file but the filler."""
    return {str(p.relative_to(folder)): sha256(p) for p in folder.rglob("*") if p.is_file() and p.name != FILLER}


def fault(writer: Writer, kind: str, disk: Path) -> str | None:
    """What is wrong with how a writer fails on a small disk, or None: an error of ours, and the earlier files whole."""
    writer(disk, 1)
    before = contents(disk)
    block(disk, kind)
    try:
        writer(disk, 2)
    except AifaceError as error:
        message = str(error)
    except Exception as error:
        return f"raised {error!r}"
    else:
        return "raised nothing"
    if contents(disk) != before:
        return f"changed {sorted(set(contents(disk).items()) ^ set(before.items()))}"
    return None if "expected to write" in message and str(disk) in message else f"said only: {message}"


def measure(count: int = 0, kept: Path | None = None) -> list[Row]:
    """The figures asked for; `count` is no matter here."""
    with tempfile.TemporaryDirectory(prefix="aiface-soak-") as folder:
        folder = Path(folder)
        make_crops(folder)
        writers = {**WRITERS, "shards": shards_of(folder / "tree")}
        try:
            return [_row(kind, writers, folder) for kind in KINDS]
        except PermissionError as error:
            return [Row("writers on a full and on a read-only disk", f"not measured: {error}")]


def _row(kind: str, writers: Mapping[str, Writer], folder: Path) -> Row:
    faults = {}
    for name, writer in writers.items():
        with small_disk(folder / f"{kind} {name}") as disk:
            faults[name] = fault(writer, kind, disk)
    wrong = [f"{name} {found}" for name, found in faults.items() if found]
    return Row(f"writers on a {kind} disk: {', '.join(writers)}",
               f"{len(writers) - len(wrong)} of {len(writers)} fail well{''.join(f'; {w}' for w in wrong)}",
               "named error, earlier files whole", not wrong)  # fmt: skip


if __name__ == "__main__":
    for row in measure():
        print(row)
