"""Whether YuNet through OpenVINO finds what it finds through OpenCV, and in how much of the time.

    python -m benchmarks.speed.finding ../shared/data/clips ../shared/data/wild

Each folder is a row: all pictures below it, and of all clips the frames that are sampled.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from aiface.analysis.result import Settings
from aiface.errors import AifaceError
from aiface.evaluation.report import markdown_table
from aiface.faces.finder import YUNET_FILE, Face, FaceFinder, OpenCvYuNet, YuNet
from aiface.io.images import read_image
from aiface.io.media_kinds import is_still
from aiface.io.sources import list_inputs
from aiface.paths import WEIGHTS
from aiface.video.opening import open_video, sample

COLUMNS = ["", "images", "faces", "images with more or fewer faces", "furthest apart, px", "OpenCV's time"]


def images(folder: Path, step: int) -> Iterator[np.ndarray]:
    """Each `step`-th picture below a folder, and sampled frames of such clips; what can't be read is left out."""
    for path in tqdm(list_inputs(folder)[::step], disable=None, desc=folder.name):
        try:
            if is_still(path):
                yield read_image(path)
                continue
            with open_video(path) as video:
                yield from (frame.image for frame in sample(video, Settings.samples_per_second))
        except AifaceError:
            continue


def apart(ours: Sequence[Face], theirs: Sequence[Face]) -> float:
    """The most, in pixels of the image, that a box or landmark of as many faces lies from the same one's."""
    return max(
        (float(np.abs(_numbers(one) - _numbers(other)).max()) for one, other in zip(ours, theirs, strict=True)),
        default=0.0,
    )


def _numbers(face: Face) -> np.ndarray:
    return np.array([*face.box, *face.landmarks.ravel()])


def compare(pictures: Iterator[np.ndarray]) -> list[str]:
    """A row of the table but for its name."""
    finders, faces, unlike, furthest = _finders(), 0, 0, 0.0
    seconds: list[list[float]] = []
    for image in pictures:
        found, took = zip(*(_timed(finder, image) for finder in finders), strict=True)
        faces += len(found[1])
        seconds.append(list(took))
        if len(found[0]) != len(found[1]):
            unlike += 1
        else:
            furthest = max(furthest, apart(*found))
    ratio = float(np.median([theirs / max(ours, 1e-9) for ours, theirs in seconds])) if seconds else 0.0
    return [str(len(seconds)), str(faces), str(unlike), f"{furthest:.4f}", f"{ratio:.2f}x"]


def _finders() -> tuple[FaceFinder, FaceFinder]:
    """Through OpenVINO and through OpenCV."""
    ours, theirs = (YuNet(WEIGHTS / YUNET_FILE) for _ in range(2))
    theirs._net = OpenCvYuNet(WEIGHTS / YUNET_FILE)
    return FaceFinder(ours), FaceFinder(theirs)


def _timed(finder: FaceFinder, image: np.ndarray) -> tuple[list[Face], float]:
    start = time.process_time()
    return finder(image), time.process_time() - start


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="YuNet through OpenVINO against YuNet through OpenCV.")
    parser.add_argument("folders", nargs="+", type=Path, help="of pictures and clips")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="one of each N files (default 1)")
    options = parser.parse_args()
    for folder in options.folders:
        row = [folder.name, *compare(images(folder, options.step))]
        print(markdown_table(COLUMNS, [row]), flush=True)


if __name__ == "__main__":
    main()
