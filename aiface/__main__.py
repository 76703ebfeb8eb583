"""The command line: `python -m aiface --help`."""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from aiface.app import add_arguments as add_app_arguments
from aiface.app import run as run_app
from aiface.errors import AifaceError
from aiface.files import WEIGHTS

DETECTOR = WEIGHTS / "mobilenet_v2"

EXAMPLES = """examples:
  python -m aiface analyze clip.mp4 photos/            a verdict on each file
  python -m aiface analyze photos/ --json > found.jsonl  the same for machines, a line each
  python -m aiface live 0                              judge the first webcam in a window
  python -m aiface prepare data data/crops             faces cut out once, ready for train.ipynb
  python -m aiface audit data --out report             what tells the classes apart besides the faces
  python -m aiface evaluate weights/mobilenet_v2 data  every figure, with intervals, by source, degraded
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all went well, 1 when something could not be judged or done, 2 for wrong use."""
    options = _parser().parse_args(arguments)
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be valid text
    try:
        return options.run(options)
    except AifaceError as error:
        print(f"aiface: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("aiface: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # such as `| head -1`, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aiface", description="Tell AI-generated faces from real ones.",
        epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    analyze = commands.add_parser("analyze", help="judge images, videos and folders of them")
    analyze.add_argument("paths", nargs="+", metavar="PATH", help="an image, a video, a URL, or a folder to search")
    analyze.add_argument("--json", action="store_true", help="print one JSON line for each input")
    analyze.add_argument("--rate", type=_rate, default=5.0, help="frames judged per second of video (default 5)")
    analyze.set_defaults(run=_analyze)

    live = commands.add_parser("live", help="judge a camera in a window")
    live.add_argument("camera", nargs="?", default="0", help="its number, or a URL or file (default 0)")
    live.set_defaults(run=_live)

    app = commands.add_parser("app", help="judge files and browsers' cameras on a page of this machine (needs gradio)")
    add_app_arguments(app)
    app.set_defaults(run=run_app)

    for command in (analyze, live):
        command.add_argument(
            "--detector", default=DETECTOR, metavar="FOLDER", help="a bundle (default weights/mobilenet_v2)"
        )
        command.add_argument(
            "--precision", default="f32", choices=("f32", "auto", "int8"),
            help="f32: as Keras computes (default); auto: this CPU's fastest; int8: what `quantize` made",
        )  # fmt: skip
        command.add_argument(
            "--runtime", default="openvino", choices=("openvino", "keras"), help="keras: the reference, slower"
        )
        command.add_argument("--weights", default=WEIGHTS, metavar="FOLDER", help="where YuNet lies")

    prepare = commands.add_parser("prepare", help="find and align the faces of data sets once, into shards of crops")
    prepare.add_argument("data", nargs="+", metavar="DATA", help="a folder with real/ and fake/ below it")
    prepare.add_argument("out", metavar="OUT", help="the folder for the shards; run again, it goes on where it stopped")
    prepare.add_argument("--valid", type=_share, default=0.1, metavar="SHARE",
                         help="share of a train split to validate on, where a source has no valid split")  # fmt: skip
    prepare.add_argument("--valid-sources", nargs="*", default=(), metavar="NAME", help="sources held out wholly")
    prepare.add_argument("--weights", default=WEIGHTS, metavar="FOLDER", help="where YuNet lies")
    prepare.set_defaults(run=_prepare)

    audit = commands.add_parser("audit", help="find what tells the classes of data sets apart besides the faces")
    audit.add_argument("data", nargs="+", metavar="DATA", help="a folder with real/ and fake/ below it")
    audit.add_argument("--out", metavar="FOLDER", help="write audit.html and audit.json here")
    audit.add_argument("--json", action="store_true", help="print the audit as JSON")
    audit.set_defaults(run=_audit)

    evaluate = commands.add_parser("evaluate", help="measure a detector on labelled sets of pictures and of clips")
    evaluate.add_argument("detector", metavar="BUNDLE", help="a detector's folder, such as weights/mobilenet_v2")
    evaluate.add_argument("data", nargs="+", metavar="DATA",
                          help="a folder with pictures or clips below real/ and fake/ (of splits, the test split), or "
                          "with a clips.csv (file, label); one that holds both is measured as both")  # fmt: skip
    evaluate.add_argument("--out", metavar="FOLDER", help="write RESULTS.md, MODEL_CARD.md, an HTML page and JSON here")
    evaluate.add_argument("--json", action="store_true", help="print the figures as JSON")
    evaluate.add_argument("--resamples", type=int, default=1000, metavar="N", help="bootstrap draws (default 1000)")
    evaluate.add_argument("--no-curves", action="store_true", help="leave out the degradations")
    evaluate.add_argument("--weights", default=WEIGHTS, metavar="FOLDER", help="where YuNet lies")
    evaluate.set_defaults(run=_evaluate)

    quantize = commands.add_parser("quantize", help="add an INT8 version to a detector (needs nncf)")
    quantize.add_argument("detector", metavar="BUNDLE", help="a detector's folder, such as weights/mobilenet_v2")
    quantize.add_argument("crops", metavar="CROPS", help="what `prepare` made: its valid split to quantise with, its "
                          "test split to measure on")  # fmt: skip
    quantize.set_defaults(run=_quantize)
    return parser


def _rate(text: str) -> float:
    if not 2 <= (value := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"expected at least 2, found {text}")
    return value


def _share(text: str) -> float:
    if not 0 <= (value := float(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to below 1, found {text}")
    return value


def _analyze(options: argparse.Namespace) -> int:
    from aiface.detector import load_detector
    from aiface.faces import load_finder
    from aiface.pipeline import Settings, analyze
    from aiface.report import WORDS, people_lines

    detector, finder = load_detector(options.detector, options.runtime, options.precision), load_finder(options.weights)
    failed = 0
    for analysis in analyze(options.paths, finder, detector, Settings(options.rate)):
        failed += analysis.error is not None
        if options.json:
            print(json.dumps(analysis.row()), flush=True)
        elif analysis.error:
            print(f"aiface: {analysis.error}", file=sys.stderr)
        else:
            print(
                f"{analysis.path}: {WORDS[analysis.verdict.verdict]}", *people_lines(analysis), sep="\n  ", flush=True
            )
        for warning in analysis.warnings:
            print(f"aiface: {analysis.path}: {warning}", file=sys.stderr)
        if analysis.interrupted:
            raise KeyboardInterrupt
    return 1 if failed else 0


def _live(options: argparse.Namespace) -> int:
    from aiface.detector import load_detector
    from aiface.faces import load_finder
    from aiface.live import live

    detector = load_detector(options.detector, options.runtime, options.precision)
    live(options.camera, load_finder(options.weights), detector)
    return 0


def _prepare(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from aiface.dataset import count, scan_all, with_validation
    from aiface.faces import load_finder
    from aiface.shards import prepare

    items = with_validation(scan_all(options.data), options.valid, options.valid_sources)
    print(json.dumps(count(items), indent=2))
    crops = prepare(
        items, Path(options.out), lambda: load_finder(options.weights), lambda rows: tqdm(rows, unit="face")
    )
    print(f"{len(crops)} crops in {options.out}; left out: {dict(crops.left_out) or 'none'}")
    return 0


def _audit(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from aiface.audit import audit
    from aiface.audit_report import to_json, to_text, write
    from aiface.dataset import scan_all

    items = scan_all(options.data)
    found = audit(items, lambda rows: tqdm(rows, total=len(items), unit="picture", disable=None))
    if options.out:
        for path in write(found, options.out):
            print(f"aiface: wrote {path}", file=sys.stderr)
    print(json.dumps(to_json(found), allow_nan=False) if options.json else to_text(found))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from aiface.detector import load_detector
    from aiface.faces import load_finder
    from aiface.protocol import evaluate
    from aiface.results import COMMAND, results_markdown, write

    detector = load_detector(options.detector)
    result = evaluate(
        detector, options.data, lambda: load_finder(options.weights), lambda steps: tqdm(steps, disable=None),
        not options.no_curves, max(2, options.resamples),
    )  # fmt: skip
    command = shlex.join([*COMMAND.split(), options.detector, *options.data])
    if options.out:
        for path in write(result, detector.card, options.out, command):
            print(f"aiface: wrote {path}", file=sys.stderr)
    print(json.dumps(result) if options.json else results_markdown(result, command))
    return 0


def _quantize(options: argparse.Namespace) -> int:
    from aiface.quantize import compare, quantize
    from aiface.shards import CropSet

    crops = CropSet(options.crops)
    print(f"aiface: wrote {quantize(options.detector, crops)}", file=sys.stderr)
    for precision, auc in compare(options.detector, crops.split("test")).items():
        print(precision, ", ".join(f"{name} {value:.4f}" for name, value in auc.items()), sep=": ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
