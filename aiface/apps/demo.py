"""`make demo`: execute `inference.ipynb` on a clip and say what was found and where it lies."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from skimage.data import astronaut

from aiface.apps.notebooks.runner import execute
from aiface.errors import AifaceError
from aiface.faces.finder import YUNET_FILE
from aiface.io.files import folder_name
from aiface.paths import ROOT, WEIGHTS
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
    """Judge the clip that was named, or one made from the astronaut photo."""
    parser = argparse.ArgumentParser(description="Judge a clip with inference.ipynb.")
    parser.add_argument("--video", type=Path, help="your own clip (default: one made from a photo)")
    parser.add_argument("--out", type=Path, default=ROOT / "output", help="folder for the results (default output/)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if not (WEIGHTS / YUNET_FILE).is_file():
        print("going on without YuNet: MTCNN finds the faces, 15 times slower")
    try:
        video = options.video or astronaut_clip(options.out / "astronaut.mp4")
        parameters = {"SOURCE": str(video.resolve()), "OUT": str(options.out.resolve())}
        executed = execute("inference.ipynb", options.out / "inference.ipynb", parameters)
    except AifaceError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    _tell(options.out / folder_name(video), executed)
    return 0


def _tell(folder: Path, executed: Path) -> None:
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    print(f"\n{report['path']}: {report['verdict']}", *report["summary"], sep="\n  ")
    print(f"\nreport            {folder / 'report.html'}")
    print(f"annotated video   {folder / 'annotated.mp4'}")
    print(f"executed notebook {executed}")


if __name__ == "__main__":
    sys.exit(main())
