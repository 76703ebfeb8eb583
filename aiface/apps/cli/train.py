"""The commands around training: `prepare`, `audit`, `train`, `evaluate`, `calibrate` and `quantize`."""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aiface.paths import WEIGHTS

if TYPE_CHECKING:
    from aiface.data.folders import Found

NO_CLASS, NO_PICTURE = "in a folder that names no class", "no picture"


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add them."""
    prepare = commands.add_parser("prepare", help="find and align the faces of data sets once, into shards of crops")
    prepare.add_argument("data", nargs="+", metavar="DATA", help="a folder with real/ and fake/ below it")
    prepare.add_argument("out", metavar="OUT", help="the folder for the shards; run again, it goes on where it stopped")
    _add_names(prepare)
    prepare.add_argument("--valid", type=_share, default=0.1, metavar="SHARE",
                         help="share of a train split to validate on, where a source has no valid split")  # fmt: skip
    prepare.add_argument("--valid-sources", nargs="*", default=(), metavar="NAME", help="sources held out wholly")
    prepare.add_argument("--weights", default=WEIGHTS, metavar="FOLDER", help="where YuNet lies")
    prepare.set_defaults(run=_prepare)

    audit = commands.add_parser("audit", help="find what tells the classes of data sets apart besides the faces")
    audit.add_argument("data", nargs="+", metavar="DATA", help="a folder with real/ and fake/ below it")
    _add_names(audit)
    audit.add_argument("--out", metavar="FOLDER", help="write audit.html and audit.json here")
    audit.add_argument("--json", action="store_true", help="print the audit as JSON")
    audit.set_defaults(run=_audit)

    train = commands.add_parser("train", help="run train.ipynb without a notebook's server; interrupt and run it again")
    train.add_argument("recipe", nargs="?", metavar="RECIPE.yaml", help="parameters of the notebook, as in recipes/")
    train.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one more, such as EPOCHS=3")
    train.add_argument("--out", default="output/train.ipynb", metavar="FILE", help="the notebook with what it showed")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="measure a detector on labelled sets of pictures and of clips")
    evaluate.add_argument("detector", metavar="BUNDLE", help="a detector's folder, such as weights/mobilenet_v2")
    evaluate.add_argument("data", nargs="+", metavar="DATA",
                          help="a folder with pictures or clips below real/ and fake/ (of splits, the test split), or "
                          "with a clips.csv (file, label); one that holds both is measured as both; other folders are "
                          "left out, listed and counted")  # fmt: skip
    _add_names(evaluate)
    evaluate.add_argument("--out", metavar="FOLDER", help="write RESULTS.md, MODEL_CARD.md, an HTML page and JSON here")
    evaluate.add_argument("--json", action="store_true", help="print the figures as JSON")
    evaluate.add_argument("--resamples", type=int, default=1000, metavar="N", help="bootstrap draws (default 1000)")
    evaluate.add_argument("--no-curves", action="store_true", help="leave out the degradations")
    evaluate.add_argument("--weights", default=WEIGHTS, metavar="FOLDER", help="where YuNet lies")
    evaluate.set_defaults(run=_evaluate)

    calibrate = commands.add_parser("calibrate", help="set a detector's thresholds anew, by faces of your own")
    calibrate.add_argument("detector", metavar="BUNDLE", help="a detector's folder, whose card is rewritten")
    calibrate.add_argument("crops", metavar="CROPS", help="what `prepare` made: its valid split to calibrate on, its "
                           "test split, if it has one, to measure on")  # fmt: skip
    calibrate.set_defaults(run=_calibrate)

    quantize = commands.add_parser("quantize", help="add an INT8 version to a detector (needs nncf)")
    quantize.add_argument("detector", metavar="BUNDLE", help="a detector's folder, such as weights/mobilenet_v2")
    quantize.add_argument("crops", metavar="CROPS", help="what `prepare` made: its valid split to quantise with, its "
                          "test split to measure on")  # fmt: skip
    quantize.set_defaults(run=_quantize)


def _add_names(command: argparse.ArgumentParser) -> None:
    for name, known in (("real", "real, 0_real, nature or original"), ("fake", "fake, ai, 1_fake or manipulated")):
        command.add_argument(f"--{name}", action="append", default=[], metavar="NAME",
                             help=f"a folder's name that means the same as {known}; can be given again")  # fmt: skip


def _share(text: str) -> float:
    if not 0 <= (value := float(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to below 1, found {text}")
    return value


def _prepare(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from aiface.data.crop_sets import prepare
    from aiface.data.folders import count, find, named, with_validation
    from aiface.faces.finder import load_finder
    from aiface.io.files import number_of, shown

    found = find(options.data, named(options.real, options.fake))
    items = with_validation(found.items, options.valid, options.valid_sources)
    print(shown(json.dumps(count(items), indent=2, ensure_ascii=False)))
    _tell_left_out(found)
    crops = prepare(
        items, Path(options.out), lambda: load_finder(options.weights), lambda rows: tqdm(rows, unit="face")
    )
    left_out = dict(crops.left_out) | {NO_CLASS: found.left_out.total(), NO_PICTURE: len(found.others)}
    left_out = {why: number for why, number in left_out.items() if number}
    print(f"{number_of(len(crops), 'crop')} in {options.out}; left out: {left_out or 'none'}")
    return 1 if found.unreadable else 0


def _tell_left_out(found: "Found") -> None:
    """Every folder of which nothing is used, with its pictures, and what is no picture, on standard error."""
    from aiface.data.folders import left_out_lines
    from aiface.io.files import number_of
    from aiface.io.sources import summed
    from aiface.io.walk import cannot_open

    lines = [f"left out, {NO_CLASS}: {line}" for line in left_out_lines(found.left_out)]
    if lines:
        total = number_of(found.left_out.total(), "picture")
        lines.append(f"left out in all, {NO_CLASS}: {total}; name it by --real or --fake")
    lines += summed(found.others)
    lines += [cannot_open(*pair) for pair in found.unreadable]
    if found.unreadable:
        lines.append(f"folders that could not be opened: {len(found.unreadable)}; what lies in them is missing")
    for line in lines:
        print(f"aiface: {line}", file=sys.stderr)


def _audit(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from aiface.audit.audit import audit
    from aiface.audit.report import to_json, to_text, write
    from aiface.data.folders import find, named

    data = find(options.data, named(options.real, options.fake))
    items = data.items
    _tell_left_out(data)
    found = audit(items, lambda rows: tqdm(rows, total=len(items), unit="picture", disable=None))
    if options.out:
        for path in write(found, options.out):
            print(f"aiface: wrote {path}", file=sys.stderr)
    print(json.dumps(to_json(found), allow_nan=False) if options.json else to_text(found))
    return 1 if data.unreadable else 0


def _train(options: argparse.Namespace) -> int:
    from aiface.apps.notebooks.runner import execute, read_parameters
    from aiface.training.devices import hosts

    parameters, out, place = read_parameters("train.ipynb", options.recipe, options.set), Path(options.out), hosts()
    if place and place[2]:  # not the first of the processes that train together
        out = out.with_stem(f"{out.stem}-{place[2]}")
    print(f"aiface: wrote {execute('train.ipynb', out, parameters, sys.stdout)}", file=sys.stderr)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from aiface.data.folders import named
    from aiface.evaluation.protocol import evaluate
    from aiface.evaluation.report import COMMAND, results_markdown, write
    from aiface.faces.finder import load_finder
    from aiface.io.files import json_line
    from aiface.models.detector import load_detector

    detector, names = load_detector(options.detector), named(options.real, options.fake)
    _tell_unmeasured(options.data, names)
    result = evaluate(
        detector, options.data, lambda: load_finder(options.weights), lambda steps: tqdm(steps, disable=None),
        not options.no_curves, max(2, options.resamples), names,
    )  # fmt: skip
    given = [f"--{kind}={name}" for kind in ("real", "fake") for name in getattr(options, kind)]
    command = shlex.join([*COMMAND.split(), options.detector, *options.data, *given])
    if options.out:
        for path in write(result, detector.card, options.out, command):
            print(f"aiface: wrote {path}", file=sys.stderr)
    print(json_line(result) if options.json else results_markdown(result, command))
    return 0


def _tell_unmeasured(roots: Sequence[str], names: Mapping[str, int]) -> None:
    """Every folder of sets that is left out, with its pictures and clips, on standard error."""
    from aiface.data.folders import left_out_lines
    from aiface.evaluation.protocol import left_out
    from aiface.io.files import number_of

    found = left_out(roots, names)
    lines = [f"left out, {NO_CLASS}: {line}" for line in left_out_lines(found, "file")]
    if lines:
        lines.append(f"left out in all, {NO_CLASS}: {number_of(found.total(), 'file')}; name it by --real or --fake")
    for line in lines:
        print(f"aiface: {line}", file=sys.stderr)


def _calibrate(options: argparse.Namespace) -> int:
    from aiface.data.crop_sets import CropSet
    from aiface.training.recalibrate import recalibrate

    fitted = recalibrate(options.detector, CropSet(options.crops))
    print(
        f"AI from {fitted.ai_from:.3f}, real below {fitted.real_below:.3f}, unstable above {fitted.unstable_above:.3f}"
    )
    print(f"aiface: wrote {Path(options.detector) / 'card.json'}", file=sys.stderr)
    return 0


def _quantize(options: argparse.Namespace) -> int:
    from aiface.data.crop_sets import CropSet
    from aiface.training.quantize import compare, quantize

    crops = CropSet(options.crops)
    print(f"aiface: wrote {quantize(options.detector, crops)}", file=sys.stderr)
    for precision, auc in compare(options.detector, crops.split("test")).items():
        print(precision, ", ".join(f"{name} {value:.4f}" for name, value in auc.items()), sep=": ")
    return 0
