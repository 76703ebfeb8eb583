"""The command line: `python -m aiface --help`."""

import argparse
import os
import sys
from collections.abc import Sequence

from aiface.apps.cli import app, export, info, judge, train
from aiface.errors import AifaceError
from aiface.io.files import print_any_name

EXAMPLES = """examples:
  python -m aiface analyze clip.mp4 photos/            a verdict on each file
  python -m aiface analyze photos/ --out judged        a report on each, and an index; run again, it goes on
  python -m aiface live 0                              judge the first webcam in a window
  python -m aiface app                                 a page to drop files on, in the browser
  python -m aiface prepare data data/crops             faces cut out once, ready for train.ipynb
  python -m aiface train recipes/mobilenet_v2-1.yaml   train.ipynb with these parameters
  python -m aiface audit data --out report             what tells the classes apart besides the faces
  python -m aiface evaluate weights/mobilenet_v2 data  every figure, with intervals, by source, degraded
  python -m aiface export weights/mobilenet_v2 --to onnx   for other programs, with a card that says how to use it
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all went well, 1 when something could not be judged or done, 2 for wrong use."""
    options = _parser().parse_args(arguments)
    print_any_name()
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

    judge.add_commands(commands)
    page = commands.add_parser("app", help="judge files and browsers' cameras on a page of this machine (needs gradio)")
    app.add_arguments(page)
    page.set_defaults(run=app.run)
    train.add_commands(commands)
    exporting = commands.add_parser("export", help="a detector as a file for other programs: ONNX, OpenVINO, TFLite")
    export.add_arguments(exporting)
    exporting.set_defaults(run=export.run)
    facts = commands.add_parser("info", help="what is installed, which detector, and what this machine can do")
    info.add_arguments(facts)
    facts.set_defaults(run=info.run)
    return parser
