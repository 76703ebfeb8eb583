"""The commands that judge: `analyze` and `live`."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from aiface.files import WEIGHTS

if TYPE_CHECKING:
    from aiface.pipeline import Analysis

DETECTOR = WEIGHTS / "mobilenet_v2"
EXAMPLES = """examples:
  python -m aiface analyze clip.mp4 photos/
  python -m aiface analyze "archive/**/*.mp4" --out judged     a report on each, and judged/index.html
  python -m aiface analyze photos/ --json > found.jsonl

With --out the same command goes on where it stopped: what has its report is not judged again, unless the file, the
detector or the settings changed. Exit code: 0 all judged, 1 some could not be, 2 wrong use, 130 stopped by Ctrl-C.
"""


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add `analyze` and `live`."""
    analyze = commands.add_parser("analyze", help="judge images, videos and folders of them", epilog=EXAMPLES,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    what = "an image, a video, a URL, a folder to search, or a pattern such as 'clips/*.mp4'"
    analyze.add_argument("paths", nargs="+", metavar="PATH", help=what)
    analyze.add_argument("--json", action="store_true", help="print one JSON line for each input")
    analyze.add_argument("--out", metavar="FOLDER", help="write a report on each input and an index of all here")
    analyze.add_argument("--explain", action="store_true", help="heat maps in the reports (loads TensorFlow: slower)")
    analyze.add_argument("--rate", type=_rate, default=5.0, help="frames judged per second of video (default 5)")
    analyze.set_defaults(run=_analyze, wrong_use=analyze.error)

    live = commands.add_parser("live", help="judge a camera in a window")
    live.add_argument("camera", nargs="?", default="0", help="its number, or a URL or file (default 0)")
    live.set_defaults(run=_live)
    for command in (analyze, live):
        add_detector_options(command)
        command.add_argument(
            "--runtime", default="openvino", choices=("openvino", "keras"), help="keras: the reference, slower"
        )


def add_detector_options(command: argparse.ArgumentParser) -> None:
    """Add what every command that judges lets one choose."""
    command.add_argument(
        "--detector", default=DETECTOR, metavar="FOLDER", help=f"a bundle (default weights/{DETECTOR.name})"
    )
    command.add_argument(
        "--precision", default="f32", choices=("f32", "auto", "int8"),
        help="f32: as Keras computes (default); auto: this CPU's fastest; int8: what `quantize` made",
    )  # fmt: skip
    command.add_argument("--weights", default=WEIGHTS, metavar="FOLDER", help="where YuNet lies")


def _rate(text: str) -> float:
    if not 2 <= (value := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"expected at least 2, found {text}")
    return value


def _analyze(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from aiface.detector import load_detector
    from aiface.faces import load_finder
    from aiface.inputs import expand
    from aiface.pipeline import Settings, analyze

    if options.explain and not options.out:
        options.wrong_use("--explain: expected --out too: the maps are part of the reports")
    detector, finder = load_detector(options.detector, options.runtime, options.precision), load_finder(options.weights)
    settings, failed = Settings(options.rate), 0
    if options.out:
        return _analyze_into(options, detector, finder, settings)
    for analysis in tqdm(analyze(expand(options.paths), finder, detector, settings), unit=" inputs", disable=None):
        _tell(analysis, options.json)
        failed += analysis.error is not None
        if analysis.interrupted:
            raise KeyboardInterrupt
    return 1 if failed else 0


def _analyze_into(options: argparse.Namespace, detector, finder, settings) -> int:
    """`analyze --out`: whatever ends it, the index names what was judged."""
    from tqdm import tqdm

    from aiface.index import Reports, plan
    from aiface.inputs import expand
    from aiface.pipeline import analyze

    reports = Reports(options.out, finder, detector, settings, options.explain)
    todo, rows = plan(expand(options.paths), reports)
    before = len(rows)
    try:
        for analysis in tqdm(analyze(todo, finder, detector, settings), total=len(todo), unit=" inputs", disable=None):
            _tell(analysis, options.json)
            rows.append(reports.add(analysis))
            if analysis.interrupted:
                raise KeyboardInterrupt
    finally:
        page = reports.write_index(rows)
        print(f"aiface: {len(rows) - before} judged now, {before} known before: {page}", file=sys.stderr)
    return 1 if any(row["verdict"] == "error" for row in rows) else 0


def _tell(analysis: "Analysis", as_json: bool) -> None:
    from tqdm import tqdm

    from aiface.words import WORDS, people_lines

    if as_json:
        tqdm.write(json.dumps(analysis.row()))
    elif not analysis.error:
        tqdm.write("\n  ".join((f"{analysis.path}: {WORDS[analysis.verdict.verdict]}", *people_lines(analysis))))
    sys.stdout.flush()
    problems = [] if as_json or not analysis.error else [analysis.error]
    for problem in (*problems, *(f"{analysis.path}: {warning}" for warning in analysis.warnings)):
        print(f"aiface: {problem}", file=sys.stderr)


def _live(options: argparse.Namespace) -> int:
    from aiface.detector import load_detector
    from aiface.faces import load_finder
    from aiface.live import live

    detector = load_detector(options.detector, options.runtime, options.precision)
    live(options.camera, load_finder(options.weights), detector)
    return 0
