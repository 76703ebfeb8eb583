"""`make demo`: execute `inference.ipynb` on what is named and say what was found and where it lies."""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from skimage.data import astronaut

from aiface.apps.notebooks.runner import execute
from aiface.errors import AifaceError
from aiface.faces.finder import HOW_TO_GET_YUNET, WITHOUT_YUNET, YUNET_FILE
from aiface.io.files import number_of, print_any_name
from aiface.paths import ROOT, WEIGHTS
from aiface.reports.folder import SKIPPED
from aiface.reports.wording import WORDS
from aiface.video.opening import Frame
from aiface.video.writer import VideoWriter


def astronaut_clip(path: str | Path, seconds: float = 4.0, rate: int = 25) -> Path:
    """Write a clip of scikit-image's public-domain astronaut photo moving before a background; return its path.

    Eileen Collins, photographed by NASA: a real person, with which to try things where nothing can be fetched.
    """
    with VideoWriter(path, 640, 360) as writer:
        for frame in _astronaut_frames(round(seconds * rate), rate):
            writer.write(frame)
    return Path(path)


def _astronaut_frames(number: int, rate: int) -> Iterator[Frame]:
    photo = np.ascontiguousarray(astronaut()[:340, 60:400])  # head and shoulders
    rows, columns = np.mgrid[:360, :640]
    background = np.stack((40 + columns // 16, 60 + rows // 8, 90 + columns // 12), axis=-1).astype(np.uint8)
    for index in range(number):
        image = background.copy()
        left = round(150 + 120 * np.sin(np.pi / 2 * index / rate))  # there and back in 4 s
        image[20:360, left : left + 340] = photo
        yield Frame(image, index / rate)


def main() -> int:
    """Judge what was named, or a clip made from the astronaut photo; 1 where something could not be judged."""
    parser = argparse.ArgumentParser(description="Judge a clip, a picture, a folder of them or an address.")
    parser.add_argument("--video", default="", help="what to judge (default: a clip made from a photo)")
    parser.add_argument("--out", type=Path, default=ROOT / "output", help="folder for the results (default output/)")
    options = parser.parse_args()
    print_any_name()
    try:
        return _demo(options.video, options.out)
    except AifaceError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130


def _demo(video: str, out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    fetch_yunet()
    source = video or str(astronaut_clip(out / "astronaut.mp4"))
    print(f"judging {source}", flush=True)
    here = source if "://" in source else str(Path(source).absolute())
    executed = execute("inference.ipynb", out / "inference.ipynb", {"SOURCE": here, "OUT": str(out.absolute())})
    return _tell(out, executed)


def fetch_yunet(weights: Path = WEIGHTS) -> None:
    """Fetch the face finder unless it is there; where it can't be had, say what is lost and how to mend that."""
    if (weights / YUNET_FILE).is_file():
        return
    print("fetching YuNet, which finds faces (0.2 MB)", flush=True)
    if reason := _fetch_fault():
        print(f"It could not be fetched: {reason}.\nSo {WITHOUT_YUNET}.\nTo mend it: {HOW_TO_GET_YUNET}.\n", flush=True)


def _fetch_fault() -> str:
    """Why fetch.sh could not bring YuNet; "" if it did."""
    try:
        ran = subprocess.run([ROOT / "fetch.sh", "faces"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError as error:  # no bash
        return f"fetch.sh can't be run ({error})"
    lines = ran.stderr.strip().splitlines() or ["fetch.sh failed"]
    return lines[-1].removeprefix("fetch.sh: ").split("; ")[0] if ran.returncode else ""


def _tell(out: Path, executed: Path) -> int:
    """What was found, and where it lies."""
    rows = json.loads((out / "index.json").read_text(encoding="utf-8"))["inputs"]
    for row in rows:
        print("", *_lines(out, row), sep="\n")
    if len(rows) > 1:
        print(f"\n{tally(rows)}\nindex of all      {out / 'index.html'}")
    print(f"executed notebook {executed}")
    return 1 if any(row["verdict"] == "error" for row in rows) else 0


def _lines(out: Path, row: dict) -> Iterator[str]:
    """On one input: the answer, a line for each person, and where to look."""
    if row["verdict"] == SKIPPED:
        yield f"{row['path']}: skipped, {row['why']}"
        return
    if row["verdict"] not in WORDS:
        yield f"could not be judged: {row['why']}"
        return
    report = json.loads((out / row["report"]).with_suffix(".json").read_text(encoding="utf-8"))
    yield f"{row['path']}: {WORDS[row['verdict']]}"
    yield from (f"  {line}" for line in (*report["summary"], *report["warnings"]))
    yield f"report            {out / row['report']}"
    if row["annotated"]:
        yield f"annotated {'video' if row['annotated'].endswith('.mp4') else 'image'}   {out / row['annotated']}"


def tally(rows: Sequence[dict]) -> str:
    """How many inputs there are, and how many of them were not judged.

    >>> tally([{"verdict": "real"}, {"verdict": "error"}, {"verdict": "skipped"}])
    '3 inputs: 1 judged, 1 could not be judged, 1 skipped'
    """
    kinds = Counter(row["verdict"] if row["verdict"] not in WORDS else "judged" for row in rows)
    parts = [f"{kinds['judged']} judged"]
    parts += [f"{kinds['error']} could not be judged"] * bool(kinds["error"])
    parts += [f"{kinds[SKIPPED]} skipped"] * bool(kinds[SKIPPED])
    return f"{number_of(len(rows), 'input')}: {', '.join(parts)}"


if __name__ == "__main__":
    sys.exit(main())
