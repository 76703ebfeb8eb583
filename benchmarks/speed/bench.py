"""`make bench`: how fast, how steady and how large, everything in one run, into docs/measured/BENCHMARKS.md.

    python -m benchmarks.speed.bench weights/mobilenet_v2 --clips ../shared/data/clips --crops data/crops-all

Each part takes its turns interleaved, so that ratios hold on a machine that others use too (`clocks`).
"""

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from aiface.analysis.result import Settings
from aiface.data.crop_sets import CropSet
from aiface.evaluation.report import markdown_table
from aiface.io.files import write_json, write_text
from aiface.models.detector import load_detector
from aiface.models.network import BACKBONES
from aiface.paths import ROOT
from benchmarks.scenes import repeat_clip, write_clip
from benchmarks.speed.clip_speed import ROUNDS, SECONDS, live, memory, pipeline, same_verdicts, start, steadiness
from benchmarks.speed.clocks import MARK, NOT_MEASURED, Row, machine
from benchmarks.speed.scaling import rows as rows_of_scaling
from benchmarks.speed.scaling import scaling
from benchmarks.speed.scoring import int8_loss, int8_version, scoring


def bench(folder: Path, clips: Path | None, crops: CropSet | None, minutes: float) -> dict:
    """Everything, as plain values: `machine`, `detector` (the network's sha256), `rows` and `clips`."""
    detector, rows = load_detector(folder), []

    def part(name: str, found: list[Row]) -> None:
        rows.extend(found)
        print(f"\n{name}", *(f"  {row.measure}: {row.found}  {row.asked}" for row in found), sep="\n", flush=True)

    with tempfile.TemporaryDirectory(prefix="aiface-") as scratch:
        scratch = Path(scratch)
        copy = int8_version(folder, crops, scratch)
        int8 = load_detector(copy, precision="int8") if copy else None
        ours = detector.card["backbone"]
        for backbone in (ours, *(name for name in BACKBONES if name != ours)):
            part(f"scoring, {backbone}", scoring(detector, backbone, int8))
        if copy:
            part("INT8", int8_loss(copy, crops))
        clip = write_clip(scratch / "clip.mp4", SECONDS)
        part("clip", pipeline(detector, clip))
        part("live", live(detector))
        part("steadiness", steadiness(detector, clip))
        part("start", start(write_clip(scratch / "short.mp4", 2), folder))
        lengths = {f"{SECONDS} s": clip}
        for part_of_it in (minutes / 3, minutes):
            long = scratch / f"{part_of_it:g}.mp4"
            lengths[f"{part_of_it:g} min"] = repeat_clip(clip, long, round(part_of_it * 60 / SECONDS))
        part("memory", memory(lengths, folder))
        part("scaling", rows_of_scaling(scaling()) if find_spec("ray") else [])
    same = same_verdicts(detector, clips) if clips else []
    found = {"rows": [asdict(row) for row in rows], "clips": same}
    return {"machine": machine(), "detector": detector.card["sha256"]} | found


def to_markdown(result: Mapping) -> str:
    """docs/measured/BENCHMARKS.md."""
    rows = [[row["measure"], row["found"], row["asked"], MARK[row["met"]]] for row in result["rows"]]
    clips = markdown_table(
        ["clip", "from the best looks", "from every look", "faces scored", "of looks"], result["clips"]
    )
    return f"""# How fast it is

Written by `make bench`. Machine: {result["machine"]}.

Detector: the one whose network's sha256 is `{result["detector"]}`; the scores below are its own.

Each figure is the median of at least {ROUNDS} turns with its quartiles; what is compared was run in turns, on a
machine that others use too: ratios hold, single times less so. A still's score takes two passes of the network, one for
the picture and one for its mirror image, a look in a clip one; the rows on scoring are about one pass.

{markdown_table(["measure", "found", "bar", ""], rows)}

## Speed does not cost verdicts

Each person is scored on at most {Settings.best_looks} of the looks at them. The same clips both ways:

{clips if result["clips"] else NOT_MEASURED}
"""


def main() -> None:
    """Measure, print, and write BENCHMARKS.md and benchmarks.json."""
    parser = argparse.ArgumentParser(description="How fast, how steady and how large.")
    parser.add_argument("detector", type=Path, help="a bundle")
    parser.add_argument("--clips", type=Path, help="a set of labelled clips, to compare verdicts on")
    parser.add_argument("--crops", type=Path, help="what `prepare` made, for the INT8 version")
    parser.add_argument("--minutes", type=float, default=10, help="length of the long clip (default 10; the bar: 60)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "measured")
    options = parser.parse_args()
    crops = CropSet(options.crops) if options.crops else None
    result = bench(options.detector, options.clips, crops, options.minutes)
    write_json(options.out / "benchmarks.json", result)
    write_text(options.out / "BENCHMARKS.md", to_markdown(result))
    print(f"\n{options.out / 'BENCHMARKS.md'}")


if __name__ == "__main__":
    main()
