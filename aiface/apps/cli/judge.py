"""The commands that judge: `analyze` and `live`."""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from aiface.paths import DETECTOR, WEIGHTS

if TYPE_CHECKING:
    from aiface.analysis.result import Settings
    from aiface.faces.finder import Finder
    from aiface.models.detector import Detector
    from aiface.reports.folder import Reports

EXAMPLES = """examples:
  python -m aiface analyze clip.mp4 photos/
  python -m aiface analyze "archive/**/*.mp4" --out judged     a report on each, and judged/index.html
  python -m aiface analyze photos/ --json > found.jsonl
  python -m aiface analyze photos/ --csv > found.csv           a row for each person; --out has it as verdicts.csv
  python -m aiface analyze s3://bucket/archive --engine ray --out judged     on a cluster, or all cores of this machine

Pictures may have up to 201 megapixels; those over 80 are read at half their width and height. In them, also where they
lie sideways, faces from 64 pixels height are found; in a clip what is seen at 640 pixels width.

With --out each input has a JSON file and a row in index.html, index.json and verdicts.csv, and a page as --pages says;
of more than 10,000 inputs index.html lists the most suspicious.
Of up to 1000 inputs all have one. Of more, nobody looks at each: those called AI, and those whose file says so, have
pages; the row of another says why it is real or inconclusive and leads to its JSON. A million pages would be 80 GB.
What lacks a page that is asked for (--pages all) is judged again.

With --out the same command goes on where it stopped: what has its report is not judged again, unless the file, the
detector or the settings changed. Exit code: 0 all judged, 1 some could not be, 2 wrong use, 130 stopped by Ctrl-C.
"""


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add `analyze` and `live`."""
    analyze = commands.add_parser("analyze", help="judge images, videos and folders of them", epilog=EXAMPLES,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    what = "an image, a video, the address of either, a folder to search, or a pattern such as 'clips/*.mp4'"
    analyze.add_argument("paths", nargs="+", metavar="PATH", help=what)
    form = analyze.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON line for each input")
    form.add_argument("--csv", action="store_true", help="print CSV for spreadsheets, a row for each person")
    analyze.add_argument("--out", metavar="FOLDER", help="write a report on each input, an index and verdicts.csv")
    analyze.add_argument("--explain", action="store_true", help="heat maps in the reports (loads TensorFlow: slower)")
    analyze.add_argument(
        "--pages", default="few", choices=("none", "few", "all"),
        help="which reports get an HTML page beside their JSON, with --out (default few: all; of a run of more than "
        "1000 inputs only those called AI and those that say so of themselves)",
    )  # fmt: skip
    analyze.add_argument("--no-clips", action="store_true", help="put no clips beside their reports, to be played")
    analyze.add_argument(
        "--engine", default="local", choices=("local", "ray"),
        help="ray: on every core of a Ray cluster, also from object stores such as s3:// (takes --out, a folder that "
        "all its machines share, where results.parquet comes too)",
    )  # fmt: skip
    analyze.add_argument("--address", help="of the Ray cluster (default: RAY_ADDRESS, else this machine's own)")
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

    from aiface.analysis.pipeline import analyze
    from aiface.analysis.result import Settings
    from aiface.faces.finder import load_finder
    from aiface.io.sources import expand
    from aiface.models.detector import load_detector
    from aiface.reports.folder import told
    from aiface.reports.report import brief

    _check(options)
    detector, finder = load_detector(options.detector, options.runtime, options.precision), load_finder(options.weights)
    settings, failed = Settings(options.rate), 0
    if options.out:
        return _analyze_into(options, detector, finder, settings)
    _begin(options)
    for analysis in tqdm(analyze(expand(options.paths), finder, detector, settings), unit=" inputs", disable=None):
        _tell(told(brief(analysis)), options)
        failed += analysis.error is not None
        if analysis.interrupted:
            raise KeyboardInterrupt
    _tell_of_others(options)
    return 1 if failed else 0


def _check(options: argparse.Namespace) -> None:
    if options.explain and not options.out:
        options.wrong_use("--explain: expected --out too: the maps are part of the reports")
    if options.engine == "ray" and not options.out:
        options.wrong_use("--engine ray: expected --out too: what is judged on many machines meets there")
    if "://" in (options.out or ""):
        options.wrong_use(f"--out: expected a folder (on a cluster: one that all machines share), found {options.out}")


def _analyze_into(options: argparse.Namespace, detector: "Detector", finder: "Finder", settings: "Settings") -> int:
    """`analyze --out`: whatever ends it, the index names what was judged."""
    from tqdm import tqdm

    from aiface.io.sources import expand
    from aiface.reports.folder import Reports, counted, plan

    reports = Reports(options.out, finder, detector, settings, options.explain, not options.no_clips, options.pages)
    ray, out = options.engine == "ray", sys.stdout
    with ExitStack() as stack:
        search, judge = _on_ray(options, settings, stack) if ray else _here(finder, detector, settings)
        todo, rows = plan(expand(options.paths), reports, search)
        before, left = len(rows), {str(name) for name in todo}
        _begin(options, out)
        for row in rows.of("error"):
            if row["json"] is None:  # a folder that can't be opened
                print(f"aiface: {_one_line(row['why'])}", file=sys.stderr)
        try:
            for answer in tqdm(judge(todo, reports), total=len(todo), unit=" inputs", disable=None):
                _tell(answer, options, out)
                rows.append(answer["row"])
                left.discard(answer["row"]["path"])
        finally:
            rows.extend(reports.written(left))  # workers are ahead of what came back from them
            page = reports.write_index(rows)
            if ray:
                from aiface.apps.engines.ray import write_table

                write_table(reports.folder / "results.parquet", rows)
            print(f"aiface: {counted(rows, before)}: {page}", file=sys.stderr)
    return 1 if rows.counts["error"] else 0


Answers = Callable[[Sequence[str | Path], "Reports"], Iterator[dict]]


def _here(finder: "Finder", detector: "Detector", settings: "Settings") -> tuple[Callable, Answers]:
    """How names are searched, and how inputs are judged in this process."""
    from aiface.apps.engines import local
    from aiface.io.sources import search

    return search, partial(local.judge, finder, detector, settings)


def _on_ray(options: argparse.Namespace, settings: "Settings", stack: ExitStack) -> tuple[Callable, Answers]:
    """The same on a Ray cluster, to which this process is connected until the stack unwinds."""
    from aiface.apps.engines import ray
    from aiface.io.object_stores import search

    stack.enter_context(redirect_stdout(sys.stderr))  # where Ray's own threads are to tell of workers that died
    stack.enter_context(ray.cluster(options.address))
    detector, weights = (str(Path(folder).absolute()) for folder in (options.detector, options.weights))
    load = partial(ray.load, detector, options.runtime, options.precision, weights)
    return search, partial(ray.judge, load, settings, options.explain)


def _begin(options: argparse.Namespace, out: TextIO | None = None) -> None:
    from tqdm import tqdm

    from aiface.reports.table import header

    if options.csv:
        tqdm.write(header(), out)


def _tell(told: Mapping, options: argparse.Namespace, out: TextIO | None = None) -> None:
    """Print what is `told` of an input, in the form that was asked for."""
    from tqdm import tqdm

    if text := _text(told, options):
        tqdm.write(text, out)
    (out or sys.stdout).flush()
    line = told["line"]
    problems = [line["error"]] if line["error"] and not (options.json or options.csv) else []
    for problem in (*problems, *(f"{line['path']}: {warning}" for warning in told["warnings"])):
        print(f"aiface: {_one_line(problem)}", file=sys.stderr)


def _one_line(text: str) -> str:
    """As `shown`, in one line: what follows the end of one in a name would look like an answer."""
    from aiface.io.files import shown

    return re.sub("[\r\n]", "\ufffd", shown(text))


def _text(told: Mapping, options: argparse.Namespace) -> str:
    from aiface.io.files import json_line
    from aiface.reports.table import lines
    from aiface.reports.wording import WORDS, said_line

    line = told["line"]
    if options.json:
        return json_line(line)
    if options.csv:
        return lines(told["row"])
    words = (f"{_one_line(line['path'])}: {WORDS[line['verdict']]}", *told["people"], said_line(line["says_generated"]))
    return "" if line["error"] else "\n  ".join(filter(None, words))


def _tell_of_others(options: argparse.Namespace) -> None:
    """What lies in a folder and is no input: as CSV a row each, since a table leaves out nothing; else in few lines."""
    from tqdm import tqdm

    from aiface.io.sources import expand, search, summed
    from aiface.reports.folder import skipped
    from aiface.reports.table import lines

    others = [other for name in expand(options.paths) for other in search(name).others]
    for other in others if options.csv else ():
        tqdm.write(lines(skipped(*other)))
    for line in () if options.csv else summed(others):
        print(f"aiface: {_one_line(line)}", file=sys.stderr)


def _live(options: argparse.Namespace) -> int:
    from aiface.apps.live.live import live
    from aiface.faces.finder import load_finder
    from aiface.models.detector import load_detector

    detector = load_detector(options.detector, options.runtime, options.precision)
    live(options.camera, load_finder(options.weights), detector)
    return 0
