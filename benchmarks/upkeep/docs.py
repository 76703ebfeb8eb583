"""`make docs`: both notebooks as HTML pages with what they really showed, and the picture at the top of the README.

    python -m benchmarks.upkeep.docs --recipe RECIPE.yaml

`train.ipynb` is executed with a recipe's parameters, where one is named: a run that is finished takes minutes, another
as long as its training. Without one it is rendered as it is, without outputs, and a line says so.
"""

import argparse
import io
import sys
from pathlib import Path

import nbformat
import numpy as np
from nbconvert import HTMLExporter
from PIL import Image

from aiface.analysis.pipeline import analyze_video
from aiface.analysis.result import Settings
from aiface.apps.demo import astronaut_clip
from aiface.apps.notebooks.runner import execute, read_parameters
from aiface.drawing import png
from aiface.faces.finder import load_finder
from aiface.io.files import atomic_path, write_text
from aiface.models.detector import Detector, load_detector
from aiface.paths import ROOT
from aiface.reports import figures
from aiface.reports.overlay import draw, people_at
from aiface.video.opening import open_video

MOMENT = 1.0  # seconds: the frame of the clip that is shown
WIDTH = 1100  # pixels of the picture


def render(notebook: Path, page: Path) -> Path:
    """Write an executed notebook as one HTML page."""
    exporter = HTMLExporter(embed_images=True)
    write_text(page, exporter.from_notebook_node(nbformat.read(notebook, 4))[0])
    return page


def example(clip: Path, detector: Detector) -> Image.Image:
    """A judged clip: a frame with the verdicts drawn in, and each person's scores over time below it."""
    analysis = analyze_video(clip, load_finder(), detector, Settings(trails=True))
    with open_video(clip) as video:
        frame = next(frame for frame in video if frame.time >= MOMENT)
    drawn = draw(frame.image, people_at(analysis.people, analysis.verdicts, frame.time))
    timeline = Image.open(io.BytesIO(png(figures.timeline(analysis, detector.calibration)))).convert("RGB")
    return Image.fromarray(np.vstack([_as_wide(Image.fromarray(drawn)), _as_wide(timeline)]))


def _as_wide(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS))


def main() -> int:
    """Execute, render, and draw."""
    parser = argparse.ArgumentParser(description="The notebooks as pages, and the README's picture.")
    parser.add_argument("--recipe", type=Path, help="parameters to execute train.ipynb with")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "build", help="folder for the pages")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "example.png")
    options = parser.parse_args()
    out = options.out.resolve()
    clip = astronaut_clip(out / "astronaut.mp4")
    parameters = {"SOURCE": str(clip), "OUT": str(out / "output")}
    print(render(execute("inference.ipynb", out / "inference.ipynb", parameters), out / "inference.html"))
    trained = ROOT / "train.ipynb"
    if options.recipe:
        parameters = read_parameters("train.ipynb", options.recipe)
        trained = execute("train.ipynb", out / "train.ipynb", parameters, sys.stdout)
    else:
        print("train.ipynb is rendered without outputs; name a recipe to execute it: make docs RECIPE=recipes/...")
    print(render(trained, out / "train.html"))
    with atomic_path(options.picture) as path:
        example(clip, load_detector(ROOT / "weights" / "mobilenet_v2")).quantize(128).save(path)
    print(options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
